--: why = "The data-quality helper returns most common values and histogram bounds from pg_stats for any column with the superuser's rights; planner statistics are over all tenants."
--: class = "statistics-disclosure"
--: [isolation]
--: app_role = "survey_app"
--: tenant_column = "institute"
--: tenants = ["inst_a", "inst_z"]
--: context = "SET LOCAL survey.institute = '{tenant}'"
--: [[expect]]
--: object = "survey.column_profile"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE survey_owner NOLOGIN;
CREATE ROLE survey_app LOGIN;
CREATE SCHEMA survey AUTHORIZATION survey_owner;
SET ROLE survey_owner;
CREATE TABLE survey.form (institute text NOT NULL, form_no integer NOT NULL, title text NOT NULL, PRIMARY KEY (institute, form_no));
CREATE TABLE survey.answer (institute text NOT NULL, form_no integer NOT NULL, answer_no integer NOT NULL, employer text NOT NULL, income integer CHECK (income >= 0), PRIMARY KEY (institute, form_no, answer_no), FOREIGN KEY (institute, form_no) REFERENCES survey.form);
CREATE TABLE survey.interviewer (institute text NOT NULL, badge integer NOT NULL, name text NOT NULL, PRIMARY KEY (institute, badge));
ALTER TABLE survey.form ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE survey.answer ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE survey.interviewer ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY i ON survey.form USING (institute = current_setting('survey.institute', true));
CREATE POLICY i ON survey.answer USING (institute = current_setting('survey.institute', true));
CREATE POLICY i ON survey.interviewer USING (institute = current_setting('survey.institute', true));
GRANT USAGE ON SCHEMA survey TO survey_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA survey TO survey_app;
RESET ROLE;
CREATE FUNCTION survey.column_profile(p_table text, p_column text) RETURNS TABLE (null_frac real, n_distinct real, common text, bounds text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.null_frac, s.n_distinct, s.most_common_vals::text, s.histogram_bounds::text FROM pg_stats s
   WHERE s.schemaname = 'survey' AND s.tablename = p_table AND s.attname = p_column $$;
REVOKE ALL ON FUNCTION survey.column_profile(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION survey.column_profile(text, text) TO survey_app;
INSERT INTO survey.form VALUES ('inst_a', 1, 'Commuting'), ('inst_z', 1, 'Whistleblowers');
INSERT INTO survey.answer SELECT 'inst_a', 1, n, 'Bakery', 2000 + n FROM generate_series(1, 5) n;
INSERT INTO survey.answer SELECT 'inst_z', 1, n, 'Zenith Chemicals', 9000 + n FROM generate_series(1, 5) n;
ANALYZE survey.form, survey.answer;
--- fix
REVOKE EXECUTE ON FUNCTION survey.column_profile(text, text) FROM survey_app;
