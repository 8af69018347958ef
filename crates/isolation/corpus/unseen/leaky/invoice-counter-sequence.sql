--: why = "Each tenant has its own invoice sequence for its role, but SELECT on t_birch's sequence was granted to the common group, so tenant role t_ash can read the invoice counter of t_birch (how many invoices it has written)."
--: class = "foreign-sequence-granted"
--: [isolation]
--: app_role = "tenant_gw"
--: tenant_column = "owner_role"
--: tenants = ["t_ash", "t_birch"]
--: context = "SET LOCAL ROLE {tenant}"
--: [[expect]]
--: object = "bill.t_birch_invoice_seq"
--: verb = "select"
--: kind = "leak"
CREATE ROLE tenant_gw LOGIN NOINHERIT;
CREATE ROLE tenants_all NOLOGIN;
CREATE ROLE t_ash NOLOGIN IN ROLE tenants_all;
CREATE ROLE t_birch NOLOGIN IN ROLE tenants_all;
GRANT t_ash, t_birch TO tenant_gw;
CREATE SCHEMA bill;
CREATE SEQUENCE bill.t_ash_invoice_seq START 1;
CREATE SEQUENCE bill.t_birch_invoice_seq START 1;
CREATE TABLE bill.customers (
  owner_role name NOT NULL DEFAULT current_user, cust_no int NOT NULL, name text NOT NULL,
  PRIMARY KEY (owner_role, cust_no)
);
CREATE TABLE bill.invoices (
  owner_role name NOT NULL DEFAULT current_user,
  inv_no bigint NOT NULL,
  cust_no int NOT NULL,
  total numeric(10,2) NOT NULL CHECK (total > 0),
  PRIMARY KEY (owner_role, inv_no),
  FOREIGN KEY (owner_role, cust_no) REFERENCES bill.customers
);
ALTER TABLE bill.customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE bill.invoices ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON bill.customers USING (owner_role = current_user);
CREATE POLICY own ON bill.invoices USING (owner_role = current_user);
GRANT USAGE ON SCHEMA bill TO tenants_all;
GRANT SELECT, INSERT, UPDATE ON bill.customers, bill.invoices TO tenants_all;
GRANT USAGE ON SEQUENCE bill.t_ash_invoice_seq TO t_ash;
GRANT USAGE ON SEQUENCE bill.t_birch_invoice_seq TO t_birch;
GRANT SELECT ON SEQUENCE bill.t_birch_invoice_seq TO tenants_all;
INSERT INTO bill.customers VALUES ('t_ash', 1, 'Ann'), ('t_birch', 1, 'Bob');
INSERT INTO bill.invoices VALUES ('t_ash', nextval('bill.t_ash_invoice_seq'), 1, 10);
INSERT INTO bill.invoices SELECT 't_birch', nextval('bill.t_birch_invoice_seq'), 1, 100 + g FROM generate_series(1, 17) g;
--- fix
REVOKE SELECT ON SEQUENCE bill.t_birch_invoice_seq FROM tenants_all;
