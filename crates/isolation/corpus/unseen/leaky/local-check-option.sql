--: why = "The app reaches leads only through two stacked views; the tenant filter is in the inner view and the outer one has WITH LOCAL CHECK OPTION, which does not enforce the inner filter, so A inserts a lead whose agency is B."
--: class = "view-local-check-option"
--: [isolation]
--: app_role = "lead_app"
--: tenant_column = "agency"
--: tenants = ["5", "6"]
--: context = "SET LOCAL app.agency = '{tenant}'"
--: [[expect]]
--: object = "sales.open_leads"
--: verb = "insert"
--: kind = "leak"
CREATE ROLE lead_app LOGIN;
CREATE SCHEMA sales;
CREATE TYPE sales.stage AS ENUM ('open', 'won', 'lost');
CREATE TABLE sales.agencies (agency int PRIMARY KEY, name text NOT NULL);
CREATE TABLE sales.reps (
  agency int NOT NULL REFERENCES sales.agencies, rep_no int NOT NULL, name text NOT NULL, PRIMARY KEY (agency, rep_no)
);
CREATE TABLE sales.leads (
  agency int NOT NULL, lead uuid NOT NULL DEFAULT gen_random_uuid(), rep_no int NOT NULL, prospect text NOT NULL,
  stage sales.stage NOT NULL DEFAULT 'open', value_eur int CHECK (value_eur >= 0),
  PRIMARY KEY (agency, lead), FOREIGN KEY (agency, rep_no) REFERENCES sales.reps
);
CREATE TABLE sales.calls (
  agency int NOT NULL REFERENCES sales.agencies, call_no int NOT NULL, notes text NOT NULL, PRIMARY KEY (agency, call_no)
);
ALTER TABLE sales.calls ENABLE ROW LEVEL SECURITY;
CREATE POLICY a ON sales.calls USING (agency = current_setting('app.agency')::int);
CREATE VIEW sales.agency_leads WITH (security_barrier) AS
  SELECT * FROM sales.leads WHERE agency = current_setting('app.agency')::int;
CREATE VIEW sales.open_leads WITH (security_barrier) AS
  SELECT agency, lead, rep_no, prospect, stage, value_eur FROM sales.agency_leads WHERE stage = 'open'
  WITH LOCAL CHECK OPTION;
GRANT USAGE ON SCHEMA sales TO lead_app;
GRANT SELECT ON sales.agency_leads TO lead_app;
GRANT SELECT, DELETE, INSERT (agency, rep_no, prospect, value_eur) ON sales.open_leads TO lead_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON sales.calls TO lead_app;
INSERT INTO sales.agencies VALUES (5, 'Five'), (6, 'Six');
INSERT INTO sales.reps VALUES (5, 1, 'Fay'), (6, 1, 'Sid');
INSERT INTO sales.leads (agency, rep_no, prospect, stage, value_eur) VALUES (5, 1, 'P5', 'open', 10), (5, 1, 'P5w', 'won', 11), (6, 1, 'P6', 'open', 60);
INSERT INTO sales.calls VALUES (5, 1, 'x'), (6, 1, 'y');
--- fix
CREATE OR REPLACE VIEW sales.open_leads WITH (security_barrier) AS
  SELECT agency, lead, rep_no, prospect, stage, value_eur FROM sales.agency_leads WHERE stage = 'open'
  WITH CASCADED CHECK OPTION;
