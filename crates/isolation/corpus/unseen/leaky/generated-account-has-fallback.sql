--: why = "The account column is generated from two places of the JSON, the INSERT policy tests only the second one; a message that names another account in the first place lands in that account's inbox."
--: class = "generated-column-vs-check"
--: [isolation]
--: app_role = "hook_app"
--: tenant_column = "account"
--: tenants = ["acme", "zorg"]
--: context = "SET LOCAL hook.account = '{tenant}'"
--: [[expect]]
--: object = "hook.delivery"
--: verb = "insert"
--: kind = "leak"
CREATE ROLE hook_owner NOLOGIN;
CREATE ROLE hook_app LOGIN;
CREATE SCHEMA hook AUTHORIZATION hook_owner;
SET ROLE hook_owner;
CREATE TABLE hook.endpoint (account text NOT NULL, name text NOT NULL, url text NOT NULL CHECK (url LIKE 'https://%'), PRIMARY KEY (account, name));
CREATE TABLE hook.delivery (
  delivery_id uuid NOT NULL DEFAULT gen_random_uuid(),
  payload jsonb NOT NULL CHECK (jsonb_typeof(payload) = 'object'),
  account text NOT NULL GENERATED ALWAYS AS (coalesce(payload ->> 'account', payload -> 'meta' ->> 'account')) STORED,
  received_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account, delivery_id)
);
CREATE TABLE hook.retry (account text NOT NULL, delivery_id uuid NOT NULL, tries integer NOT NULL CHECK (tries > 0), PRIMARY KEY (account, delivery_id), FOREIGN KEY (account, delivery_id) REFERENCES hook.delivery ON DELETE CASCADE);
ALTER TABLE hook.endpoint ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE hook.delivery ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE hook.retry ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY a ON hook.endpoint USING (account = current_setting('hook.account', true));
CREATE POLICY a ON hook.retry USING (account = current_setting('hook.account', true));
CREATE POLICY a_read ON hook.delivery FOR SELECT USING (account = current_setting('hook.account', true));
CREATE POLICY a_purge ON hook.delivery FOR DELETE USING (account = current_setting('hook.account', true));
CREATE POLICY a_receive ON hook.delivery FOR INSERT WITH CHECK (payload -> 'meta' ->> 'account' = current_setting('hook.account', true));
GRANT USAGE ON SCHEMA hook TO hook_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON hook.endpoint, hook.retry TO hook_app;
GRANT SELECT, DELETE, INSERT (payload) ON hook.delivery TO hook_app;
RESET ROLE;
INSERT INTO hook.endpoint VALUES ('acme', 'crm', 'https://a.example'), ('zorg', 'erp', 'https://z.example');
INSERT INTO hook.delivery (payload) VALUES ('{"meta": {"account": "acme"}, "e": 1}'), ('{"meta": {"account": "zorg"}, "e": 2}');
--- fix
ALTER POLICY a_receive ON hook.delivery WITH CHECK (account = current_setting('hook.account', true));
