--: why = "The foreign key (org, queue) of desk.tickets is ON DELETE SET DEFAULT for both columns and the default org is 1 (the house org); when org 2 deletes one of its queues its tickets, with its own text, are planted into org 1's default queue."
--: class = "set-default-moves-tenant"
--: [isolation]
--: app_role = "hd_web"
--: tenant_column = "org"
--: tenants = ["2", "1"]
--: context = "SET LOCAL app.org = '{tenant}'"
--: [[expect]]
--: object = "desk.tickets"
--: verb = "insert"
--: kind = "leak"
CREATE ROLE hd_web LOGIN;
CREATE SCHEMA desk;
CREATE TYPE desk.prio AS ENUM ('low', 'normal', 'high');
CREATE TABLE desk.orgs (org int PRIMARY KEY, name text NOT NULL);
CREATE TABLE desk.queues (
  org int NOT NULL REFERENCES desk.orgs,
  queue int NOT NULL CHECK (queue >= 0),
  title text NOT NULL,
  PRIMARY KEY (org, queue)
);
CREATE TABLE desk.tickets (
  org int NOT NULL DEFAULT 1,
  ticket uuid NOT NULL DEFAULT gen_random_uuid(),
  queue int NOT NULL DEFAULT 0,
  prio desk.prio NOT NULL DEFAULT 'normal',
  subject text NOT NULL CHECK (length(subject) BETWEEN 3 AND 200),
  PRIMARY KEY (org, ticket),
  CONSTRAINT tickets_queue_fk FOREIGN KEY (org, queue) REFERENCES desk.queues ON DELETE SET DEFAULT
);
CREATE TABLE desk.notes (
  org int NOT NULL REFERENCES desk.orgs,
  note uuid NOT NULL DEFAULT gen_random_uuid(),
  queue int NOT NULL,
  body text NOT NULL,
  PRIMARY KEY (org, note),
  FOREIGN KEY (org, queue) REFERENCES desk.queues ON DELETE CASCADE
);
ALTER TABLE desk.queues ENABLE ROW LEVEL SECURITY;
ALTER TABLE desk.tickets ENABLE ROW LEVEL SECURITY;
ALTER TABLE desk.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY o ON desk.queues USING (org = current_setting('app.org')::int);
CREATE POLICY o ON desk.tickets USING (org = current_setting('app.org')::int);
CREATE POLICY o ON desk.notes USING (org = current_setting('app.org')::int);
GRANT USAGE ON SCHEMA desk TO hd_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON desk.queues, desk.tickets, desk.notes TO hd_web;
INSERT INTO desk.orgs VALUES (1, 'Operator Ltd'), (2, 'Customer Inc');
INSERT INTO desk.queues VALUES (1, 0, 'Inbox'), (1, 5, 'VIP'), (2, 0, 'Inbox'), (2, 7, 'Billing');
INSERT INTO desk.tickets (org, queue, subject) VALUES (1, 5, 'Server on fire'), (2, 7, 'Invoice wrong'), (2, 0, 'Hello');
INSERT INTO desk.notes (org, queue, body) VALUES (1, 5, 'call first'), (2, 7, 'use template 3');
--- fix
ALTER TABLE desk.tickets DROP CONSTRAINT tickets_queue_fk;
ALTER TABLE desk.tickets ADD CONSTRAINT tickets_queue_fk
  FOREIGN KEY (org, queue) REFERENCES desk.queues ON DELETE SET DEFAULT (queue);
