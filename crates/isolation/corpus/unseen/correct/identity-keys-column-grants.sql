--: why = "Ticket ids come from one global identity sequence, but the app has neither a right on the sequence nor the INSERT/UPDATE right on the id or tenant column, so it can neither probe ids nor move rows; the tenant is a column default."
--: class = "global-identity-no-usage"
--: [isolation]
--: app_role = "helpdesk_app"
--: tenant_column = "customer"
--: tenants = ["aurora", "zephyr"]
--: context = "SET LOCAL helpdesk.customer = '{tenant}'"
CREATE ROLE helpdesk_owner NOLOGIN;
CREATE ROLE helpdesk_app LOGIN;
CREATE SCHEMA helpdesk AUTHORIZATION helpdesk_owner;
SET ROLE helpdesk_owner;
CREATE TYPE helpdesk.prio AS ENUM ('low', 'normal', 'high');
CREATE TABLE helpdesk.ticket (
  ticket_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer text NOT NULL DEFAULT current_setting('helpdesk.customer') CHECK (customer <> ''),
  subject text NOT NULL, prio helpdesk.prio NOT NULL DEFAULT 'normal', internal_cost numeric(8, 2),
  UNIQUE (customer, ticket_id)
);
CREATE TABLE helpdesk.message (
  message_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer text NOT NULL DEFAULT current_setting('helpdesk.customer'),
  ticket_id bigint NOT NULL, body text NOT NULL,
  FOREIGN KEY (customer, ticket_id) REFERENCES helpdesk.ticket (customer, ticket_id) ON DELETE CASCADE
);
CREATE TABLE helpdesk.sla (customer text PRIMARY KEY, hours integer NOT NULL CHECK (hours > 0));
ALTER TABLE helpdesk.ticket ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE helpdesk.message ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE helpdesk.sla ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY c ON helpdesk.ticket USING (customer = current_setting('helpdesk.customer', true));
CREATE POLICY c ON helpdesk.message USING (customer = current_setting('helpdesk.customer', true));
CREATE POLICY c ON helpdesk.sla FOR SELECT USING (customer = current_setting('helpdesk.customer', true));
GRANT USAGE ON SCHEMA helpdesk TO helpdesk_app;
GRANT SELECT (ticket_id, customer, subject, prio), INSERT (subject, prio), UPDATE (subject, prio) ON helpdesk.ticket TO helpdesk_app;
GRANT SELECT, INSERT (ticket_id, body) ON helpdesk.message TO helpdesk_app;
GRANT SELECT ON helpdesk.sla TO helpdesk_app;
RESET ROLE;
INSERT INTO helpdesk.ticket (customer, subject, internal_cost) VALUES ('aurora', 'printer', 5), ('zephyr', 'zeph breach', 900);
INSERT INTO helpdesk.message (customer, ticket_id, body) VALUES ('aurora', 1, 'help'), ('zephyr', 2, 'zeph details');
INSERT INTO helpdesk.sla VALUES ('aurora', 8), ('zephyr', 2);
