--: why = "The events table is range partitioned; the app holds rights on the parent and directly on the current partition, which has its own forced policy, while older partitions and the default one carry no grant."
--: class = "partition-policies"
--: [isolation]
--: app_role = "telemetry_rw"
--: tenant_column = "device_owner"
--: tenants = ["700", "800"]
--: context = "SET LOCAL telemetry.owner = '{tenant}'"
CREATE ROLE telemetry_ddl NOLOGIN;
CREATE ROLE telemetry_rw LOGIN;
CREATE SCHEMA telemetry AUTHORIZATION telemetry_ddl;
SET ROLE telemetry_ddl;
CREATE TABLE telemetry.device (
  device_owner integer NOT NULL, serial text NOT NULL, model text NOT NULL, PRIMARY KEY (device_owner, serial)
);
CREATE TABLE telemetry.event (
  device_owner integer NOT NULL, serial text NOT NULL, at timestamptz NOT NULL, reading jsonb NOT NULL CHECK (jsonb_typeof(reading) = 'object'),
  PRIMARY KEY (device_owner, serial, at), FOREIGN KEY (device_owner, serial) REFERENCES telemetry.device
) PARTITION BY RANGE (at);
CREATE TABLE telemetry.event_2023 PARTITION OF telemetry.event FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE telemetry.event_2024 PARTITION OF telemetry.event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE telemetry.event_rest PARTITION OF telemetry.event DEFAULT;
ALTER TABLE telemetry.device ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE telemetry.event ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE telemetry.event_2024 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY o ON telemetry.device USING (device_owner = (SELECT nullif(current_setting('telemetry.owner', true), '')::integer));
CREATE POLICY o ON telemetry.event USING (device_owner = (SELECT nullif(current_setting('telemetry.owner', true), '')::integer));
CREATE POLICY o ON telemetry.event_2024 USING (device_owner = (SELECT nullif(current_setting('telemetry.owner', true), '')::integer));
GRANT USAGE ON SCHEMA telemetry TO telemetry_rw;
GRANT SELECT, INSERT ON telemetry.device, telemetry.event, telemetry.event_2024 TO telemetry_rw;
RESET ROLE;
INSERT INTO telemetry.device VALUES (700, 'd1', 'T100'), (800, 'd1', 'Z900');
INSERT INTO telemetry.event VALUES
  (700, 'd1', '2023-06-01', '{"t": 20}'), (700, 'd1', '2024-06-01', '{"t": 21}'),
  (800, 'd1', '2023-06-01', '{"t": 9023}'), (800, 'd1', '2024-06-01', '{"t": 9024}'), (800, 'd1', '2030-06-01', '{"t": 9030}');
