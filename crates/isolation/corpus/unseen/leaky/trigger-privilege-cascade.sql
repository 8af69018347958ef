--: why = "The app role holds TRIGGER on inv.lines; A attaches its own trigger function (pg_temp) and deletes one of its invoices: the ON DELETE CASCADE runs as the table owner, so the trigger body runs with the owner's rights and reads or changes B's rows past RLS."
--: class = "trigger-privilege-runs-as-owner"
--: [[expect]]
--: object = "inv.lines"
--: verb = "select"
--: kind = "leak"
CREATE ROLE billing_web LOGIN;
CREATE SCHEMA inv;
CREATE TYPE inv.unit AS ENUM ('pc', 'h', 'kg');
CREATE TABLE inv.issuers (issuer int PRIMARY KEY, vat_id text NOT NULL CHECK (vat_id ~ '^[A-Z]{2}'));
CREATE TABLE inv.invoices (
  issuer int NOT NULL REFERENCES inv.issuers, inv_no text NOT NULL, debtor text NOT NULL, issued date NOT NULL DEFAULT current_date,
  PRIMARY KEY (issuer, inv_no)
);
CREATE TABLE inv.lines (
  issuer int NOT NULL, inv_no text NOT NULL, pos int NOT NULL CHECK (pos > 0), text text NOT NULL, qty numeric NOT NULL DEFAULT 1, unit inv.unit NOT NULL DEFAULT 'pc',
  PRIMARY KEY (issuer, inv_no, pos),
  FOREIGN KEY (issuer, inv_no) REFERENCES inv.invoices ON DELETE CASCADE
);
CREATE TABLE inv.payments (
  issuer int NOT NULL, inv_no text NOT NULL, paid_on date NOT NULL, amount numeric(10,2) NOT NULL,
  PRIMARY KEY (issuer, inv_no, paid_on), FOREIGN KEY (issuer, inv_no) REFERENCES inv.invoices ON DELETE CASCADE
);
ALTER TABLE inv.invoices ENABLE ROW LEVEL SECURITY;
ALTER TABLE inv.lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE inv.payments ENABLE ROW LEVEL SECURITY;
CREATE POLICY i ON inv.invoices USING (issuer = current_setting('inv.issuer')::int);
CREATE POLICY i ON inv.lines USING (issuer = current_setting('inv.issuer')::int);
CREATE POLICY i ON inv.payments USING (issuer = current_setting('inv.issuer')::int);
GRANT USAGE ON SCHEMA inv TO billing_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON inv.invoices, inv.payments TO billing_web;
GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER ON inv.lines TO billing_web;
-- every transaction: SET LOCAL inv.issuer = '<issuer>'
INSERT INTO inv.issuers VALUES (1, 'ATU1'), (2, 'DE2');
INSERT INTO inv.invoices VALUES (1, 'R1', 'Ann'), (1, 'R2', 'Ann'), (2, 'R1', 'Bob & Sons');
INSERT INTO inv.lines VALUES (1, 'R1', 1, 'nails'), (1, 'R2', 1, 'wood'), (2, 'R1', 1, 'gold bars');
INSERT INTO inv.payments VALUES (1, 'R1', '2024-01-01', 10), (2, 'R1', '2024-01-01', 99999);
--- fix
REVOKE TRIGGER ON inv.lines FROM billing_web;
