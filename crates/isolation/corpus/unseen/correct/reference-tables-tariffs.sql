--: why = "Tariffs and VAT rates are common reference data without row security: everybody reads them and no application role may write them; only the tenant tables are isolated."
--: class = "shared-reference-data"
CREATE ROLE utility_admin NOLOGIN;
CREATE ROLE utility_app LOGIN;
CREATE SCHEMA ref AUTHORIZATION utility_admin;
CREATE SCHEMA meter AUTHORIZATION utility_admin;
SET ROLE utility_admin;
CREATE TABLE ref.country (iso2 char(2) PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE ref.vat_rate (
  iso2 char(2) NOT NULL REFERENCES ref.country, valid_from date NOT NULL, rate numeric(5, 2) NOT NULL CHECK (rate >= 0),
  PRIMARY KEY (iso2, valid_from)
);
CREATE TABLE ref.tariff (code text PRIMARY KEY, cents_per_kwh numeric(8, 4) NOT NULL);
CREATE TABLE meter.reading (
  supplier text NOT NULL CHECK (supplier ~ '^[a-z]{3,12}$'),
  meter_no text NOT NULL,
  read_on date NOT NULL,
  kwh numeric(12, 3) NOT NULL CHECK (kwh >= 0),
  tariff text NOT NULL REFERENCES ref.tariff,
  iso2 char(2) NOT NULL REFERENCES ref.country,
  PRIMARY KEY (supplier, meter_no, read_on)
);
ALTER TABLE meter.reading ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY supplier_rows ON meter.reading USING (supplier = current_setting('utility.supplier', true));
CREATE VIEW meter.priced WITH (security_invoker = on) AS
  SELECT r.supplier, r.meter_no, r.read_on, round(r.kwh * t.cents_per_kwh / 100, 2) AS amount
  FROM meter.reading r JOIN ref.tariff t ON t.code = r.tariff;
GRANT USAGE ON SCHEMA ref, meter TO utility_app;
GRANT SELECT ON ALL TABLES IN SCHEMA ref TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON meter.reading TO utility_app;
GRANT SELECT ON meter.priced TO utility_app;
RESET ROLE;
INSERT INTO ref.country VALUES ('DE', 'Germany'), ('AT', 'Austria');
INSERT INTO ref.vat_rate VALUES ('DE', '2021-01-01', 19), ('AT', '2016-01-01', 20);
INSERT INTO ref.tariff VALUES ('basic', 31.5), ('night', 24.25);
INSERT INTO meter.reading VALUES ('nordlicht', 'M-1', '2024-03-01', 100, 'basic', 'DE'), ('suedstrom', 'M-1', '2024-03-01', 7777, 'night', 'AT');
