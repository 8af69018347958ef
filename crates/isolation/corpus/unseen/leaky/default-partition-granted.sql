--: why = "RLS is on met.readings only, not on its partitions; ALTER DEFAULT PRIVILEGES came before the default partition met.readings_rest was made, so the app may read that partition directly, where the readings of utility B lie."
--: class = "default-privileges-open-partition"
--: [isolation]
--: app_role = "meter_web"
--: tenant_column = "utility"
--: tenants = ["aqua", "brenn"]
--: context = "SET LOCAL met.utility = '{tenant}'"
--: [[expect]]
--: object = "met.readings_rest"
--: verb = "select"
--: kind = "leak"
CREATE ROLE meter_web LOGIN;
CREATE SCHEMA met;
CREATE TABLE met.utilities (utility text PRIMARY KEY, license int NOT NULL CHECK (license > 0));
CREATE TABLE met.meters (
  utility text NOT NULL REFERENCES met.utilities, meter_no text NOT NULL, address text NOT NULL, PRIMARY KEY (utility, meter_no)
);
CREATE TABLE met.readings (
  utility text NOT NULL, meter_no text NOT NULL, read_on date NOT NULL, value numeric(12,3) NOT NULL CHECK (value >= 0),
  PRIMARY KEY (utility, meter_no, read_on), FOREIGN KEY (utility, meter_no) REFERENCES met.meters
) PARTITION BY LIST (utility);
CREATE TABLE met.readings_aqua PARTITION OF met.readings FOR VALUES IN ('aqua');
ALTER TABLE met.meters ENABLE ROW LEVEL SECURITY;
ALTER TABLE met.readings ENABLE ROW LEVEL SECURITY;
CREATE POLICY u ON met.meters USING (utility = current_setting('met.utility'));
CREATE POLICY u ON met.readings USING (utility = current_setting('met.utility'));
GRANT USAGE ON SCHEMA met TO meter_web;
GRANT SELECT, INSERT ON met.meters, met.readings TO meter_web;
ALTER DEFAULT PRIVILEGES IN SCHEMA met GRANT SELECT ON TABLES TO meter_web;
CREATE TABLE met.tariffs (tariff text PRIMARY KEY, cents_per_unit numeric(6,2) NOT NULL);
CREATE TABLE met.readings_rest PARTITION OF met.readings DEFAULT;
INSERT INTO met.utilities VALUES ('aqua', 1), ('brenn', 2);
INSERT INTO met.meters VALUES ('aqua', 'M1', 'Weg 1'), ('brenn', 'M1', 'Weg 2');
INSERT INTO met.readings VALUES ('aqua', 'M1', '2024-01-01', 10), ('brenn', 'M1', '2024-01-01', 8888);
INSERT INTO met.tariffs VALUES ('night', 11.5);
--- fix
REVOKE ALL ON met.readings_rest FROM meter_web;
