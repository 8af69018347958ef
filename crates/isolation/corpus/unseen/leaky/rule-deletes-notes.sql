--: why = "The rule on pm.projects that removes the notes of a deleted project runs with the rule owner's rights and matches only the project code; A deletes its own project 'P-1' and B's notes of its 'P-1' are gone."
--: class = "rule-also-delete-bypasses-rls"
--: [[expect]]
--: object = "pm.projects"
--: verb = "delete"
--: kind = "leak"
CREATE ROLE pm_app LOGIN;
CREATE SCHEMA pm;
CREATE TABLE pm.clients (client_id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE pm.projects (
  client_id bigint NOT NULL REFERENCES pm.clients, code text NOT NULL CHECK (code ~ '^P-[0-9]+$'), title text NOT NULL, budget int,
  PRIMARY KEY (client_id, code)
);
CREATE TABLE pm.notes (
  client_id bigint NOT NULL REFERENCES pm.clients, note_id uuid NOT NULL DEFAULT gen_random_uuid(), code text NOT NULL, body text NOT NULL,
  PRIMARY KEY (client_id, note_id)
);
CREATE TABLE pm.hours (
  client_id bigint NOT NULL, code text NOT NULL, worker text NOT NULL, day date NOT NULL, hours numeric(4,2) NOT NULL CHECK (hours > 0 AND hours <= 24),
  PRIMARY KEY (client_id, code, worker, day), FOREIGN KEY (client_id, code) REFERENCES pm.projects ON DELETE CASCADE
);
ALTER TABLE pm.projects ENABLE ROW LEVEL SECURITY;
ALTER TABLE pm.notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE pm.hours ENABLE ROW LEVEL SECURITY;
CREATE POLICY c ON pm.projects USING (client_id = current_setting('pm.client')::bigint);
CREATE POLICY c ON pm.notes USING (client_id = current_setting('pm.client')::bigint);
CREATE POLICY c ON pm.hours USING (client_id = current_setting('pm.client')::bigint);
CREATE RULE drop_notes AS ON DELETE TO pm.projects DO ALSO DELETE FROM pm.notes WHERE code = OLD.code;
GRANT USAGE ON SCHEMA pm TO pm_app;
GRANT SELECT, INSERT, DELETE ON pm.projects TO pm_app;
GRANT SELECT, INSERT, UPDATE ON pm.notes TO pm_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON pm.hours TO pm_app;
-- SET LOCAL pm.client = '<client_id>' first
INSERT INTO pm.clients VALUES (70001, 'Anker'), (70002, 'Boje');
INSERT INTO pm.projects VALUES (70001, 'P-1', 'Website', 10), (70002, 'P-1', 'Harbour', 99), (70001, 'P-2', 'App', 5);
INSERT INTO pm.notes (client_id, code, body) VALUES (70001, 'P-1', 'a note'), (70002, 'P-1', 'b note'), (70001, 'P-2', 'x');
INSERT INTO pm.hours VALUES (70001, 'P-1', 'ann', '2024-01-01', 8), (70002, 'P-1', 'bob', '2024-01-01', 7.5);
--- fix
CREATE OR REPLACE RULE drop_notes AS ON DELETE TO pm.projects
  DO ALSO DELETE FROM pm.notes WHERE client_id = OLD.client_id AND code = OLD.code;
