--: why = "The policy of msg.inbox asks pg_has_role(session_user, owner, 'MEMBER'); session_user stays the pooled login, which is a member of every tenant role, so after SET LOCAL ROLE t_one all inbox rows of t_two are readable."
--: class = "session-user-instead-of-current-user"
--: [isolation]
--: app_role = "hub_login"
--: tenant_column = "owner"
--: tenants = ["t_one", "t_two"]
--: context = "SET LOCAL ROLE {tenant}"
--: [[expect]]
--: object = "msg.inbox"
--: verb = "select"
--: kind = "leak"
CREATE ROLE hub_login LOGIN NOINHERIT;
CREATE ROLE t_one NOLOGIN;
CREATE ROLE t_two NOLOGIN;
GRANT t_one, t_two TO hub_login;
CREATE SCHEMA msg;
CREATE TYPE msg.channel AS ENUM ('mail', 'sms', 'push');
CREATE TABLE msg.contacts (owner name NOT NULL DEFAULT current_user, contact text NOT NULL, via msg.channel NOT NULL, PRIMARY KEY (owner, contact));
CREATE TABLE msg.inbox (
  owner name NOT NULL DEFAULT current_user, msg_no int NOT NULL, contact text NOT NULL, body text NOT NULL, at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (owner, msg_no), FOREIGN KEY (owner, contact) REFERENCES msg.contacts
);
CREATE TABLE msg.drafts (owner name NOT NULL DEFAULT current_user, draft_no int NOT NULL, body text NOT NULL DEFAULT '', PRIMARY KEY (owner, draft_no));
ALTER TABLE msg.contacts ENABLE ROW LEVEL SECURITY;
ALTER TABLE msg.inbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE msg.drafts ENABLE ROW LEVEL SECURITY;
CREATE POLICY o ON msg.contacts USING (owner = current_user);
CREATE POLICY o ON msg.drafts USING (owner = current_user);
CREATE POLICY o ON msg.inbox FOR SELECT USING (pg_has_role(session_user, owner, 'MEMBER'));
GRANT USAGE ON SCHEMA msg TO t_one, t_two;
GRANT SELECT, INSERT, UPDATE, DELETE ON msg.contacts, msg.drafts TO t_one, t_two;
GRANT SELECT ON msg.inbox TO t_one, t_two;
INSERT INTO msg.contacts VALUES ('t_one', 'mom', 'sms'), ('t_two', 'lawyer', 'mail');
INSERT INTO msg.inbox VALUES ('t_one', 1, 'mom', 'call me'), ('t_two', 1, 'lawyer', 'settle for 2M');
INSERT INTO msg.drafts VALUES ('t_one', 1, 'hi'), ('t_two', 1, 'ok');
--- fix
ALTER POLICY o ON msg.inbox USING (owner = current_user);
