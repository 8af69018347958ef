--: why = "A foreign table that loops back to the same database logs in as the replication reader, whose policy shows all branches; the app was granted SELECT on it together with the other tables."
--: class = "fdw-loopback"
--: [[expect]]
--: object = "bank.remote_booking"
--: verb = "select"
--: kind = "leak"
CREATE EXTENSION postgres_fdw;
CREATE ROLE bank_owner NOLOGIN;
CREATE ROLE bank_app LOGIN;
CREATE ROLE bank_mirror_reader LOGIN;
CREATE SCHEMA bank AUTHORIZATION bank_owner;
SET ROLE bank_owner;
CREATE TABLE bank.branch (branch_no integer PRIMARY KEY, city text NOT NULL);
CREATE TABLE bank.booking (branch_no integer NOT NULL REFERENCES bank.branch, booking_no integer NOT NULL, iban text NOT NULL CHECK (iban ~ '^[A-Z]{2}\d+$'), cents bigint NOT NULL, PRIMARY KEY (branch_no, booking_no));
CREATE TABLE bank.teller (branch_no integer NOT NULL, teller text NOT NULL, PRIMARY KEY (branch_no, teller));
ALTER TABLE bank.booking ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE bank.teller ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY b ON bank.booking TO bank_app USING (branch_no = nullif(current_setting('bank.branch', true), '')::integer);
CREATE POLICY b ON bank.teller TO bank_app USING (branch_no = nullif(current_setting('bank.branch', true), '')::integer);
CREATE POLICY mirror ON bank.booking FOR SELECT TO bank_mirror_reader USING (true);
RESET ROLE;
DO $$
BEGIN
  EXECUTE format('CREATE SERVER self FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, port %L, dbname %L)',
    split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database());
END $$;
CREATE USER MAPPING FOR bank_app SERVER self OPTIONS (user 'bank_mirror_reader', password_required 'false');
CREATE FOREIGN TABLE bank.remote_booking (branch_no integer NOT NULL, booking_no integer NOT NULL, iban text NOT NULL, cents bigint NOT NULL)
  SERVER self OPTIONS (schema_name 'bank', table_name 'booking', updatable 'false');
GRANT USAGE ON SCHEMA bank TO bank_app, bank_mirror_reader;
GRANT SELECT ON bank.booking TO bank_mirror_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA bank TO bank_app;
GRANT INSERT ON bank.booking TO bank_app;
INSERT INTO bank.branch VALUES (10, 'Aalen'), (20, 'Zwickau');
INSERT INTO bank.booking VALUES (10, 1, 'DE10', 500), (20, 1, 'DE9900', 777000);
INSERT INTO bank.teller VALUES (10, 'Ute'), (20, 'Zora');
--- fix
REVOKE SELECT ON bank.remote_booking FROM bank_app;
