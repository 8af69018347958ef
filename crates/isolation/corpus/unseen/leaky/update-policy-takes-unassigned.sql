--: why = "SELECT is limited to the own station, but the UPDATE policy also admits rows in state unassigned of any station; an UPDATE with constants and no WHERE needs no SELECT policy and pulls them over."
--: class = "update-looser-than-select"
--: [isolation]
--: app_role = "dispatch_app"
--: tenant_column = "station"
--: tenants = ["17", "99"]
--: context = "SET LOCAL dispatch.station = '{tenant}'"
--: [[expect]]
--: object = "dispatch.job"
--: verb = "update"
--: kind = "leak"
CREATE ROLE dispatch_owner NOLOGIN;
CREATE ROLE dispatch_app LOGIN;
CREATE SCHEMA dispatch AUTHORIZATION dispatch_owner;
SET ROLE dispatch_owner;
CREATE TYPE dispatch.job_state AS ENUM ('unassigned', 'assigned', 'done');
CREATE TABLE dispatch.vehicle (station smallint NOT NULL, call_sign text NOT NULL, PRIMARY KEY (station, call_sign));
CREATE TABLE dispatch.job (
  station smallint NOT NULL, job_id uuid NOT NULL DEFAULT gen_random_uuid(), state dispatch.job_state NOT NULL DEFAULT 'unassigned', address text NOT NULL, call_sign text,
  PRIMARY KEY (station, job_id), FOREIGN KEY (station, call_sign) REFERENCES dispatch.vehicle,
  CHECK (state = 'unassigned' OR call_sign IS NOT NULL)
);
CREATE TABLE dispatch.log (station smallint NOT NULL, at timestamptz NOT NULL DEFAULT now(), line text NOT NULL);
ALTER TABLE dispatch.vehicle ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE dispatch.job ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE dispatch.log ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE FUNCTION dispatch.me() RETURNS smallint LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('dispatch.station', true), '')::smallint $$;
CREATE POLICY v ON dispatch.vehicle USING (station = dispatch.me());
CREATE POLICY l ON dispatch.log USING (station = dispatch.me());
CREATE POLICY job_read ON dispatch.job FOR SELECT USING (station = dispatch.me());
CREATE POLICY job_new ON dispatch.job FOR INSERT WITH CHECK (station = dispatch.me());
CREATE POLICY job_take ON dispatch.job FOR UPDATE USING (station = dispatch.me() OR state = 'unassigned') WITH CHECK (station = dispatch.me());
GRANT USAGE ON SCHEMA dispatch TO dispatch_app;
GRANT SELECT ON ALL TABLES IN SCHEMA dispatch TO dispatch_app;
GRANT INSERT, UPDATE ON dispatch.job TO dispatch_app;
GRANT INSERT ON dispatch.log TO dispatch_app;
RESET ROLE;
INSERT INTO dispatch.vehicle VALUES (17, 'A1'), (99, 'Z1');
INSERT INTO dispatch.job (station, state, address, call_sign) VALUES (17, 'assigned', 'Acorn Rd 1', 'A1'), (99, 'assigned', 'Zoo Lane 2', 'Z1'), (99, 'unassigned', 'Zinnia Sq 3', NULL);
--- fix
ALTER POLICY job_take ON dispatch.job USING (station = dispatch.me());
