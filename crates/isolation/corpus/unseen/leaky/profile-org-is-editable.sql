--: why = "The organisation of a person is looked up in the profile, whose row policy lets everybody edit their own profile, and the column grant for self-service includes org_no: writing it moves the person into any organisation."
--: class = "self-service-column-grant"
--: [isolation]
--: app_role = "intra_app"
--: tenant_column = "org_no"
--: tenants = ["1", "2"]
--: context = "SET LOCAL intra.login = '{principal}'"
--: principals = ["anna", "bruno"]
--: [[expect]]
--: object = "intra.profile"
--: verb = "update"
--: kind = "leak"
CREATE ROLE intra_owner NOLOGIN;
CREATE ROLE intra_app LOGIN;
CREATE SCHEMA intra AUTHORIZATION intra_owner;
SET ROLE intra_owner;
CREATE TABLE intra.org (org_no smallint PRIMARY KEY, name text NOT NULL);
CREATE TABLE intra.profile (login text PRIMARY KEY CHECK (login ~ '^[a-z]+$'), org_no smallint NOT NULL REFERENCES intra.org, nickname text, phone text, theme text NOT NULL DEFAULT 'light' CHECK (theme IN ('light', 'dark')));
CREATE TABLE intra.memo (org_no smallint NOT NULL REFERENCES intra.org, memo_no integer NOT NULL, author text NOT NULL REFERENCES intra.profile, body text NOT NULL, PRIMARY KEY (org_no, memo_no));
ALTER TABLE intra.org ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE intra.profile ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE intra.memo ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY me_read ON intra.profile FOR SELECT USING (login = current_setting('intra.login', true));
CREATE POLICY me_edit ON intra.profile FOR UPDATE USING (login = current_setting('intra.login', true));
CREATE POLICY my_org ON intra.org FOR SELECT USING (org_no = (SELECT p.org_no FROM intra.profile p WHERE p.login = current_setting('intra.login', true)));
CREATE POLICY my_org ON intra.memo USING (org_no = (SELECT p.org_no FROM intra.profile p WHERE p.login = current_setting('intra.login', true)))
  WITH CHECK (org_no = (SELECT p.org_no FROM intra.profile p WHERE p.login = current_setting('intra.login', true)) AND author = current_setting('intra.login', true));
GRANT USAGE ON SCHEMA intra TO intra_app;
GRANT SELECT ON intra.org, intra.profile TO intra_app;
GRANT UPDATE (org_no, nickname, phone, theme) ON intra.profile TO intra_app;
GRANT SELECT, INSERT, DELETE ON intra.memo TO intra_app;
RESET ROLE;
INSERT INTO intra.org VALUES (1, 'Amt A'), (2, 'Zentrale');
INSERT INTO intra.profile VALUES ('anna', 1, 'An', NULL), ('bruno', 2, 'Br', NULL);
INSERT INTO intra.memo VALUES (1, 1, 'anna', 'canteen closed'), (2, 1, 'bruno', 'zentrale layoffs');
--- fix
REVOKE UPDATE (org_no) ON intra.profile FROM intra_app;
