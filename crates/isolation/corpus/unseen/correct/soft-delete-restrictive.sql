--: why = "A restrictive policy hides rows in the bin on top of the tenant policy, and the only way into the bin is a definer function that matches the tenant of the session."
--: class = "soft-delete"
CREATE ROLE crm_owner NOLOGIN;
CREATE ROLE crm_web LOGIN;
CREATE SCHEMA crm AUTHORIZATION crm_owner;
SET ROLE crm_owner;
CREATE FUNCTION crm.org() RETURNS integer LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('crm.org', true), '')::integer $$;
CREATE TABLE crm.contact (
  org integer NOT NULL, contact_no integer NOT NULL, name text NOT NULL, email text, deleted_at timestamptz,
  PRIMARY KEY (org, contact_no)
);
CREATE UNIQUE INDEX contact_email_live ON crm.contact (org, lower(email)) WHERE deleted_at IS NULL;
CREATE TABLE crm.deal (
  org integer NOT NULL, deal_no integer NOT NULL, contact_no integer NOT NULL, worth numeric(12, 2) NOT NULL CHECK (worth >= 0), deleted_at timestamptz,
  PRIMARY KEY (org, deal_no), FOREIGN KEY (org, contact_no) REFERENCES crm.contact
);
ALTER TABLE crm.contact ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm.deal ENABLE ROW LEVEL SECURITY;
CREATE POLICY org_rows ON crm.contact TO crm_web USING (org = crm.org());
CREATE POLICY org_rows ON crm.deal TO crm_web USING (org = crm.org());
CREATE POLICY not_in_bin ON crm.contact AS RESTRICTIVE TO crm_web USING (deleted_at IS NULL);
CREATE POLICY not_in_bin ON crm.deal AS RESTRICTIVE TO crm_web USING (deleted_at IS NULL);
CREATE FUNCTION crm.bin_contact(p_no integer) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE crm.deal SET deleted_at = now() WHERE org = crm.org() AND contact_no = p_no AND deleted_at IS NULL;
  UPDATE crm.contact SET deleted_at = now() WHERE org = crm.org() AND contact_no = p_no AND deleted_at IS NULL;
  RETURN FOUND;
END $$;
REVOKE EXECUTE ON FUNCTION crm.bin_contact(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.bin_contact(integer) TO crm_web;
GRANT USAGE ON SCHEMA crm TO crm_web;
GRANT SELECT, INSERT (org, contact_no, name, email), UPDATE (name, email) ON crm.contact TO crm_web;
GRANT SELECT, INSERT (org, deal_no, contact_no, worth), UPDATE (worth) ON crm.deal TO crm_web;
RESET ROLE;
INSERT INTO crm.contact VALUES (5, 1, 'Ann', 'ann@a.example', NULL), (5, 2, 'Old', 'old@a.example', now()), (6, 1, 'Zed', 'zed@b.example', NULL), (6, 7, 'Zoe', 'zoe@b.example', now());
INSERT INTO crm.deal VALUES (5, 1, 1, 100), (6, 1, 1, 4242), (6, 7, 7, 4343);
