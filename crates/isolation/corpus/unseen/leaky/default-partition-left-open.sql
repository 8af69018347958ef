--: why = "All named partitions have row security against direct access, the default partition was forgotten in the loop and GRANT ON ALL TABLES reaches it; the second tenant's region lands there."
--: class = "default-partition-unprotected"
--: [[expect]]
--: object = "freight.consignment_other"
--: verb = "select"
--: kind = "leak"
CREATE ROLE freight_owner NOLOGIN;
CREATE ROLE freight_app LOGIN;
CREATE SCHEMA freight AUTHORIZATION freight_owner;
SET ROLE freight_owner;
CREATE TABLE freight.forwarder (forwarder uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE freight.consignment (
  forwarder uuid NOT NULL REFERENCES freight.forwarder, region text NOT NULL CHECK (region ~ '^[a-z]{2}$'), cons_no integer NOT NULL, content text NOT NULL, PRIMARY KEY (forwarder, region, cons_no)
) PARTITION BY LIST (region);
CREATE TABLE freight.consignment_eu PARTITION OF freight.consignment FOR VALUES IN ('de', 'at', 'fr');
CREATE TABLE freight.consignment_na PARTITION OF freight.consignment FOR VALUES IN ('us', 'ca');
CREATE TABLE freight.consignment_other PARTITION OF freight.consignment DEFAULT;
CREATE TABLE freight.customs_note (forwarder uuid NOT NULL, region text NOT NULL, cons_no integer NOT NULL, note text, PRIMARY KEY (forwarder, region, cons_no), FOREIGN KEY (forwarder, region, cons_no) REFERENCES freight.consignment);
DO $$
DECLARE t regclass;
BEGIN
  FOREACH t IN ARRAY '{freight.forwarder,freight.consignment,freight.consignment_eu,freight.consignment_na,freight.customs_note}'::regclass[] LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY f ON %s USING (forwarder = nullif(current_setting(''freight.forwarder'', true), '''')::uuid)', t);
  END LOOP;
END $$;
GRANT USAGE ON SCHEMA freight TO freight_app;
GRANT SELECT ON ALL TABLES IN SCHEMA freight TO freight_app;
GRANT INSERT, UPDATE, DELETE ON freight.consignment, freight.customs_note TO freight_app;
RESET ROLE;
INSERT INTO freight.forwarder VALUES ('f0000000-0000-4000-8000-00000000000a', 'Adler'), ('f0000000-0000-4000-8000-00000000000b', 'Zenit');
INSERT INTO freight.consignment VALUES ('f0000000-0000-4000-8000-00000000000a', 'de', 1, 'tiles'), ('f0000000-0000-4000-8000-00000000000b', 'de', 1, 'zips'), ('f0000000-0000-4000-8000-00000000000b', 'jp', 2, 'zirconium');
--- fix
ALTER TABLE freight.consignment_other ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
