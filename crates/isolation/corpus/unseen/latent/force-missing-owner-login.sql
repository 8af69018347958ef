--: why = "The migration login owns the tables and all but one are FORCEd; that login also runs nightly scripts in a tenant context, and for the contract table it silently sees every tenant."
--: class = "force-missing"
--: [[expect]]
--: object = "leasing.contract"
--: verb = "select"
--: kind = "warning"
CREATE ROLE leasing_migrator LOGIN;
CREATE ROLE leasing_app LOGIN;
CREATE SCHEMA leasing AUTHORIZATION leasing_migrator;
SET ROLE leasing_migrator;
CREATE TYPE leasing.contract_state AS ENUM ('draft', 'signed', 'ended');
CREATE TABLE leasing.lessee (dealer uuid NOT NULL, lessee_no integer NOT NULL, name text NOT NULL, PRIMARY KEY (dealer, lessee_no));
CREATE TABLE leasing.vehicle (dealer uuid NOT NULL, vin char(17) NOT NULL, model text NOT NULL, PRIMARY KEY (dealer, vin));
CREATE TABLE leasing.contract (
  dealer uuid NOT NULL, contract_no integer NOT NULL, lessee_no integer NOT NULL, vin char(17) NOT NULL, state leasing.contract_state NOT NULL DEFAULT 'draft', rate numeric(8, 2) NOT NULL,
  PRIMARY KEY (dealer, contract_no),
  FOREIGN KEY (dealer, lessee_no) REFERENCES leasing.lessee, FOREIGN KEY (dealer, vin) REFERENCES leasing.vehicle
);
ALTER TABLE leasing.lessee ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE leasing.vehicle ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE leasing.contract ENABLE ROW LEVEL SECURITY;
CREATE POLICY dealer ON leasing.lessee USING (dealer = nullif(current_setting('leasing.dealer', true), '')::uuid);
CREATE POLICY dealer ON leasing.vehicle USING (dealer = nullif(current_setting('leasing.dealer', true), '')::uuid);
CREATE POLICY dealer ON leasing.contract USING (dealer = nullif(current_setting('leasing.dealer', true), '')::uuid);
GRANT USAGE ON SCHEMA leasing TO leasing_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA leasing TO leasing_app;
RESET ROLE;
INSERT INTO leasing.lessee VALUES ('0e1b7b0a-0001-4b1c-9f00-00000000000a', 1, 'Anke'), ('0e1b7b0a-0002-4b1c-9f00-00000000000b', 1, 'Zeynep');
INSERT INTO leasing.vehicle VALUES ('0e1b7b0a-0001-4b1c-9f00-00000000000a', 'WVWZZZ1JZ3W386752', 'Golf'), ('0e1b7b0a-0002-4b1c-9f00-00000000000b', 'WDB1240661C123456', 'W124');
INSERT INTO leasing.contract VALUES
  ('0e1b7b0a-0001-4b1c-9f00-00000000000a', 1, 1, 'WVWZZZ1JZ3W386752', 'signed', 199), ('0e1b7b0a-0002-4b1c-9f00-00000000000b', 1, 1, 'WDB1240661C123456', 'signed', 888.88);
--- fix
ALTER TABLE leasing.contract FORCE ROW LEVEL SECURITY;
