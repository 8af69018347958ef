--: why = "A conditional DO ALSO rule of the ticket view closes the duplicate by its number alone; setting an own ticket to merged with a number that exists at another desk changes the foreign ticket."
--: class = "conditional-rule"
--: [isolation]
--: app_role = "desk_app"
--: tenant_column = "desk"
--: tenants = ["d-ant", "d-zen"]
--: context = "SET LOCAL desk.id = '{tenant}'"
--: [[expect]]
--: object = "desk.ticket"
--: verb = "update"
--: kind = "leak"
CREATE ROLE desk_owner NOLOGIN;
CREATE ROLE desk_app LOGIN;
CREATE SCHEMA desk_base AUTHORIZATION desk_owner;
CREATE SCHEMA desk AUTHORIZATION desk_owner;
SET ROLE desk_owner;
CREATE TYPE desk_base.state AS ENUM ('new', 'waiting', 'merged', 'closed');
CREATE TABLE desk_base.agent (desk text NOT NULL, login text NOT NULL, PRIMARY KEY (desk, login));
CREATE TABLE desk_base.ticket (
  desk text NOT NULL DEFAULT current_setting('desk.id'), ticket_no integer NOT NULL, subject text NOT NULL, state desk_base.state NOT NULL DEFAULT 'new', duplicate_no integer,
  PRIMARY KEY (desk, ticket_no), CHECK (state <> 'merged' OR duplicate_no IS NOT NULL)
);
CREATE TABLE desk_base.reply (desk text NOT NULL, ticket_no integer NOT NULL, reply_no integer NOT NULL, body text NOT NULL, PRIMARY KEY (desk, ticket_no, reply_no), FOREIGN KEY (desk, ticket_no) REFERENCES desk_base.ticket);
CREATE VIEW desk.ticket WITH (security_barrier) AS
  SELECT * FROM desk_base.ticket WHERE desk = current_setting('desk.id', true);
CREATE RULE close_duplicate AS ON UPDATE TO desk.ticket WHERE NEW.state = 'merged' AND OLD.state = 'waiting' DO ALSO
  UPDATE desk_base.ticket t SET state = 'closed' WHERE t.ticket_no = NEW.duplicate_no;
GRANT USAGE ON SCHEMA desk TO desk_app;
GRANT USAGE ON SCHEMA desk_base TO desk_app;
GRANT SELECT, INSERT (ticket_no, subject), UPDATE (subject, state, duplicate_no) ON desk.ticket TO desk_app;
RESET ROLE;
INSERT INTO desk_base.agent VALUES ('d-ant', 'amy'), ('d-zen', 'zoe');
INSERT INTO desk_base.ticket VALUES ('d-ant', 1, 'no sound', 'waiting', NULL), ('d-ant', 2, 'still no sound', 'waiting', NULL), ('d-ant', 3, 'other', 'waiting', NULL), ('d-zen', 4711, 'outage', 'new', NULL);
--- fix
CREATE OR REPLACE RULE close_duplicate AS ON UPDATE TO desk.ticket WHERE NEW.state = 'merged' AND OLD.state = 'waiting' DO ALSO
  UPDATE desk_base.ticket t SET state = 'closed' WHERE t.desk = OLD.desk AND t.ticket_no = NEW.duplicate_no;
