--: why = "tel.calls is opened by number block, and the blocks are tested with closed upper bounds although they are half-open; the call records of the first number of the next block belong to the neighbour carrier B but are visible to A."
--: class = "range-bound-off-by-one"
--: [isolation]
--: app_role = "telco_portal"
--: tenant_column = "carrier"
--: tenants = ["nova", "omni"]
--: context = "SET LOCAL tel.carrier = '{tenant}'"
--: [[expect]]
--: object = "tel.calls"
--: verb = "select"
--: kind = "leak"
CREATE ROLE telco_portal LOGIN;
CREATE SCHEMA tel;
CREATE TABLE tel.carriers (carrier text PRIMARY KEY, mcc_mnc text NOT NULL UNIQUE CHECK (mcc_mnc ~ '^[0-9]{5,6}$'));
CREATE TABLE tel.blocks (
  carrier text NOT NULL REFERENCES tel.carriers,
  from_no bigint NOT NULL,
  to_no bigint NOT NULL,          -- exclusive
  CHECK (from_no < to_no),
  PRIMARY KEY (carrier, from_no)
);
CREATE TABLE tel.subscribers (
  carrier text NOT NULL REFERENCES tel.carriers, msisdn bigint NOT NULL,
  holder text NOT NULL, activated date NOT NULL DEFAULT current_date,
  PRIMARY KEY (carrier, msisdn)
);
CREATE TABLE tel.calls (
  carrier text NOT NULL, msisdn bigint NOT NULL, started timestamptz NOT NULL,
  seconds int NOT NULL CHECK (seconds >= 0), callee text NOT NULL,
  PRIMARY KEY (carrier, msisdn, started),
  FOREIGN KEY (carrier, msisdn) REFERENCES tel.subscribers
);
ALTER TABLE tel.blocks ENABLE ROW LEVEL SECURITY;
ALTER TABLE tel.subscribers ENABLE ROW LEVEL SECURITY;
ALTER TABLE tel.calls ENABLE ROW LEVEL SECURITY;
CREATE POLICY c ON tel.blocks FOR SELECT USING (carrier = current_setting('tel.carrier'));
CREATE POLICY c ON tel.subscribers USING (carrier = current_setting('tel.carrier'));
CREATE POLICY c ON tel.calls FOR SELECT USING (EXISTS (
  SELECT FROM tel.blocks b WHERE b.carrier = current_setting('tel.carrier')
     AND int8range(b.from_no, b.to_no, '[]') @> calls.msisdn));
GRANT USAGE ON SCHEMA tel TO telco_portal;
GRANT SELECT ON tel.blocks, tel.calls TO telco_portal;
GRANT SELECT, INSERT, UPDATE ON tel.subscribers TO telco_portal;
INSERT INTO tel.carriers VALUES ('nova', '23201'), ('omni', '23203');
INSERT INTO tel.blocks VALUES ('nova', 43660000, 43660100), ('omni', 43660100, 43660200);
INSERT INTO tel.subscribers VALUES ('nova', 43660042, 'N. Ova'), ('omni', 43660100, 'Minister O.'), ('omni', 43660150, 'O. Mni');
INSERT INTO tel.calls VALUES ('nova', 43660042, '2024-05-01 10:00+00', 60, '4311'),
  ('omni', 43660100, '2024-05-01 11:00+00', 900, '4319999'), ('omni', 43660150, '2024-05-01 12:00+00', 5, '4312');
--- fix
ALTER POLICY c ON tel.calls USING (EXISTS (
  SELECT FROM tel.blocks b WHERE b.carrier = current_setting('tel.carrier')
     AND int8range(b.from_no, b.to_no, '[)') @> calls.msisdn));
