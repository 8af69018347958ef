--: why = "The aggregate ar.total_owed(account_no) has a SECURITY DEFINER state function that looks the balance up by account number for any tenant; SELECT ar.total_owed(n) with B's account number returns B's balance."
--: class = "definer-aggregate-state-function"
--: [isolation]
--: app_role = "ar_app"
--: tenant_column = "creditor"
--: tenants = ["amber", "basalt"]
--: context = "SET LOCAL ar.creditor = '{tenant}'"
--: [[expect]]
--: object = "ar.add_balance"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE ar_app LOGIN;
CREATE SCHEMA ar;
CREATE DOMAIN ar.account_no AS int CHECK (VALUE BETWEEN 10000 AND 99999);
CREATE TABLE ar.creditors (creditor text PRIMARY KEY, iban text NOT NULL CHECK (length(iban) > 14));
CREATE TABLE ar.accounts (
  creditor text NOT NULL REFERENCES ar.creditors, account_no ar.account_no NOT NULL, debtor text NOT NULL,
  PRIMARY KEY (creditor, account_no)
);
CREATE TABLE ar.postings (
  creditor text NOT NULL, account_no ar.account_no NOT NULL, posting_no int NOT NULL, amount numeric(10,2) NOT NULL CHECK (amount <> 0),
  PRIMARY KEY (creditor, account_no, posting_no),
  FOREIGN KEY (creditor, account_no) REFERENCES ar.accounts
);
ALTER TABLE ar.accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE ar.postings ENABLE ROW LEVEL SECURITY;
CREATE POLICY c ON ar.accounts USING (creditor = current_setting('ar.creditor'));
CREATE POLICY c ON ar.postings FOR INSERT WITH CHECK (creditor = current_setting('ar.creditor'));
CREATE FUNCTION ar.add_balance(state numeric, acc int) RETURNS numeric
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ar, pg_temp AS $$
  SELECT state + coalesce((SELECT sum(amount) FROM postings p WHERE p.account_no = acc), 0)
$$;
CREATE AGGREGATE ar.total_owed(int) (sfunc = ar.add_balance, stype = numeric, initcond = '0');
REVOKE EXECUTE ON FUNCTION ar.add_balance(numeric, int) FROM PUBLIC;
GRANT USAGE ON SCHEMA ar TO ar_app;
GRANT SELECT, INSERT, UPDATE ON ar.accounts TO ar_app;
GRANT INSERT ON ar.postings TO ar_app;
INSERT INTO ar.creditors VALUES ('amber', 'AT611904300234573201'), ('basalt', 'DE89370400440532013000');
INSERT INTO ar.accounts VALUES ('amber', 10001, 'Ali'), ('basalt', 20002, 'Bea');
INSERT INTO ar.postings VALUES ('amber', 10001, 1, 30), ('basalt', 20002, 1, 7777), ('basalt', 20002, 2, -77);
--- fix
CREATE OR REPLACE FUNCTION ar.add_balance(state numeric, acc int) RETURNS numeric
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ar, pg_temp AS $$
  SELECT state + coalesce((SELECT sum(amount) FROM postings p
    WHERE p.account_no = acc AND p.creditor = current_setting('ar.creditor')), 0)
$$;
