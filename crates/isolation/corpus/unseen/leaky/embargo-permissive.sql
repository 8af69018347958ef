--: why = "The policy 'embargo' on trial.results was meant to narrow the tenant policy but is PERMISSIVE, so it is ORed with it: every result whose release date has passed is visible to every sponsor, e.g. B's to A."
--: class = "permissive-policy-ored"
--: [isolation]
--: app_role = "study_app"
--: tenant_column = "sponsor_id"
--: tenants = ["81", "82"]
--: context = ["SET LOCAL trial.sponsor = '{tenant}'", "SET LOCAL trial.purpose = 'analysis'"]
--: [[expect]]
--: object = "trial.results"
--: verb = "select"
--: kind = "leak"
CREATE ROLE study_app LOGIN;
CREATE SCHEMA trial;
CREATE TABLE trial.sponsors (sponsor_id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE trial.studies (
  sponsor_id int NOT NULL REFERENCES trial.sponsors, study text NOT NULL CHECK (study ~ '^[A-Z]{3}-[0-9]{2}$'), phase smallint NOT NULL CHECK (phase BETWEEN 1 AND 4),
  PRIMARY KEY (sponsor_id, study)
);
CREATE TABLE trial.subjects (sponsor_id int NOT NULL, study text NOT NULL, subj int NOT NULL, born_year int CHECK (born_year > 1900), PRIMARY KEY (sponsor_id, study, subj),
  FOREIGN KEY (sponsor_id, study) REFERENCES trial.studies);
CREATE TABLE trial.results (
  sponsor_id int NOT NULL, study text NOT NULL, subj int NOT NULL, visit smallint NOT NULL, score numeric(5,2) NOT NULL, release_at timestamptz NOT NULL,
  PRIMARY KEY (sponsor_id, study, subj, visit), FOREIGN KEY (sponsor_id, study, subj) REFERENCES trial.subjects
);
ALTER TABLE trial.studies ENABLE ROW LEVEL SECURITY;
ALTER TABLE trial.subjects ENABLE ROW LEVEL SECURITY;
ALTER TABLE trial.results ENABLE ROW LEVEL SECURITY;
CREATE POLICY s ON trial.studies USING (sponsor_id = current_setting('trial.sponsor')::int);
CREATE POLICY s ON trial.subjects USING (sponsor_id = current_setting('trial.sponsor')::int);
CREATE POLICY s ON trial.results FOR SELECT USING (sponsor_id = current_setting('trial.sponsor')::int);
CREATE POLICY s_add ON trial.results FOR INSERT WITH CHECK (sponsor_id = current_setting('trial.sponsor')::int);
CREATE POLICY embargo ON trial.results FOR SELECT USING (release_at <= now() AND current_setting('trial.purpose', true) = 'analysis');
GRANT USAGE ON SCHEMA trial TO study_app;
GRANT SELECT, INSERT ON trial.studies, trial.subjects, trial.results TO study_app;
INSERT INTO trial.sponsors VALUES (81, 'Acura'), (82, 'Biopha');
INSERT INTO trial.studies VALUES (81, 'ACU-01', 2), (82, 'BIO-01', 3);
INSERT INTO trial.subjects VALUES (81, 'ACU-01', 1, 1970), (82, 'BIO-01', 1, 1980);
INSERT INTO trial.results VALUES (81, 'ACU-01', 1, 1, 50, '2023-01-01'), (82, 'BIO-01', 1, 1, 3.5, '2023-06-01'), (82, 'BIO-01', 1, 2, 4.5, '2099-01-01');
--- fix
DROP POLICY embargo ON trial.results;
CREATE POLICY embargo ON trial.results AS RESTRICTIVE FOR SELECT
  USING (release_at <= now() AND current_setting('trial.purpose', true) = 'analysis');
