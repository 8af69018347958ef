--: why = "ledger.remote_entries is a postgres_fdw table that connects back as a role with a read-all policy; the app should only use the filtered view ledger.my_entries but also has SELECT on the foreign table, where RLS of the local caller means nothing."
--: class = "foreign-table-granted"
--: [isolation]
--: app_role = "ledger_app"
--: tenant_column = "book"
--: tenants = ["301", "302"]
--: context = "SET LOCAL ledger.book = '{tenant}'"
--: [[expect]]
--: object = "ledger.remote_entries"
--: verb = "select"
--: kind = "leak"
CREATE ROLE ledger_app LOGIN;
CREATE ROLE ledger_link LOGIN;
CREATE EXTENSION postgres_fdw;
CREATE SCHEMA gl;
CREATE SCHEMA ledger;
CREATE TABLE gl.books (book int PRIMARY KEY, owner text NOT NULL);
CREATE TABLE gl.accounts (book int NOT NULL REFERENCES gl.books, acct int NOT NULL CHECK (acct BETWEEN 1000 AND 9999), label text NOT NULL, PRIMARY KEY (book, acct));
CREATE TABLE gl.entries (
  book int NOT NULL, entry int NOT NULL, acct int NOT NULL, amount numeric(12,2) NOT NULL CHECK (amount <> 0), memo text,
  PRIMARY KEY (book, entry), FOREIGN KEY (book, acct) REFERENCES gl.accounts
);
ALTER TABLE gl.accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE gl.entries ENABLE ROW LEVEL SECURITY;
CREATE POLICY b ON gl.accounts USING (book = current_setting('ledger.book')::int);
CREATE POLICY b ON gl.entries TO ledger_app USING (book = current_setting('ledger.book')::int);
CREATE POLICY link ON gl.entries FOR SELECT TO ledger_link USING (true);
GRANT USAGE ON SCHEMA gl TO ledger_app, ledger_link;
GRANT SELECT, INSERT ON gl.accounts, gl.entries TO ledger_app;
GRANT SELECT ON gl.entries TO ledger_link;
DO $$ BEGIN
  EXECUTE format('CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, port %L, dbname %L)',
    split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database());
END $$;
CREATE USER MAPPING FOR PUBLIC SERVER loop OPTIONS (user 'ledger_link', password_required 'false');
CREATE FOREIGN TABLE ledger.remote_entries (book int NOT NULL, entry int NOT NULL, acct int, amount numeric(12,2), memo text)
  SERVER loop OPTIONS (schema_name 'gl', table_name 'entries');
CREATE VIEW ledger.my_entries WITH (security_barrier) AS
  SELECT * FROM ledger.remote_entries WHERE book = current_setting('ledger.book')::int;
GRANT USAGE ON SCHEMA ledger TO ledger_app;
GRANT SELECT ON ledger.my_entries, ledger.remote_entries TO ledger_app;
INSERT INTO gl.books VALUES (301, 'Ann'), (302, 'Bob');
INSERT INTO gl.accounts VALUES (301, 4000, 'sales'), (302, 4000, 'sales');
INSERT INTO gl.entries VALUES (301, 1, 4000, 10, 'cash'), (302, 1, 4000, 666, 'under the table');
--- fix
REVOKE SELECT ON ledger.remote_entries FROM ledger_app;
