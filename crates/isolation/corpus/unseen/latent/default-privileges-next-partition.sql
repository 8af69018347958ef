--: why = "Today's partitions carry no direct grant, but default privileges of the schema owner give the app SELECT on every future table, so next year's partition will be readable directly and without row security."
--: class = "default-privileges-future-partition"
--: [isolation]
--: app_role = "ride_app"
--: tenant_column = "operator"
--: tenants = ["op_amber", "op_zorro"]
--: context = "SET LOCAL ride.operator = '{tenant}'"
--: [[expect]]
--: object = "ride.trip"
--: verb = "select"
--: kind = "warning"
CREATE ROLE ride_owner NOLOGIN;
CREATE ROLE ride_app LOGIN;
CREATE SCHEMA ride AUTHORIZATION ride_owner;
SET ROLE ride_owner;
CREATE TABLE ride.bike (operator text NOT NULL, bike_no integer NOT NULL, model text NOT NULL, PRIMARY KEY (operator, bike_no));
CREATE TABLE ride.trip (
  operator text NOT NULL, trip_id uuid NOT NULL DEFAULT gen_random_uuid(), started date NOT NULL, bike_no integer NOT NULL, rider text NOT NULL,
  PRIMARY KEY (operator, trip_id, started), FOREIGN KEY (operator, bike_no) REFERENCES ride.bike
) PARTITION BY RANGE (started);
CREATE TABLE ride.trip_2024 PARTITION OF ride.trip FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
ALTER TABLE ride.bike ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE ride.trip ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY op ON ride.bike USING (operator = current_setting('ride.operator', true));
CREATE POLICY op ON ride.trip USING (operator = current_setting('ride.operator', true));
GRANT USAGE ON SCHEMA ride TO ride_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ride.bike, ride.trip TO ride_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA ride GRANT SELECT ON TABLES TO ride_app;
RESET ROLE;
INSERT INTO ride.bike VALUES ('op_amber', 1, 'city'), ('op_zorro', 1, 'cargo');
INSERT INTO ride.trip (operator, started, bike_no, rider) VALUES ('op_amber', '2024-03-03', 1, 'Ana'), ('op_zorro', '2024-03-03', 1, 'Zsa Zsa');
--- fix
ALTER DEFAULT PRIVILEGES FOR ROLE ride_owner IN SCHEMA ride REVOKE SELECT ON TABLES FROM ride_app;
