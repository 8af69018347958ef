--: why = "A tenant is the pair (region, account number): account numbers repeat between regions, and every policy, key and foreign key compares the whole pair; feature flags have vendor defaults that all may read."
--: class = "two-column-tenant"
CREATE ROLE iot_owner NOLOGIN;
CREATE ROLE iot_app LOGIN;
CREATE SCHEMA iot AUTHORIZATION iot_owner;
SET ROLE iot_owner;
CREATE TYPE iot.region AS ENUM ('eu', 'us', 'ap');
CREATE FUNCTION iot.my_region() RETURNS iot.region LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('iot.region', true), '')::iot.region $$;
CREATE FUNCTION iot.my_account() RETURNS integer LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('iot.account', true), '')::integer $$;
CREATE TABLE iot.flag_default (flag text PRIMARY KEY, enabled boolean NOT NULL);
CREATE TABLE iot.flag (
  region iot.region NOT NULL, account integer NOT NULL, flag text NOT NULL REFERENCES iot.flag_default, enabled boolean NOT NULL,
  PRIMARY KEY (region, account, flag)
);
CREATE TABLE iot.rate_limit (
  region iot.region NOT NULL, account integer NOT NULL, minute timestamptz NOT NULL, hits integer NOT NULL DEFAULT 1 CHECK (hits > 0),
  PRIMARY KEY (region, account, minute)
);
CREATE TABLE iot.sensor (region iot.region NOT NULL, account integer NOT NULL, sensor integer NOT NULL, place text NOT NULL, PRIMARY KEY (region, account, sensor));
CREATE TABLE iot.alarm (
  region iot.region NOT NULL, account integer NOT NULL, sensor integer NOT NULL, raised timestamptz NOT NULL, note text,
  PRIMARY KEY (region, account, sensor, raised), FOREIGN KEY (region, account, sensor) REFERENCES iot.sensor ON DELETE CASCADE
);
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY '{flag,rate_limit,sensor,alarm}'::text[] LOOP
    EXECUTE format('ALTER TABLE iot.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY pair ON iot.%I USING ((region, account) = (iot.my_region(), iot.my_account()))', t);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON iot.%I TO iot_app', t);
  END LOOP;
END $$;
CREATE VIEW iot.effective_flag WITH (security_invoker) AS
  SELECT d.flag, coalesce(f.enabled, d.enabled) AS enabled FROM iot.flag_default d LEFT JOIN iot.flag f USING (flag);
GRANT USAGE ON SCHEMA iot TO iot_app;
GRANT SELECT ON iot.flag_default, iot.effective_flag TO iot_app;
RESET ROLE;
INSERT INTO iot.flag_default VALUES ('beta', false), ('csv', true);
INSERT INTO iot.flag VALUES ('us', 5, 'beta', true), ('eu', 5, 'csv', false);
INSERT INTO iot.sensor VALUES ('eu', 5, 1, 'Attic'), ('us', 5, 1, 'Zurich St'), ('eu', 6, 1, 'Zoo');
INSERT INTO iot.alarm VALUES ('us', 5, 1, '2024-01-01', 'zap'), ('eu', 5, 1, '2024-01-01', 'smoke');
