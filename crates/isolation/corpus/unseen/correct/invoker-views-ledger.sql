--: why = "A view on a view on protected tables, all with security_invoker, so the row policies are those of the caller; the upper one aggregates and looks like a cross-tenant report but is not."
--: class = "security-invoker-views"
CREATE ROLE books_ddl NOLOGIN;
CREATE ROLE books_svc LOGIN;
CREATE SCHEMA books;
GRANT CREATE, USAGE ON SCHEMA books TO books_ddl;
SET ROLE books_ddl;
CREATE DOMAIN books.company_code AS varchar(4) CHECK (VALUE ~ '^[A-Z0-9]{4}$');
CREATE TABLE books.account (
  bukrs books.company_code NOT NULL, konto char(6) NOT NULL, name text NOT NULL, side char(1) NOT NULL CHECK (side IN ('D', 'C')),
  PRIMARY KEY (bukrs, konto)
);
CREATE TABLE books.journal (
  bukrs books.company_code NOT NULL, doc_no bigint NOT NULL, posted date NOT NULL, memo text,
  PRIMARY KEY (bukrs, doc_no)
);
CREATE TABLE books.line (
  bukrs books.company_code NOT NULL, doc_no bigint NOT NULL, pos smallint NOT NULL, konto char(6) NOT NULL, amount numeric(14, 2) NOT NULL,
  PRIMARY KEY (bukrs, doc_no, pos),
  FOREIGN KEY (bukrs, doc_no) REFERENCES books.journal ON DELETE CASCADE,
  FOREIGN KEY (bukrs, konto) REFERENCES books.account
);
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['account', 'journal', 'line'] LOOP
    EXECUTE format('ALTER TABLE books.%I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE books.%I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY company ON books.%I USING (bukrs = current_setting(''books.bukrs'', true)) WITH CHECK (bukrs = current_setting(''books.bukrs'', true))', t);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON books.%I TO books_svc', t);
  END LOOP;
END $$;
CREATE VIEW books.v_line WITH (security_invoker = true) AS
  SELECT l.*, j.posted, j.memo, a.name, a.side FROM books.line l JOIN books.journal j USING (bukrs, doc_no) JOIN books.account a USING (bukrs, konto);
CREATE VIEW books.v_group_balance WITH (security_invoker = true) AS
  SELECT konto, name, sum(CASE side WHEN 'D' THEN amount ELSE -amount END) AS balance, count(DISTINCT bukrs) AS companies
  FROM books.v_line GROUP BY konto, name;
GRANT SELECT ON books.v_line, books.v_group_balance TO books_svc;
RESET ROLE;
GRANT USAGE ON SCHEMA books TO books_svc;
INSERT INTO books.account VALUES ('AB01', '100000', 'Bank', 'D'), ('ZX02', '100000', 'Bank', 'D');
INSERT INTO books.journal VALUES ('AB01', 1, '2024-01-02', 'rent'), ('ZX02', 1, '2024-01-02', 'zx wages');
INSERT INTO books.line VALUES ('AB01', 1, 1, '100000', 50), ('ZX02', 1, 1, '100000', 8800);
