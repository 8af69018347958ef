--: why = "acc.invoice_lines.org_id is NULL for lines loaded by the importer, and the policy COALESCEs a NULL org to the current one instead of asking the invoice; A reads the imported lines of B's invoices."
--: class = "coalesce-null-tenant"
--: [[expect]]
--: object = "acc.invoice_lines"
--: verb = "select"
--: kind = "leak"
CREATE ROLE books_web LOGIN;
CREATE SCHEMA acc;
CREATE TYPE acc.vat_class AS ENUM ('full', 'reduced', 'none');
CREATE FUNCTION acc.org() RETURNS uuid LANGUAGE sql STABLE
  AS $$ SELECT (current_setting('request.jwt.claims')::jsonb ->> 'org')::uuid $$;
CREATE TABLE acc.orgs (org_id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE acc.invoices (
  org_id uuid NOT NULL REFERENCES acc.orgs,
  invoice_id uuid NOT NULL PRIMARY KEY,
  number text NOT NULL, issued date NOT NULL,
  UNIQUE (org_id, number)
);
CREATE TABLE acc.invoice_lines (
  invoice_id uuid NOT NULL REFERENCES acc.invoices,
  line_no int NOT NULL CHECK (line_no > 0),
  org_id uuid REFERENCES acc.orgs,
  description text NOT NULL,
  net numeric(12,2) NOT NULL,
  vat acc.vat_class NOT NULL DEFAULT 'full',
  PRIMARY KEY (invoice_id, line_no)
);
CREATE TABLE acc.reminders (
  org_id uuid NOT NULL REFERENCES acc.orgs, reminder_no int NOT NULL, text text NOT NULL,
  PRIMARY KEY (org_id, reminder_no)
);
ALTER TABLE acc.invoices ENABLE ROW LEVEL SECURITY;
ALTER TABLE acc.invoice_lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE acc.reminders ENABLE ROW LEVEL SECURITY;
CREATE POLICY o ON acc.invoices FOR SELECT USING (org_id = acc.org());
CREATE POLICY o ON acc.invoice_lines FOR SELECT USING (coalesce(org_id, acc.org()) = acc.org());
CREATE POLICY o ON acc.reminders USING (org_id = acc.org());
GRANT USAGE ON SCHEMA acc TO books_web;
GRANT SELECT ON acc.invoices, acc.invoice_lines TO books_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON acc.reminders TO books_web;
INSERT INTO acc.orgs VALUES ('a0000000-0000-4000-8000-000000000001', 'Arc'), ('b0000000-0000-4000-8000-000000000002', 'Bow');
INSERT INTO acc.invoices VALUES
  ('a0000000-0000-4000-8000-000000000001', 'a1000000-0000-4000-8000-000000000001', '2024-1', '2024-01-02'),
  ('b0000000-0000-4000-8000-000000000002', 'b1000000-0000-4000-8000-000000000001', '2024-1', '2024-01-03');
INSERT INTO acc.invoice_lines VALUES
  ('a1000000-0000-4000-8000-000000000001', 1, 'a0000000-0000-4000-8000-000000000001', 'typed in', 100, 'full'),
  ('a1000000-0000-4000-8000-000000000001', 2, NULL, 'imported for Arc', 20, 'none'),
  ('b1000000-0000-4000-8000-000000000001', 1, 'b0000000-0000-4000-8000-000000000002', 'typed in', 900, 'full'),
  ('b1000000-0000-4000-8000-000000000001', 2, NULL, 'imported for Bow: bribe', 5000, 'none');
INSERT INTO acc.reminders VALUES ('a0000000-0000-4000-8000-000000000001', 1, 'pls pay'), ('b0000000-0000-4000-8000-000000000002', 1, 'pay now');
--- fix
ALTER POLICY o ON acc.invoice_lines USING (EXISTS (
  SELECT FROM acc.invoices i WHERE i.invoice_id = invoice_lines.invoice_id AND i.org_id = acc.org()));
