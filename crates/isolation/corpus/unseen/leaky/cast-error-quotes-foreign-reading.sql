--: why = "The consumption function casts the last raw value of any meter to numeric before it asks whether the meter is the caller's; a non-numeric foreign value appears in the error text."
--: class = "error-text-before-check"
--: [[expect]]
--: object = "metering.last_value"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE metering_owner NOLOGIN;
CREATE ROLE metering_app LOGIN;
CREATE SCHEMA metering AUTHORIZATION metering_owner;
SET ROLE metering_owner;
CREATE TABLE metering.meter (utility uuid NOT NULL, serial text NOT NULL CHECK (serial ~ '^M\d{6}$'), street text NOT NULL, PRIMARY KEY (utility, serial));
CREATE TABLE metering.reading (
  utility uuid NOT NULL, serial text NOT NULL, read_at timestamptz NOT NULL, raw text NOT NULL, PRIMARY KEY (utility, serial, read_at), FOREIGN KEY (utility, serial) REFERENCES metering.meter
);
CREATE TABLE metering.tariff (code text PRIMARY KEY, cents numeric(7, 3) NOT NULL);
ALTER TABLE metering.meter ENABLE ROW LEVEL SECURITY;
ALTER TABLE metering.reading ENABLE ROW LEVEL SECURITY;
CREATE POLICY u ON metering.meter TO metering_app USING (utility = nullif(current_setting('metering.utility', true), '')::uuid);
CREATE FUNCTION metering.last_value(p_serial text) RETURNS numeric LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE v numeric; own boolean;
BEGIN
  SELECT r.raw, r.utility = nullif(current_setting('metering.utility', true), '')::uuid INTO v, own
    FROM metering.reading r WHERE r.serial = p_serial ORDER BY r.read_at DESC LIMIT 1;
  IF own IS NOT TRUE THEN RAISE EXCEPTION 'no reading of meter %', p_serial; END IF;
  RETURN v;
END $$;
REVOKE ALL ON FUNCTION metering.last_value(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION metering.last_value(text) TO metering_app;
GRANT USAGE ON SCHEMA metering TO metering_app;
GRANT SELECT ON metering.meter, metering.tariff TO metering_app;
RESET ROLE;
INSERT INTO metering.meter VALUES ('0a000000-0000-4000-8000-0000000000a1', 'M100001', 'Alley 1'), ('0b000000-0000-4000-8000-0000000000b2', 'M900001', 'Zoo 1'), ('0b000000-0000-4000-8000-0000000000b2', 'M900002', 'Zoo 2');
INSERT INTO metering.reading VALUES
  ('0a000000-0000-4000-8000-0000000000a1', 'M100001', '2024-01-01', '1234.5'), ('0b000000-0000-4000-8000-0000000000b2', 'M900001', '2024-01-01', '777'),
  ('0b000000-0000-4000-8000-0000000000b2', 'M900002', '2024-01-01', 'seal broken, police informed');
INSERT INTO metering.tariff VALUES ('basic', 30.5);
--- fix
CREATE OR REPLACE FUNCTION metering.last_value(p_serial text) RETURNS numeric LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE v numeric;
BEGIN
  SELECT r.raw INTO v
    FROM metering.reading r WHERE r.utility = nullif(current_setting('metering.utility', true), '')::uuid AND r.serial = p_serial ORDER BY r.read_at DESC LIMIT 1;
  IF NOT FOUND THEN RAISE EXCEPTION 'no reading of meter %', p_serial; END IF;
  RETURN v;
END $$;
