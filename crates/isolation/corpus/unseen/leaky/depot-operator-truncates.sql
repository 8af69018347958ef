--: why = "The policies use a home-made operator that compares depot codes after a cast to varchar(6); the explicit cast truncates silently, so BERLIN equals BERLIN-OST."
--: class = "truncating-comparison"
--: [isolation]
--: app_role = "depot_app"
--: tenant_column = "depot_code"
--: tenants = ["BERLIN", "BERLIN-OST"]
--: context = "SET LOCAL depot.code = '{tenant}'"
--: [[expect]]
--: object = "depot.same_depot"
--: verb = "select"
--: kind = "leak"
CREATE ROLE depot_owner NOLOGIN;
CREATE ROLE depot_app LOGIN;
CREATE SCHEMA depot AUTHORIZATION depot_owner;
SET ROLE depot_owner;
CREATE FUNCTION depot.same_depot(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT upper($1)::varchar(6) = upper($2)::varchar(6) $$;
CREATE OPERATOR depot.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = depot.same_depot, COMMUTATOR = OPERATOR(depot.===));
CREATE TABLE depot.depot (depot_code text PRIMARY KEY CHECK (depot_code = upper(depot_code)), street text NOT NULL);
CREATE TABLE depot.pallet (depot_code text NOT NULL REFERENCES depot.depot, pallet_no integer NOT NULL, goods text NOT NULL, PRIMARY KEY (depot_code, pallet_no));
CREATE TABLE depot.gate_pass (depot_code text NOT NULL REFERENCES depot.depot, plate text NOT NULL, pin char(4) NOT NULL CHECK (pin ~ '^\d{4}$'), PRIMARY KEY (depot_code, plate));
ALTER TABLE depot.depot ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE depot.pallet ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE depot.gate_pass ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY d ON depot.depot USING (depot_code OPERATOR(depot.===) current_setting('depot.code', true));
CREATE POLICY d ON depot.pallet USING (depot_code OPERATOR(depot.===) current_setting('depot.code', true));
CREATE POLICY d ON depot.gate_pass USING (depot_code OPERATOR(depot.===) current_setting('depot.code', true));
GRANT USAGE ON SCHEMA depot TO depot_app;
GRANT SELECT ON depot.depot TO depot_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON depot.pallet, depot.gate_pass TO depot_app;
RESET ROLE;
INSERT INTO depot.depot VALUES ('BERLIN', 'Allee 1'), ('BERLIN-OST', 'Zeile 2'), ('KIEL', 'Kai 3');
INSERT INTO depot.pallet VALUES ('BERLIN', 1, 'apples'), ('BERLIN-OST', 1, 'zinc plates'), ('KIEL', 1, 'fish');
INSERT INTO depot.gate_pass VALUES ('BERLIN', 'B-A 1', '1111'), ('BERLIN-OST', 'B-Z 9', '9876');
--- fix
CREATE OR REPLACE FUNCTION depot.same_depot(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT $1 = $2 $$;
