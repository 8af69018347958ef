--: why = "The facade view filters by lodge but is no security_barrier: a cheap function of the attacker in pg_temp is evaluated before the filter and prints the foreign rows."
--: class = "leaky-function-pushdown"
--: [isolation]
--: app_role = "lodge_app"
--: tenant_column = "lodge"
--: tenants = ["1001", "2002"]
--: context = "SET LOCAL lodge.id = '{tenant}'"
--: [[expect]]
--: object = "lodge.guest"
--: verb = "select"
--: kind = "leak"
CREATE ROLE lodge_data NOLOGIN;
CREATE ROLE lodge_app LOGIN;
CREATE SCHEMA lodge_base AUTHORIZATION lodge_data;
CREATE SCHEMA lodge AUTHORIZATION lodge_data;
SET ROLE lodge_data;
CREATE TABLE lodge_base.guest (lodge integer NOT NULL DEFAULT nullif(current_setting('lodge.id', true), '')::integer, guest_no integer NOT NULL, name text NOT NULL, passport text NOT NULL, PRIMARY KEY (lodge, guest_no));
CREATE TABLE lodge_base.stay (
  lodge integer NOT NULL DEFAULT nullif(current_setting('lodge.id', true), '')::integer, guest_no integer NOT NULL, arrival date NOT NULL, nights smallint NOT NULL CHECK (nights > 0),
  PRIMARY KEY (lodge, guest_no, arrival), FOREIGN KEY (lodge, guest_no) REFERENCES lodge_base.guest
);
CREATE TABLE lodge_base.tax (year smallint PRIMARY KEY, per_night numeric(5, 2) NOT NULL);
CREATE VIEW lodge.guest AS
  SELECT g.guest_no, g.name, g.passport, g.lodge FROM lodge_base.guest g WHERE g.lodge = nullif(current_setting('lodge.id', true), '')::integer;
CREATE VIEW lodge.stay WITH (security_barrier) AS
  SELECT s.* FROM lodge_base.stay s WHERE s.lodge = nullif(current_setting('lodge.id', true), '')::integer;
CREATE VIEW lodge.tax AS SELECT * FROM lodge_base.tax;
GRANT USAGE ON SCHEMA lodge TO lodge_app;
GRANT SELECT ON lodge.guest, lodge.stay, lodge.tax TO lodge_app;
GRANT INSERT (guest_no, name, passport) ON lodge.guest TO lodge_app;
GRANT INSERT (guest_no, arrival, nights) ON lodge.stay TO lodge_app;
RESET ROLE;
INSERT INTO lodge_base.guest VALUES (1001, 1, 'Arvid', 'PA111'), (2002, 1, 'Zsolt', 'PZ999');
INSERT INTO lodge_base.stay VALUES (1001, 1, '2024-01-01', 2), (2002, 1, '2024-01-01', 9);
INSERT INTO lodge_base.tax VALUES (2024, 2.5);
--- fix
ALTER VIEW lodge.guest SET (security_barrier = true);
