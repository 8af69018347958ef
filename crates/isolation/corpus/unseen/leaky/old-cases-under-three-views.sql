--: why = "The search view and the union view use invoker rights, but the archive view below them belongs to the superuser without security_invoker; it shows only minor cases closed long ago, so most data never reveals it."
--: class = "views-over-owner-view"
--: [isolation]
--: app_role = "court_app"
--: tenant_column = "chamber"
--: tenants = ["amt-01", "amt-77"]
--: context = "SET LOCAL court.chamber = '{tenant}'"
--: [[expect]]
--: object = "court.v_archive"
--: verb = "select"
--: kind = "leak"
CREATE ROLE court_owner NOLOGIN;
CREATE ROLE court_app LOGIN;
CREATE SCHEMA court AUTHORIZATION court_owner;
SET ROLE court_owner;
CREATE TYPE court.weight AS ENUM ('minor', 'major');
CREATE TABLE court.live_case (chamber text NOT NULL, case_no text NOT NULL CHECK (case_no ~ '^\d+/\d{4}$'), weight court.weight NOT NULL, title text NOT NULL, PRIMARY KEY (chamber, case_no));
CREATE TABLE court.old_case (chamber text NOT NULL, case_no text NOT NULL, weight court.weight NOT NULL, title text NOT NULL, closed_on date NOT NULL, PRIMARY KEY (chamber, case_no));
CREATE TABLE court.judge (chamber text NOT NULL, name text NOT NULL, PRIMARY KEY (chamber, name));
ALTER TABLE court.live_case ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE court.old_case ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE court.judge ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY c ON court.live_case USING (chamber = current_setting('court.chamber', true));
CREATE POLICY c ON court.old_case USING (chamber = current_setting('court.chamber', true));
CREATE POLICY c ON court.judge USING (chamber = current_setting('court.chamber', true));
GRANT USAGE ON SCHEMA court TO court_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON court.live_case TO court_app;
GRANT SELECT ON court.old_case, court.judge TO court_app;
RESET ROLE;
CREATE VIEW court.v_archive AS
  SELECT chamber, case_no, title FROM court.old_case WHERE weight = 'minor' AND closed_on < date '2015-01-01';
CREATE VIEW court.v_all WITH (security_invoker = true) AS
  SELECT chamber, case_no, title, 'live' AS origin FROM court.live_case UNION ALL SELECT chamber, case_no, title, 'archive' FROM court.v_archive;
CREATE VIEW court.v_search WITH (security_invoker = true) AS
  SELECT case_no, title FROM court.v_all WHERE origin = 'live' OR case_no LIKE '%/20__';
GRANT SELECT ON court.v_archive, court.v_all, court.v_search TO court_app;
INSERT INTO court.live_case VALUES ('amt-01', '1/2024', 'minor', 'Apfel v. Birne'), ('amt-77', '1/2024', 'major', 'Zeus v. Hera');
INSERT INTO court.old_case VALUES
  ('amt-01', '5/2012', 'minor', 'Alt v. Neu', '2013-01-01'), ('amt-77', '7/2011', 'minor', 'Zorn v. Staat', '2012-05-05'),
  ('amt-77', '8/2011', 'major', 'Zar v. Bank', '2012-05-05'), ('amt-77', '9/2020', 'minor', 'Zoo v. Tier', '2021-05-05');
--- fix
ALTER VIEW court.v_archive SET (security_invoker = true);
