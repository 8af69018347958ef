--: why = "fleet.trips.driver_name is GENERATED from fleet.driver_label(driver_code), an 'IMMUTABLE' SECURITY DEFINER function that looks the code up over all carriers; A inserts a trip with B's driver code and reads B's driver name in the generated column."
--: class = "generated-column-definer-lookup"
--: [isolation]
--: app_role = "fleet_app"
--: tenant_column = "carrier_id"
--: tenants = ["31", "32"]
--: context = "SET LOCAL fleet.carrier_id = '{tenant}'"
--: [[expect]]
--: object = "fleet.driver_label"
--: verb = "select"
--: kind = "leak"
CREATE ROLE fleet_app LOGIN;
CREATE SCHEMA fleet;
CREATE TABLE fleet.carriers (carrier_id smallint PRIMARY KEY, name text NOT NULL);
CREATE TABLE fleet.drivers (
  carrier_id smallint NOT NULL REFERENCES fleet.carriers, code text NOT NULL CHECK (code ~ '^D[0-9]{3}$'), full_name text NOT NULL,
  PRIMARY KEY (carrier_id, code)
);
CREATE FUNCTION fleet.driver_label(c text) RETURNS text LANGUAGE sql IMMUTABLE SECURITY DEFINER SET search_path = fleet, pg_temp
  AS $$ SELECT d.full_name FROM drivers d WHERE d.code = c LIMIT 1 $$;
CREATE TABLE fleet.trips (
  carrier_id smallint NOT NULL REFERENCES fleet.carriers, trip_no int NOT NULL, driver_code text NOT NULL, km int NOT NULL CHECK (km > 0),
  driver_name text GENERATED ALWAYS AS (fleet.driver_label(driver_code)) STORED,
  PRIMARY KEY (carrier_id, trip_no)
);
CREATE TABLE fleet.fines (
  carrier_id smallint NOT NULL, trip_no int NOT NULL, fine_no int NOT NULL, cents int NOT NULL CHECK (cents > 0),
  PRIMARY KEY (carrier_id, trip_no, fine_no), FOREIGN KEY (carrier_id, trip_no) REFERENCES fleet.trips
);
ALTER TABLE fleet.drivers ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.trips ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.fines ENABLE ROW LEVEL SECURITY;
CREATE POLICY c ON fleet.drivers USING (carrier_id = current_setting('fleet.carrier_id')::smallint);
CREATE POLICY c ON fleet.trips USING (carrier_id = current_setting('fleet.carrier_id')::smallint);
CREATE POLICY c ON fleet.fines USING (carrier_id = current_setting('fleet.carrier_id')::smallint);
GRANT USAGE ON SCHEMA fleet TO fleet_app;
GRANT SELECT, INSERT, UPDATE ON fleet.drivers, fleet.trips, fleet.fines TO fleet_app;
INSERT INTO fleet.carriers VALUES (31, 'Road A'), (32, 'Road B');
INSERT INTO fleet.drivers VALUES (31, 'D001', 'Alice A.'), (32, 'D777', 'Bob Undercover');
INSERT INTO fleet.trips VALUES (31, 1, 'D001', 100), (32, 1, 'D777', 700);
INSERT INTO fleet.fines VALUES (31, 1, 1, 2000), (32, 1, 1, 9000);
--- fix
CREATE OR REPLACE FUNCTION fleet.driver_label(c text) RETURNS text LANGUAGE sql IMMUTABLE SECURITY DEFINER SET search_path = fleet, pg_temp
  AS $$ SELECT d.full_name FROM drivers d WHERE d.code = c AND d.carrier_id = current_setting('fleet.carrier_id', true)::smallint LIMIT 1 $$;
