--: why = "team.memberships lets a user write every row that carries its own user id, workspace included; user anna of workspace A inserts a membership for workspace B and then reads B's boards through the membership-based policies."
--: class = "membership-self-insert"
--: [isolation]
--: app_role = "team_api"
--: tenant_column = "workspace_id"
--: tenants = ["1001", "1002"]
--: context = "SET LOCAL request.jwt.claims = '{\"sub\": \"{principal}\"}'"
--: principals = ["anna", "bruno"]
--: [[expect]]
--: object = "team.memberships"
--: verb = "insert"
--: kind = "leak"
CREATE ROLE team_api LOGIN;
CREATE SCHEMA team;
CREATE FUNCTION team.uid() RETURNS text LANGUAGE sql STABLE AS $$ SELECT current_setting('request.jwt.claims', true)::json->>'sub' $$;
CREATE TABLE team.workspaces (workspace_id bigint PRIMARY KEY, title text NOT NULL);
CREATE TABLE team.memberships (
  workspace_id bigint NOT NULL REFERENCES team.workspaces,
  user_id text NOT NULL,
  role text NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'member', 'guest')),
  muted boolean NOT NULL DEFAULT false,
  PRIMARY KEY (workspace_id, user_id)
);
CREATE TABLE team.boards (
  workspace_id bigint NOT NULL REFERENCES team.workspaces, board text NOT NULL, color char(7) CHECK (color ~ '^#[0-9a-f]{6}$'),
  PRIMARY KEY (workspace_id, board)
);
CREATE TABLE team.cards (
  workspace_id bigint NOT NULL, board text NOT NULL, card_no int NOT NULL, title text NOT NULL, due date,
  PRIMARY KEY (workspace_id, board, card_no),
  FOREIGN KEY (workspace_id, board) REFERENCES team.boards ON DELETE CASCADE
);
CREATE FUNCTION team.my_workspaces() RETURNS SETOF bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT workspace_id FROM team.memberships WHERE user_id = team.uid() $$;
ALTER TABLE team.workspaces ENABLE ROW LEVEL SECURITY;
ALTER TABLE team.memberships ENABLE ROW LEVEL SECURITY;
ALTER TABLE team.boards ENABLE ROW LEVEL SECURITY;
ALTER TABLE team.cards ENABLE ROW LEVEL SECURITY;
CREATE POLICY w ON team.workspaces FOR SELECT USING (workspace_id IN (SELECT team.my_workspaces()));
CREATE POLICY m_read ON team.memberships FOR SELECT USING (workspace_id IN (SELECT team.my_workspaces()));
CREATE POLICY m_join ON team.memberships FOR INSERT WITH CHECK (user_id = team.uid());
CREATE POLICY m_leave ON team.memberships FOR DELETE USING (user_id = team.uid());
CREATE POLICY b ON team.boards USING (workspace_id IN (SELECT team.my_workspaces()));
CREATE POLICY c ON team.cards USING (workspace_id IN (SELECT team.my_workspaces()));
GRANT USAGE ON SCHEMA team TO team_api;
GRANT SELECT ON team.workspaces TO team_api;
GRANT SELECT, INSERT, DELETE ON team.memberships TO team_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON team.boards, team.cards TO team_api;
INSERT INTO team.workspaces VALUES (1001, 'Anna Ltd'), (1002, 'Bruno Ltd');
INSERT INTO team.memberships VALUES (1001, 'anna', 'owner'), (1002, 'bruno', 'owner'), (1001, 'alex', 'member');
INSERT INTO team.boards VALUES (1001, 'todo', '#00ff00'), (1002, 'plans', '#ff0000');
INSERT INTO team.cards VALUES (1001, 'todo', 1, 'buy milk', NULL), (1002, 'plans', 1, 'buy Anna Ltd', '2030-01-01');
--- fix
REVOKE INSERT ON team.memberships FROM team_api;
