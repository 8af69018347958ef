--: why = "Tenants see each other's dossiers only through a shares table; a share row can only be written in the name of the context tenant and its foreign key holds it to a dossier of that same tenant."
--: class = "owner-granted-shares"
--: [isolation]
--: app_role = "dossier_app"
--: tenant_column = "owner_office"
--: tenants = ["11", "22"]
--: context = "SET LOCAL dossier.office = '{tenant}'"
CREATE ROLE dossier_owner NOLOGIN;
CREATE ROLE dossier_app LOGIN;
CREATE SCHEMA dossier AUTHORIZATION dossier_owner;
SET ROLE dossier_owner;
CREATE FUNCTION dossier.office() RETURNS integer LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('dossier.office', true), '')::int $$;
CREATE TABLE dossier.office_list (office integer PRIMARY KEY, public_name text NOT NULL);
CREATE TABLE dossier.dossier (
  owner_office integer NOT NULL, ref text NOT NULL, subject text NOT NULL, state text NOT NULL CHECK (state IN ('open', 'closed')),
  PRIMARY KEY (owner_office, ref)
);
CREATE TABLE dossier.share (
  owner_office integer NOT NULL, ref text NOT NULL, reader_office integer NOT NULL REFERENCES dossier.office_list,
  PRIMARY KEY (owner_office, ref, reader_office),
  FOREIGN KEY (owner_office, ref) REFERENCES dossier.dossier ON DELETE CASCADE,
  CHECK (owner_office <> reader_office)
);
ALTER TABLE dossier.dossier ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE dossier.share ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY share_read ON dossier.share FOR SELECT USING (dossier.office() IN (owner_office, reader_office));
CREATE POLICY share_give ON dossier.share FOR INSERT WITH CHECK (owner_office = dossier.office());
CREATE POLICY share_take_back ON dossier.share FOR DELETE USING (owner_office = dossier.office());
CREATE POLICY own ON dossier.dossier USING (owner_office = dossier.office());
CREATE POLICY shared_with_me ON dossier.dossier FOR SELECT USING (EXISTS (
  SELECT 1 FROM dossier.share s WHERE s.owner_office = dossier.owner_office AND s.ref = dossier.ref AND s.reader_office = dossier.office()));
GRANT USAGE ON SCHEMA dossier TO dossier_app;
GRANT SELECT ON dossier.office_list TO dossier_app;   -- a directory of offices, meant for all
GRANT SELECT, INSERT, UPDATE, DELETE ON dossier.dossier TO dossier_app;
GRANT SELECT, INSERT, DELETE ON dossier.share TO dossier_app;
RESET ROLE;
INSERT INTO dossier.office_list VALUES (11, 'Office North'), (22, 'Office South'), (33, 'Office East');
INSERT INTO dossier.dossier VALUES (11, 'D-1', 'alley', 'open'), (22, 'D-1', 'zoning case', 'open'), (33, 'E-1', 'east and north', 'open');
INSERT INTO dossier.share VALUES (33, 'E-1', 11), (22, 'D-1', 33);
