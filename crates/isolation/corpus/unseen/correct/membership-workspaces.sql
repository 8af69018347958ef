--: why = "The context names a person; workspaces come from a membership table that the app can only read for itself and that only a workspace owner may extend, read in policies through a definer helper to avoid recursion."
--: class = "membership-table"
--: [isolation]
--: app_role = "notes_app"
--: tenant_column = "workspace_id"
--: tenants = ["a1111111-3c1d-4a55-9f0a-6d2b8e7c0001", "b2222222-8e4f-4d66-8a1b-7c3d9f8e0002"]
--: context = "SET LOCAL notes.person = '{principal}'"
--: principals = ["anna", "bruno"]
CREATE ROLE notes_owner NOLOGIN;
CREATE ROLE notes_app LOGIN;
CREATE SCHEMA notes AUTHORIZATION notes_owner;
SET ROLE notes_owner;
CREATE TYPE notes.member_role AS ENUM ('reader', 'writer', 'owner');
CREATE TABLE notes.workspace (workspace_id uuid PRIMARY KEY, title text NOT NULL);
CREATE TABLE notes.member (
  workspace_id uuid NOT NULL REFERENCES notes.workspace ON DELETE CASCADE, person text NOT NULL, role notes.member_role NOT NULL,
  PRIMARY KEY (workspace_id, person)
);
CREATE TABLE notes.page (
  workspace_id uuid NOT NULL REFERENCES notes.workspace ON DELETE CASCADE, slug text NOT NULL CHECK (slug ~ '^[a-z0-9-]+$'), body text NOT NULL DEFAULT '',
  PRIMARY KEY (workspace_id, slug)
);
CREATE TABLE notes.comment (
  workspace_id uuid NOT NULL, slug text NOT NULL, comment_id uuid NOT NULL DEFAULT gen_random_uuid(), author text NOT NULL, body text NOT NULL,
  PRIMARY KEY (workspace_id, slug, comment_id),
  FOREIGN KEY (workspace_id, slug) REFERENCES notes.page ON DELETE CASCADE
);
CREATE FUNCTION notes.my_workspaces(at_least notes.member_role) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT m.workspace_id FROM notes.member m WHERE m.person = nullif(current_setting('notes.person', true), '') AND m.role >= at_least $$;
REVOKE ALL ON FUNCTION notes.my_workspaces(notes.member_role) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notes.my_workspaces(notes.member_role) TO notes_app;
ALTER TABLE notes.workspace ENABLE ROW LEVEL SECURITY;
ALTER TABLE notes.member ENABLE ROW LEVEL SECURITY;
ALTER TABLE notes.page ENABLE ROW LEVEL SECURITY;
ALTER TABLE notes.comment ENABLE ROW LEVEL SECURITY;
CREATE POLICY r ON notes.workspace FOR SELECT USING (workspace_id IN (SELECT notes.my_workspaces('reader')));
CREATE POLICY r ON notes.member FOR SELECT USING (workspace_id IN (SELECT notes.my_workspaces('reader')));
CREATE POLICY i ON notes.member FOR INSERT WITH CHECK (workspace_id IN (SELECT notes.my_workspaces('owner')));
CREATE POLICY d ON notes.member FOR DELETE USING (workspace_id IN (SELECT notes.my_workspaces('owner')));
CREATE POLICY r ON notes.page FOR SELECT USING (workspace_id IN (SELECT notes.my_workspaces('reader')));
CREATE POLICY w ON notes.page USING (workspace_id IN (SELECT notes.my_workspaces('writer')));
CREATE POLICY r ON notes.comment FOR SELECT USING (workspace_id IN (SELECT notes.my_workspaces('reader')));
CREATE POLICY w ON notes.comment FOR INSERT
  WITH CHECK (workspace_id IN (SELECT notes.my_workspaces('reader')) AND author = current_setting('notes.person', true));
GRANT USAGE ON SCHEMA notes TO notes_app;
GRANT SELECT ON notes.workspace TO notes_app;
GRANT SELECT, INSERT, DELETE ON notes.member TO notes_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON notes.page TO notes_app;
GRANT SELECT, INSERT ON notes.comment TO notes_app;
RESET ROLE;
INSERT INTO notes.workspace VALUES ('a1111111-3c1d-4a55-9f0a-6d2b8e7c0001', 'Alder'), ('b2222222-8e4f-4d66-8a1b-7c3d9f8e0002', 'Zephyr');
INSERT INTO notes.member VALUES ('a1111111-3c1d-4a55-9f0a-6d2b8e7c0001', 'anna', 'owner'), ('a1111111-3c1d-4a55-9f0a-6d2b8e7c0001', 'arno', 'reader'), ('b2222222-8e4f-4d66-8a1b-7c3d9f8e0002', 'bruno', 'owner');
INSERT INTO notes.page VALUES ('a1111111-3c1d-4a55-9f0a-6d2b8e7c0001', 'home', 'alder home'), ('b2222222-8e4f-4d66-8a1b-7c3d9f8e0002', 'home', 'zephyr plan');
INSERT INTO notes.comment (workspace_id, slug, author, body) VALUES ('b2222222-8e4f-4d66-8a1b-7c3d9f8e0002', 'home', 'bruno', 'zephyr only');
