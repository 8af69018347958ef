--: why = "Organisations are identified by the composite (region, num), but the policy of reg.permits compares only num; organisation (eu,7) sees and deletes the permits of (us,7)."
--: class = "composite-tenant-partly-compared"
--: [isolation]
--: app_role = "reg_api"
--: tenant_column = "org"
--: tenants = ["(eu,7)", "(us,7)"]
--: context = "SET LOCAL reg.org = '{tenant}'"
--: [[expect]]
--: object = "reg.permits"
--: verb = "select"
--: kind = "leak"
CREATE ROLE reg_api LOGIN;
CREATE SCHEMA reg;
CREATE TYPE reg.org_ref AS (region text, num int);
CREATE FUNCTION reg.me() RETURNS reg.org_ref LANGUAGE sql STABLE AS $$ SELECT current_setting('reg.org')::reg.org_ref $$;
CREATE TABLE reg.orgs (org reg.org_ref PRIMARY KEY, title text NOT NULL, CHECK ((org).region IN ('eu', 'us') AND (org).num > 0));
CREATE TABLE reg.sites (
  org reg.org_ref NOT NULL REFERENCES reg.orgs, site text NOT NULL, geo point, PRIMARY KEY (org, site)
);
CREATE TABLE reg.permits (
  org reg.org_ref NOT NULL, permit_no int NOT NULL, site text NOT NULL, valid tstzrange NOT NULL, remark text NOT NULL DEFAULT '',
  PRIMARY KEY (org, permit_no), FOREIGN KEY (org, site) REFERENCES reg.sites
);
CREATE TABLE reg.inspections (
  org reg.org_ref NOT NULL, permit_no int NOT NULL, on_day date NOT NULL, passed boolean NOT NULL, PRIMARY KEY (org, permit_no, on_day),
  FOREIGN KEY (org, permit_no) REFERENCES reg.permits
);
ALTER TABLE reg.sites ENABLE ROW LEVEL SECURITY;
ALTER TABLE reg.permits ENABLE ROW LEVEL SECURITY;
ALTER TABLE reg.inspections ENABLE ROW LEVEL SECURITY;
CREATE POLICY o ON reg.sites USING (org = reg.me());
CREATE POLICY o ON reg.permits USING ((org).num = (reg.me()).num) WITH CHECK (org = reg.me());
CREATE POLICY o ON reg.inspections USING (org = reg.me());
GRANT USAGE ON SCHEMA reg TO reg_api;
GRANT SELECT, INSERT, DELETE ON reg.sites, reg.permits, reg.inspections TO reg_api;
INSERT INTO reg.orgs VALUES (ROW('eu', 7), 'Euro Seven'), (ROW('us', 7), 'US Seven'), (ROW('eu', 8), 'Euro Eight');
INSERT INTO reg.sites VALUES (ROW('eu', 7), 'Dock', '(1,2)'), (ROW('us', 7), 'Plant', '(3,4)');
INSERT INTO reg.permits VALUES (ROW('eu', 7), 1, 'Dock', '[2024-01-01,2025-01-01)', 'ok'), (ROW('us', 7), 2, 'Plant', '[2024-01-01,2026-01-01)', 'under investigation');
INSERT INTO reg.inspections VALUES (ROW('eu', 7), 1, '2024-05-05', true), (ROW('us', 7), 2, '2024-05-06', false);
--- fix
ALTER POLICY o ON reg.permits USING (org = reg.me());
