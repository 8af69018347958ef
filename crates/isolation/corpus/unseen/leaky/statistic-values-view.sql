--: why = "ops.column_profile shows pg_statistic's most common values and histogram bounds of crm tables to the app role; these are literal column values of all tenants."
--: class = "planner-statistics-exposed"
--: [isolation]
--: app_role = "dba_light"
--: tenant_column = "tenant"
--: tenants = ["east", "west"]
--: context = "SET LOCAL app.tenant = '{tenant}'"
--: [[expect]]
--: object = "ops.column_profile"
--: verb = "select"
--: kind = "leak"
CREATE ROLE dba_light LOGIN;
CREATE SCHEMA cust;
CREATE SCHEMA ops;
CREATE TABLE cust.tenants (tenant text PRIMARY KEY, tier int NOT NULL CHECK (tier IN (1, 2, 3)));
CREATE TABLE cust.clients (
  tenant text NOT NULL REFERENCES cust.tenants, client_no int NOT NULL, name text NOT NULL, iban text NOT NULL CHECK (iban ~ '^[A-Z]{2}[0-9]+$'),
  PRIMARY KEY (tenant, client_no)
);
CREATE TABLE cust.payments (
  tenant text NOT NULL, client_no int NOT NULL, paid_at timestamptz NOT NULL, amount numeric(9,2) NOT NULL,
  PRIMARY KEY (tenant, client_no, paid_at), FOREIGN KEY (tenant, client_no) REFERENCES cust.clients
);
ALTER TABLE cust.clients ENABLE ROW LEVEL SECURITY;
ALTER TABLE cust.payments ENABLE ROW LEVEL SECURITY;
CREATE POLICY t ON cust.clients USING (tenant = current_setting('app.tenant'));
CREATE POLICY t ON cust.payments USING (tenant = current_setting('app.tenant'));
CREATE VIEW ops.column_profile AS
  SELECT c.oid::regclass::text AS rel, a.attname AS col, s.stadistinct,
         s.stavalues1::text AS v1, s.stavalues2::text AS v2
    FROM pg_catalog.pg_statistic s
    JOIN pg_catalog.pg_class c ON c.oid = s.starelid
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = s.staattnum
   WHERE c.relnamespace = 'cust'::regnamespace;
CREATE VIEW ops.table_sizes AS SELECT 'cust'::text AS schema_name, count(*) AS tables FROM pg_catalog.pg_class WHERE relnamespace = 'cust'::regnamespace AND relkind = 'r';
GRANT USAGE ON SCHEMA cust, ops TO dba_light;
GRANT SELECT, INSERT, UPDATE ON cust.clients, cust.payments TO dba_light;
GRANT SELECT ON ops.column_profile, ops.table_sizes TO dba_light;
INSERT INTO cust.tenants VALUES ('east', 1), ('west', 2);
INSERT INTO cust.clients VALUES ('east', 1, 'Emil', 'AT0001'), ('east', 2, 'Eva', 'AT0002'), ('west', 1, 'Walt', 'CH9991'), ('west', 2, 'Wilma', 'CH9992');
INSERT INTO cust.payments VALUES ('east', 1, '2024-01-01', 10), ('west', 1, '2024-01-02', 9000);
ANALYZE cust.clients;
ANALYZE cust.payments;
--- fix
REVOKE SELECT ON ops.column_profile FROM dba_light;
