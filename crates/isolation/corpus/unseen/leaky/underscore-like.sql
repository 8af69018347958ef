--: why = "The policy of crm.contacts compares with LIKE; the tenant slug 'red_fox' is used as a pattern, and its underscore matches any character, so tenant red_fox also sees the contacts of tenant redxfox."
--: class = "like-wildcard-in-tenant-id"
--: [isolation]
--: app_role = "crm_app"
--: tenant_column = "workspace"
--: tenants = ["red_fox", "redxfox"]
--: context = "SET LOCAL app.workspace = '{tenant}'"
--: [[expect]]
--: object = "crm.contacts"
--: verb = "select"
--: kind = "leak"
CREATE ROLE crm_app LOGIN;
CREATE SCHEMA crm;
CREATE DOMAIN crm.slug AS text CHECK (VALUE ~ '^[a-z][a-z0-9_]{2,30}$');
CREATE TABLE crm.workspaces (workspace crm.slug PRIMARY KEY, plan text NOT NULL DEFAULT 'free' CHECK (plan IN ('free', 'pro')));
CREATE TABLE crm.companies (
  workspace crm.slug NOT NULL REFERENCES crm.workspaces,
  company_no int NOT NULL, name text NOT NULL, website text CHECK (website LIKE 'https://%'),
  PRIMARY KEY (workspace, company_no)
);
CREATE TABLE crm.contacts (
  workspace crm.slug NOT NULL,
  contact_no int NOT NULL,
  company_no int,
  name text NOT NULL,
  mobile text,
  tags text[] NOT NULL DEFAULT '{}',
  PRIMARY KEY (workspace, contact_no),
  FOREIGN KEY (workspace, company_no) REFERENCES crm.companies
);
CREATE TABLE crm.activities (
  workspace crm.slug NOT NULL, activity_no int NOT NULL, contact_no int NOT NULL,
  happened timestamptz NOT NULL DEFAULT now(), summary text NOT NULL,
  PRIMARY KEY (workspace, activity_no),
  FOREIGN KEY (workspace, contact_no) REFERENCES crm.contacts
);
ALTER TABLE crm.companies ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm.contacts ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm.activities ENABLE ROW LEVEL SECURITY;
CREATE POLICY ws ON crm.companies USING (workspace = current_setting('app.workspace', true));
CREATE POLICY ws ON crm.contacts FOR SELECT USING (workspace LIKE current_setting('app.workspace', true));
CREATE POLICY ws_add ON crm.contacts FOR INSERT WITH CHECK (workspace = current_setting('app.workspace', true));
CREATE POLICY ws ON crm.activities USING (workspace = current_setting('app.workspace', true));
GRANT USAGE ON SCHEMA crm TO crm_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.companies, crm.activities TO crm_app;
GRANT SELECT, INSERT ON crm.contacts TO crm_app;
INSERT INTO crm.workspaces VALUES ('red_fox', 'pro'), ('redxfox', 'free');
INSERT INTO crm.companies VALUES ('red_fox', 1, 'Den GmbH', NULL), ('redxfox', 1, 'X Corp', 'https://x.example');
INSERT INTO crm.contacts VALUES ('red_fox', 1, 1, 'Rita', '0660 1', '{}'), ('redxfox', 1, 1, 'Xaver', '0660 9', '{vip}');
INSERT INTO crm.activities VALUES ('red_fox', 1, 1, now(), 'lunch'), ('redxfox', 1, 1, now(), 'secret pitch');
--- fix
ALTER POLICY ws ON crm.contacts USING (workspace = current_setting('app.workspace', true));
