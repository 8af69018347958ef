--: why = "Primary and foreign keys are single random uuids made by the server and not insertable by the app, so existence cannot be guessed; the child policies also demand that the parent is visible, and policies run before foreign keys."
--: class = "random-uuid-keys"
CREATE ROLE parcel_dba NOLOGIN;
CREATE ROLE parcel_web LOGIN;
CREATE SCHEMA shipping AUTHORIZATION parcel_dba;
SET ROLE parcel_dba;
CREATE TABLE shipping.merchants (
  merchant_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL
);
CREATE TABLE shipping.parcels (
  parcel_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  merchant_id uuid NOT NULL REFERENCES shipping.merchants,
  receiver text NOT NULL,
  weight_g integer NOT NULL CHECK (weight_g BETWEEN 1 AND 31500)
);
CREATE TABLE shipping.scans (
  scan_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  parcel_id uuid NOT NULL REFERENCES shipping.parcels ON DELETE CASCADE,
  place text NOT NULL,
  scanned_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE shipping.merchants ENABLE ROW LEVEL SECURITY;
ALTER TABLE shipping.merchants FORCE ROW LEVEL SECURITY;
ALTER TABLE shipping.parcels ENABLE ROW LEVEL SECURITY;
ALTER TABLE shipping.parcels FORCE ROW LEVEL SECURITY;
ALTER TABLE shipping.scans ENABLE ROW LEVEL SECURITY;
ALTER TABLE shipping.scans FORCE ROW LEVEL SECURITY;
CREATE POLICY self ON shipping.merchants FOR SELECT
  USING (merchant_id = nullif(current_setting('ship.merchant', true), '')::uuid);
CREATE POLICY own ON shipping.parcels
  USING (merchant_id = nullif(current_setting('ship.merchant', true), '')::uuid)
  WITH CHECK (merchant_id = nullif(current_setting('ship.merchant', true), '')::uuid);
-- scans have no merchant column: they are visible exactly as their parcel is
CREATE POLICY via_parcel ON shipping.scans
  USING (EXISTS (SELECT 1 FROM shipping.parcels p WHERE p.parcel_id = scans.parcel_id))
  WITH CHECK (EXISTS (SELECT 1 FROM shipping.parcels p WHERE p.parcel_id = scans.parcel_id));
GRANT USAGE ON SCHEMA shipping TO parcel_web;
GRANT SELECT ON ALL TABLES IN SCHEMA shipping TO parcel_web;
GRANT INSERT (merchant_id, receiver, weight_g), UPDATE (receiver, weight_g), DELETE ON shipping.parcels TO parcel_web;
GRANT INSERT (parcel_id, place) ON shipping.scans TO parcel_web;
RESET ROLE;
INSERT INTO shipping.merchants VALUES ('6b1c1a52-1d0e-4b7e-9d2e-0b9b6f4c1a01', 'Kite & Co'), ('e2a7c9d4-5f3b-4c8a-8e61-7a2d9c0b5f02', 'Moth Ltd');
INSERT INTO shipping.parcels VALUES
  ('0c5d1f0a-7a33-4d52-8f0e-3d5a9e6b7c11', '6b1c1a52-1d0e-4b7e-9d2e-0b9b6f4c1a01', 'P. Olm', 900),
  ('d94b7e61-2c88-4f19-a0c3-58e1f7b2d622', 'e2a7c9d4-5f3b-4c8a-8e61-7a2d9c0b5f02', 'Z. Moss', 4100);
INSERT INTO shipping.scans (parcel_id, place) VALUES
  ('0c5d1f0a-7a33-4d52-8f0e-3d5a9e6b7c11', 'Depot 3'), ('d94b7e61-2c88-4f19-a0c3-58e1f7b2d622', 'Depot Zero');
