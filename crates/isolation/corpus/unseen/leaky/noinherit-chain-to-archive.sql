--: why = "The app login does not inherit, but is a member of the support role, which is a member of night_jobs, which is a member of the archive reader whose policy shows every office; three SET ROLE steps away lies everything."
--: class = "set-role-chain"
--: [isolation]
--: app_role = "notary_app"
--: tenant_column = "office_code"
--: tenants = ["N-A", "N-Z"]
--: context = "SET LOCAL notary.office = '{tenant}'"
--: [[expect]]
--: object = "role:notary_archive"
--: verb = "select"
--: kind = "leak"
CREATE ROLE notary_owner NOLOGIN;
CREATE ROLE notary_archive NOLOGIN NOINHERIT;
CREATE ROLE notary_night_jobs NOLOGIN NOINHERIT;
CREATE ROLE notary_support NOLOGIN NOINHERIT;
CREATE ROLE notary_app LOGIN NOINHERIT;
GRANT notary_archive TO notary_night_jobs;
GRANT notary_night_jobs TO notary_support;
GRANT notary_support TO notary_app;
CREATE SCHEMA notary AUTHORIZATION notary_owner;
SET ROLE notary_owner;
CREATE TABLE notary.deed (office_code text NOT NULL, deed_no integer NOT NULL, kind text NOT NULL CHECK (kind IN ('will', 'sale')), content text NOT NULL, PRIMARY KEY (office_code, deed_no));
CREATE TABLE notary.party (office_code text NOT NULL, deed_no integer NOT NULL, name text NOT NULL, PRIMARY KEY (office_code, deed_no, name), FOREIGN KEY (office_code, deed_no) REFERENCES notary.deed ON DELETE CASCADE);
CREATE TABLE notary.help_text (topic text PRIMARY KEY, body text NOT NULL);
CREATE TABLE notary.job_run (job text PRIMARY KEY, last_run timestamptz NOT NULL);
ALTER TABLE notary.deed ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notary.party ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY o ON notary.deed TO notary_app USING (office_code = current_setting('notary.office', true));
CREATE POLICY o ON notary.party TO notary_app USING (office_code = current_setting('notary.office', true));
CREATE POLICY all_offices ON notary.deed FOR SELECT TO notary_archive USING (true);
GRANT USAGE ON SCHEMA notary TO notary_app, notary_archive, notary_support, notary_night_jobs;
GRANT SELECT, INSERT, UPDATE, DELETE ON notary.deed, notary.party TO notary_app;
GRANT SELECT ON notary.help_text TO notary_support;
GRANT SELECT ON notary.job_run TO notary_night_jobs;
GRANT SELECT ON notary.deed TO notary_archive;
RESET ROLE;
INSERT INTO notary.deed VALUES ('N-A', 1, 'sale', 'house A'), ('N-Z', 1, 'will', 'everything to the zoo');
INSERT INTO notary.party VALUES ('N-A', 1, 'Ahlers'), ('N-Z', 1, 'Zahn');
INSERT INTO notary.help_text VALUES ('print', 'press P');
--- fix
REVOKE notary_archive FROM notary_night_jobs;
