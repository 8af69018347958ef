--: why = "A constraint trigger deferred to commit looks for overlapping duties of the same licence in all airlines and puts the foreign flight into the DETAIL of its error."
--: class = "deferred-trigger-error-detail"
--: [isolation]
--: app_role = "roster_app"
--: tenant_column = "airline"
--: tenants = ["AA", "ZZ"]
--: context = "SET LOCAL roster.airline = '{tenant}'"
--: [[expect]]
--: object = "roster.no_double_duty"
--: verb = "select"
--: kind = "leak"
CREATE ROLE roster_owner NOLOGIN;
CREATE ROLE roster_app LOGIN;
CREATE SCHEMA roster AUTHORIZATION roster_owner;
SET ROLE roster_owner;
CREATE TABLE roster.pilot (airline char(2) NOT NULL, licence text NOT NULL CHECK (licence ~ '^[A-Z]{2}\d{4}$'), name text NOT NULL, PRIMARY KEY (airline, licence));
CREATE TABLE roster.base (airline char(2) NOT NULL, iata char(3) NOT NULL, PRIMARY KEY (airline, iata));
CREATE TABLE roster.duty (
  airline char(2) NOT NULL, duty_no integer NOT NULL, licence text NOT NULL, during tstzrange NOT NULL CHECK (NOT isempty(during)), flight text NOT NULL,
  PRIMARY KEY (airline, duty_no), FOREIGN KEY (airline, licence) REFERENCES roster.pilot
);
CREATE FUNCTION roster.no_double_duty() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE other roster.duty;
BEGIN
  SELECT d.* INTO other FROM roster.duty d
   WHERE d.licence = NEW.licence AND d.during && NEW.during AND (d.airline, d.duty_no) <> (NEW.airline, NEW.duty_no) LIMIT 1;
  IF FOUND THEN
    RAISE exclusion_violation USING MESSAGE = format('licence %s has two duties at once', NEW.licence),
      DETAIL = format('Other duty: flight %s during %s.', other.flight, other.during);
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION roster.no_double_duty() FROM PUBLIC;
CREATE CONSTRAINT TRIGGER no_double_duty AFTER INSERT OR UPDATE ON roster.duty DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION roster.no_double_duty();
ALTER TABLE roster.pilot ENABLE ROW LEVEL SECURITY;
ALTER TABLE roster.base ENABLE ROW LEVEL SECURITY;
ALTER TABLE roster.duty ENABLE ROW LEVEL SECURITY;
CREATE POLICY a ON roster.pilot TO roster_app USING (airline = current_setting('roster.airline', true));
CREATE POLICY a ON roster.base TO roster_app USING (airline = current_setting('roster.airline', true));
CREATE POLICY a ON roster.duty TO roster_app USING (airline = current_setting('roster.airline', true));
GRANT USAGE ON SCHEMA roster TO roster_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA roster TO roster_app;
RESET ROLE;
INSERT INTO roster.pilot VALUES ('AA', 'DE1000', 'Adam'), ('ZZ', 'DE7777', 'Zeno');
INSERT INTO roster.duty VALUES ('AA', 1, 'DE1000', '[2025-01-01 06:00+00,2025-01-01 12:00+00)', 'AA100'), ('ZZ', 1, 'DE7777', '[2025-03-01 06:00+00,2025-03-01 12:00+00)', 'ZZ666 secret charter');
--- fix
CREATE OR REPLACE FUNCTION roster.no_double_duty() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE other roster.duty;
BEGIN
  SELECT d.* INTO other FROM roster.duty d
   WHERE d.airline = NEW.airline AND d.licence = NEW.licence AND d.during && NEW.during AND d.duty_no <> NEW.duty_no LIMIT 1;
  IF FOUND THEN
    RAISE exclusion_violation USING MESSAGE = format('licence %s has two duties at once', NEW.licence),
      DETAIL = format('Other duty: flight %s during %s.', other.flight, other.during);
  END IF;
  RETURN NULL;
END $$;
