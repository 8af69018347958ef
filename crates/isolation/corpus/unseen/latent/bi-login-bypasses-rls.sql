--: why = "The app is confined, but a second login for the BI tool carries BYPASSRLS next to its SELECT grants: whoever gets that connection reads all tenants."
--: class = "bypassrls-login"
--: [isolation]
--: app_role = "grove_app"
--: tenant_column = "farm_id"
--: tenants = ["61", "62"]
--: context = "SET LOCAL grove.farm = '{tenant}'"
--: [[expect]]
--: object = "role:grove_bi"
--: verb = "select"
--: kind = "warning"
CREATE ROLE grove_owner NOLOGIN;
CREATE ROLE grove_app LOGIN;
CREATE ROLE grove_bi LOGIN BYPASSRLS;
CREATE SCHEMA grove AUTHORIZATION grove_owner;
SET ROLE grove_owner;
CREATE TABLE grove.orchard (farm_id integer NOT NULL, plot text NOT NULL, trees integer NOT NULL CHECK (trees > 0), PRIMARY KEY (farm_id, plot));
CREATE TABLE grove.harvest (
  farm_id integer NOT NULL, plot text NOT NULL, year smallint NOT NULL, kg numeric(10, 1) NOT NULL, buyer text NOT NULL,
  PRIMARY KEY (farm_id, plot, year, buyer), FOREIGN KEY (farm_id, plot) REFERENCES grove.orchard
);
CREATE TABLE grove.variety (name text PRIMARY KEY);
ALTER TABLE grove.orchard ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE grove.harvest ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY farm ON grove.orchard USING (farm_id = nullif(current_setting('grove.farm', true), '')::integer);
CREATE POLICY farm ON grove.harvest USING (farm_id = nullif(current_setting('grove.farm', true), '')::integer);
GRANT USAGE ON SCHEMA grove TO grove_app, grove_bi;
GRANT SELECT ON ALL TABLES IN SCHEMA grove TO grove_app, grove_bi;
GRANT INSERT, UPDATE, DELETE ON grove.orchard, grove.harvest TO grove_app;
RESET ROLE;
INSERT INTO grove.orchard VALUES (61, 'P1', 40), (62, 'P1', 900);
INSERT INTO grove.harvest VALUES (61, 'P1', 2023, 800, 'Market'), (62, 'P1', 2023, 17000, 'Zest Ltd');
INSERT INTO grove.variety VALUES ('Elstar'), ('Boskoop');
--- fix
ALTER ROLE grove_bi NOBYPASSRLS;
