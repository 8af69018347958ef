--: why = "The unique index on lower(email) of mail.subscribers has no account in it; INSERT ... ON CONFLICT DO NOTHING returns no row exactly when any other account already has that e-mail address, so A learns who subscribes to B."
--: class = "unique-expression-existence"
--: [[expect]]
--: object = "mail.subscribers"
--: verb = "existence"
--: kind = "leak"
CREATE ROLE mailer LOGIN;
CREATE SCHEMA mail;
CREATE TYPE mail.sub_state AS ENUM ('pending', 'active', 'bounced');
CREATE TABLE mail.accounts (account_id bigint PRIMARY KEY, company text NOT NULL);
CREATE TABLE mail.lists (
  account_id bigint NOT NULL REFERENCES mail.accounts,
  list_slug text NOT NULL CHECK (list_slug ~ '^[a-z-]+$'),
  title text NOT NULL,
  PRIMARY KEY (account_id, list_slug)
);
CREATE TABLE mail.subscribers (
  account_id bigint NOT NULL,
  subscriber_id uuid NOT NULL DEFAULT gen_random_uuid(),
  list_slug text NOT NULL,
  email text NOT NULL CHECK (email LIKE '%_@_%.__%'),
  state mail.sub_state NOT NULL DEFAULT 'pending',
  PRIMARY KEY (account_id, subscriber_id),
  FOREIGN KEY (account_id, list_slug) REFERENCES mail.lists ON UPDATE CASCADE
);
CREATE UNIQUE INDEX subscribers_email_uq ON mail.subscribers (lower(email));
CREATE TABLE mail.sends (
  account_id bigint NOT NULL,
  subscriber_id uuid NOT NULL,
  sent_at timestamptz NOT NULL DEFAULT now(),
  subject text NOT NULL,
  PRIMARY KEY (account_id, subscriber_id, sent_at),
  FOREIGN KEY (account_id, subscriber_id) REFERENCES mail.subscribers
);
ALTER TABLE mail.lists ENABLE ROW LEVEL SECURITY;
ALTER TABLE mail.subscribers ENABLE ROW LEVEL SECURITY;
ALTER TABLE mail.sends ENABLE ROW LEVEL SECURITY;
CREATE POLICY acc ON mail.lists TO mailer USING (account_id = (current_setting('request.jwt.claims')::json->>'account')::bigint);
CREATE POLICY acc ON mail.subscribers TO mailer USING (account_id = (current_setting('request.jwt.claims')::json->>'account')::bigint);
CREATE POLICY acc ON mail.sends TO mailer USING (account_id = (current_setting('request.jwt.claims')::json->>'account')::bigint);
GRANT USAGE ON SCHEMA mail TO mailer;
GRANT SELECT, INSERT, UPDATE, DELETE ON mail.lists, mail.subscribers, mail.sends TO mailer;
INSERT INTO mail.accounts VALUES (9001, 'Kaffee Nord'), (9002, 'Tea Club');
INSERT INTO mail.lists VALUES (9001, 'weekly', 'Weekly beans'), (9002, 'monthly', 'Monthly leaf');
INSERT INTO mail.subscribers (account_id, list_slug, email, state) VALUES
  (9001, 'weekly', 'ida@example.org', 'active'), (9002, 'monthly', 'Oskar@example.net', 'active');
--- fix
DROP INDEX mail.subscribers_email_uq;
CREATE UNIQUE INDEX subscribers_email_uq ON mail.subscribers (account_id, lower(email));
