--: why = "imp.staging_rows takes COPY FROM and has no row security; its rows carry a tenant column that the loader believes, so A copies in rows marked with tenant B and B finds A's products in its catalogue after imp.load() of B."
--: class = "unprotected-import-staging"
--: [[expect]]
--: object = "imp.staging_rows"
--: verb = "insert"
--: kind = "leak"
CREATE ROLE import_app LOGIN;
CREATE SCHEMA imp;
CREATE FUNCTION imp.tenant() RETURNS int LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('app.tenant_id', true), '')::int $$;
CREATE TABLE imp.tenants (tenant_id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE imp.catalogue (
  tenant_id int NOT NULL REFERENCES imp.tenants, sku text NOT NULL CHECK (sku <> ''), title text NOT NULL, cents int NOT NULL CHECK (cents > 0), PRIMARY KEY (tenant_id, sku)
);
CREATE TABLE imp.staging_rows (
  tenant_id int NOT NULL, sku text NOT NULL, title text NOT NULL, cents int NOT NULL
);
CREATE TABLE imp.import_log (tenant_id int NOT NULL REFERENCES imp.tenants, run uuid NOT NULL DEFAULT gen_random_uuid(), n bigint NOT NULL, PRIMARY KEY (tenant_id, run));
ALTER TABLE imp.catalogue ENABLE ROW LEVEL SECURITY;
ALTER TABLE imp.import_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY t ON imp.catalogue FOR SELECT USING (tenant_id = imp.tenant());
CREATE POLICY t ON imp.import_log FOR SELECT USING (tenant_id = imp.tenant());
CREATE FUNCTION imp.load() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = imp, pg_temp AS $$
DECLARE n bigint;
BEGIN
  WITH moved AS (DELETE FROM staging_rows s WHERE s.tenant_id = tenant() RETURNING *)
  INSERT INTO catalogue SELECT DISTINCT ON (sku) tenant_id, sku, title, cents FROM moved
    ON CONFLICT (tenant_id, sku) DO UPDATE SET title = excluded.title, cents = excluded.cents;
  GET DIAGNOSTICS n = ROW_COUNT;
  INSERT INTO import_log (tenant_id, n) VALUES (tenant(), n);
  RETURN n;
END $$;
REVOKE EXECUTE ON FUNCTION imp.load() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION imp.load() TO import_app;
GRANT USAGE ON SCHEMA imp TO import_app;
GRANT SELECT ON imp.catalogue, imp.import_log TO import_app;
GRANT INSERT ON imp.staging_rows TO import_app;
-- per upload: BEGIN; SET LOCAL app.tenant_id = '<n>'; COPY imp.staging_rows FROM STDIN; SELECT imp.load(); COMMIT
INSERT INTO imp.tenants VALUES (1, 'Aba'), (2, 'Beb');
INSERT INTO imp.catalogue VALUES (1, 'a', 'apple', 10), (2, 'b', 'berry', 20);
INSERT INTO imp.staging_rows VALUES (1, 'c', 'cherry', 30), (2, 'd', 'date', 40);
INSERT INTO imp.import_log (tenant_id, n) VALUES (1, 1), (2, 1);
--- fix
ALTER TABLE imp.staging_rows ENABLE ROW LEVEL SECURITY;
CREATE POLICY t ON imp.staging_rows FOR INSERT WITH CHECK (tenant_id = imp.tenant());
