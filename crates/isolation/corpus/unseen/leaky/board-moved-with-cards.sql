--: why = "The UPDATE policy of kb.boards checks only the locked flag of the new row, so tenant A can rewrite tenant_id of its own board; the board and, through ON UPDATE CASCADE, its cards are planted in tenant B."
--: class = "row-moved-out-cascade"
--: [isolation]
--: app_role = "kanban"
--: tenant_column = "tenant_id"
--: tenants = ["t-alpha", "t-beta"]
--: context = "SET LOCAL app.tenant_id = '{tenant}'"
--: [[expect]]
--: object = "kb.boards"
--: verb = "update"
--: kind = "leak"
CREATE ROLE kanban LOGIN;
CREATE SCHEMA kb;
CREATE DOMAIN kb.tenant AS varchar(20) CHECK (VALUE LIKE 't-%');
CREATE TABLE kb.tenants (tenant_id kb.tenant PRIMARY KEY, since date NOT NULL);
CREATE TABLE kb.boards (
  tenant_id kb.tenant NOT NULL REFERENCES kb.tenants,
  board_id uuid NOT NULL DEFAULT gen_random_uuid(),
  title text NOT NULL,
  locked boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, board_id)
);
CREATE TABLE kb.cards (
  tenant_id kb.tenant NOT NULL, board_id uuid NOT NULL, pos int NOT NULL CHECK (pos >= 0),
  text text NOT NULL,
  PRIMARY KEY (tenant_id, board_id, pos),
  FOREIGN KEY (tenant_id, board_id) REFERENCES kb.boards ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE kb.labels (
  tenant_id kb.tenant NOT NULL REFERENCES kb.tenants, label text NOT NULL, PRIMARY KEY (tenant_id, label)
);
ALTER TABLE kb.boards ENABLE ROW LEVEL SECURITY;
ALTER TABLE kb.cards ENABLE ROW LEVEL SECURITY;
ALTER TABLE kb.labels ENABLE ROW LEVEL SECURITY;
CREATE POLICY r ON kb.boards FOR SELECT USING (tenant_id = current_setting('app.tenant_id'));
CREATE POLICY a ON kb.boards FOR INSERT WITH CHECK (tenant_id = current_setting('app.tenant_id'));
CREATE POLICY u ON kb.boards FOR UPDATE USING (tenant_id = current_setting('app.tenant_id') AND NOT locked) WITH CHECK (NOT locked);
CREATE POLICY t ON kb.cards USING (tenant_id = current_setting('app.tenant_id'));
CREATE POLICY t ON kb.labels USING (tenant_id = current_setting('app.tenant_id'));
GRANT USAGE ON SCHEMA kb TO kanban;
GRANT SELECT, INSERT, UPDATE ON kb.boards TO kanban;
GRANT SELECT, INSERT, UPDATE, DELETE ON kb.cards, kb.labels TO kanban;
INSERT INTO kb.tenants VALUES ('t-alpha', '2020-01-01'), ('t-beta', '2021-01-01');
INSERT INTO kb.boards VALUES ('t-alpha', 'aaaaaaaa-0000-4000-8000-000000000001', 'Sprint'), ('t-beta', 'bbbbbbbb-0000-4000-8000-000000000001', 'Roadmap');
INSERT INTO kb.cards VALUES ('t-alpha', 'aaaaaaaa-0000-4000-8000-000000000001', 0, 'fix bug'), ('t-beta', 'bbbbbbbb-0000-4000-8000-000000000001', 0, 'ship');
INSERT INTO kb.labels VALUES ('t-alpha', 'red'), ('t-beta', 'blue');
--- fix
ALTER POLICY u ON kb.boards WITH CHECK (tenant_id = current_setting('app.tenant_id') AND NOT locked);
