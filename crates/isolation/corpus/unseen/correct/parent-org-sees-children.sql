--: why = "A holding may read the books of its own subsidiaries through a closure table that only the vendor maintains; the two tenants under test belong to different holdings and see nothing of each other."
--: class = "org-hierarchy-closure"
--: [isolation]
--: app_role = "holding_app"
--: tenant_column = "org_id"
--: tenants = ["10", "20"]
--: context = "SET LOCAL holding.org = '{tenant}'"
CREATE ROLE holding_owner NOLOGIN;
CREATE ROLE holding_app LOGIN;
CREATE SCHEMA holding AUTHORIZATION holding_owner;
SET ROLE holding_owner;
CREATE TABLE holding.org (org_id bigint PRIMARY KEY, parent_id bigint REFERENCES holding.org, name text NOT NULL, CHECK (org_id <> parent_id));
CREATE TABLE holding.org_closure (
  ancestor bigint NOT NULL REFERENCES holding.org, descendant bigint NOT NULL REFERENCES holding.org, depth integer NOT NULL CHECK (depth >= 0),
  PRIMARY KEY (ancestor, descendant)
);
CREATE TABLE holding.budget (
  org_id bigint NOT NULL REFERENCES holding.org, year integer NOT NULL CHECK (year BETWEEN 2000 AND 2100), amount numeric(14, 2) NOT NULL,
  PRIMARY KEY (org_id, year)
);
CREATE TABLE holding.report (
  org_id bigint NOT NULL REFERENCES holding.org, quarter char(6) NOT NULL CHECK (quarter ~ '^\d{4}Q[1-4]$'), body text NOT NULL,
  PRIMARY KEY (org_id, quarter)
);
CREATE FUNCTION holding.me() RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('holding.org', true), '')::bigint $$;
ALTER TABLE holding.org ENABLE ROW LEVEL SECURITY;
ALTER TABLE holding.org_closure ENABLE ROW LEVEL SECURITY;
ALTER TABLE holding.budget ENABLE ROW LEVEL SECURITY;
ALTER TABLE holding.report ENABLE ROW LEVEL SECURITY;
CREATE POLICY below_me ON holding.org_closure FOR SELECT TO holding_app USING (ancestor = holding.me());
CREATE POLICY below_me ON holding.org FOR SELECT TO holding_app USING (org_id IN (SELECT descendant FROM holding.org_closure WHERE ancestor = holding.me()));
CREATE POLICY below_me ON holding.budget FOR SELECT TO holding_app USING (org_id IN (SELECT descendant FROM holding.org_closure WHERE ancestor = holding.me()));
CREATE POLICY below_me ON holding.report FOR SELECT TO holding_app USING (org_id IN (SELECT descendant FROM holding.org_closure WHERE ancestor = holding.me()));
CREATE POLICY mine_ins ON holding.budget FOR INSERT TO holding_app WITH CHECK (org_id = holding.me());
CREATE POLICY mine_upd ON holding.budget FOR UPDATE TO holding_app USING (org_id = holding.me());
CREATE POLICY mine_ins ON holding.report FOR INSERT TO holding_app WITH CHECK (org_id = holding.me());
GRANT USAGE ON SCHEMA holding TO holding_app;
GRANT SELECT ON ALL TABLES IN SCHEMA holding TO holding_app;
GRANT INSERT, UPDATE ON holding.budget TO holding_app;
GRANT INSERT ON holding.report TO holding_app;
RESET ROLE;
INSERT INTO holding.org VALUES (10, NULL, 'Alp Holding'), (11, 10, 'Alp Foods'), (20, NULL, 'Zenith Holding'), (21, 20, 'Zenith Toys');
INSERT INTO holding.org_closure VALUES (10, 10, 0), (10, 11, 1), (11, 11, 0), (20, 20, 0), (20, 21, 1), (21, 21, 0);
INSERT INTO holding.budget VALUES (10, 2024, 1000), (11, 2024, 300), (20, 2024, 7000), (21, 2024, 7100);
INSERT INTO holding.report VALUES (11, '2024Q1', 'alp q1'), (21, '2024Q1', 'zenith q1');
