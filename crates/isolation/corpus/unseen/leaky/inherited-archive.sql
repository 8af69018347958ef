--: why = "evt.events_2023 INHERITS evt.events and was granted to the app separately; the parent's row security does not apply when the child is named, so A reads B's archived events."
--: class = "inheritance-child-without-rls"
--: [isolation]
--: app_role = "log_view"
--: tenant_column = "acct"
--: tenants = ["acct_a", "acct_b"]
--: context = "SET LOCAL evt.acct = '{tenant}'"
--: [[expect]]
--: object = "evt.events_2023"
--: verb = "select"
--: kind = "leak"
CREATE ROLE log_view LOGIN;
CREATE SCHEMA evt;
CREATE TYPE evt.severity AS ENUM ('info', 'warn', 'crit');
CREATE TABLE evt.accounts (acct text PRIMARY KEY CHECK (acct LIKE 'acct\_%'), created date NOT NULL);
CREATE TABLE evt.sources (acct text NOT NULL REFERENCES evt.accounts, source text NOT NULL, ip inet, PRIMARY KEY (acct, source));
CREATE TABLE evt.events (
  acct text NOT NULL, event uuid NOT NULL DEFAULT gen_random_uuid(), source text NOT NULL, at timestamptz NOT NULL, sev evt.severity NOT NULL, message text NOT NULL,
  PRIMARY KEY (acct, event), FOREIGN KEY (acct, source) REFERENCES evt.sources
);
CREATE TABLE evt.events_2023 (
  CHECK (at >= '2023-01-01' AND at < '2024-01-01'), PRIMARY KEY (acct, event)
) INHERITS (evt.events);
ALTER TABLE evt.sources ENABLE ROW LEVEL SECURITY;
ALTER TABLE evt.events ENABLE ROW LEVEL SECURITY;
CREATE POLICY a ON evt.sources USING (acct = current_setting('evt.acct'));
CREATE POLICY a ON evt.events USING (acct = current_setting('evt.acct'));
GRANT USAGE ON SCHEMA evt TO log_view;
GRANT SELECT, INSERT ON evt.sources, evt.events TO log_view;
GRANT SELECT ON evt.events_2023 TO log_view;
INSERT INTO evt.accounts VALUES ('acct_a', '2022-01-01'), ('acct_b', '2022-02-02');
INSERT INTO evt.sources VALUES ('acct_a', 'fw', '10.0.0.1'), ('acct_b', 'fw', '10.9.9.9');
INSERT INTO evt.events (acct, source, at, sev, message) VALUES ('acct_a', 'fw', '2024-05-01', 'info', 'up'), ('acct_b', 'fw', '2024-05-02', 'warn', 'hot');
INSERT INTO evt.events_2023 (acct, source, at, sev, message) VALUES ('acct_a', 'fw', '2023-05-01', 'info', 'old up'), ('acct_b', 'fw', '2023-05-02', 'crit', 'breach of b');
--- fix
ALTER TABLE evt.events_2023 ENABLE ROW LEVEL SECURITY;
CREATE POLICY a ON evt.events_2023 USING (acct = current_setting('evt.acct'));
