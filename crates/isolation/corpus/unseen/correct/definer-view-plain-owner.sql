--: why = "The view runs with the rights of its owner, but the owner is an ordinary role that also owns the FORCEd tables and whose policy reads the same session setting, so the view is as narrow as the table."
--: class = "owner-view-over-forced-table"
--: [isolation]
--: app_role = "fleet_rt"
--: tenant_column = "carrier_id"
--: tenants = ["301", "302"]
--: context = "SET LOCAL fleet.carrier = '{tenant}'"
CREATE ROLE fleet_schema NOLOGIN NOBYPASSRLS;
CREATE ROLE fleet_rt LOGIN;
CREATE SCHEMA fleet AUTHORIZATION fleet_schema;
SET ROLE fleet_schema;
CREATE TABLE fleet.truck (
  carrier_id integer NOT NULL, plate text NOT NULL, payload_kg integer NOT NULL CHECK (payload_kg > 0),
  PRIMARY KEY (carrier_id, plate)
);
CREATE TABLE fleet.trip (
  carrier_id integer NOT NULL, trip_no integer NOT NULL, plate text NOT NULL, origin text NOT NULL, target text NOT NULL, freight_eur numeric(10, 2),
  PRIMARY KEY (carrier_id, trip_no),
  FOREIGN KEY (carrier_id, plate) REFERENCES fleet.truck ON UPDATE CASCADE
);
CREATE TABLE fleet.driver_pay (
  carrier_id integer NOT NULL, trip_no integer NOT NULL, driver text NOT NULL, pay_eur numeric(10, 2) NOT NULL,
  PRIMARY KEY (carrier_id, trip_no, driver),
  FOREIGN KEY (carrier_id, trip_no) REFERENCES fleet.trip ON DELETE CASCADE
);
ALTER TABLE fleet.truck ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE fleet.trip ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE fleet.driver_pay ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY c ON fleet.truck USING (carrier_id = nullif(current_setting('fleet.carrier', true), '')::integer);
CREATE POLICY c ON fleet.trip USING (carrier_id = nullif(current_setting('fleet.carrier', true), '')::integer);
CREATE POLICY c ON fleet.driver_pay USING (carrier_id = nullif(current_setting('fleet.carrier', true), '')::integer);
-- the app may see the margin only, not the single pay
CREATE VIEW fleet.trip_margin AS
  SELECT t.carrier_id, t.trip_no, t.origin, t.target, t.freight_eur - coalesce(sum(p.pay_eur), 0) AS margin
  FROM fleet.trip t LEFT JOIN fleet.driver_pay p USING (carrier_id, trip_no)
  GROUP BY t.carrier_id, t.trip_no;
GRANT USAGE ON SCHEMA fleet TO fleet_rt;
GRANT SELECT, INSERT, UPDATE, DELETE ON fleet.truck, fleet.trip TO fleet_rt;
GRANT INSERT ON fleet.driver_pay TO fleet_rt;
GRANT SELECT ON fleet.trip_margin TO fleet_rt;
RESET ROLE;
INSERT INTO fleet.truck VALUES (301, 'H-AA 1', 12000), (302, 'W-ZZ 9', 18000);
INSERT INTO fleet.trip VALUES (301, 1, 'H-AA 1', 'Hanover', 'Bremen', 700), (302, 1, 'W-ZZ 9', 'Vienna', 'Zagreb', 4444);
INSERT INTO fleet.driver_pay VALUES (301, 1, 'Jo', 200), (302, 1, 'Zoran', 900);
