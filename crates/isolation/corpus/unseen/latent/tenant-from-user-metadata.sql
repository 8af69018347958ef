--: why = "The tenant is read from user_metadata of the token, which every user may edit at the identity provider; the database holds the wall, but the next login can carry another tenant's id."
--: class = "user-editable-claim"
--: [[expect]]
--: object = "auth.current_gym"
--: verb = "select"
--: kind = "warning"
CREATE ROLE gym_tables NOLOGIN;
CREATE ROLE authenticated NOLOGIN;
CREATE ROLE rest LOGIN NOINHERIT IN ROLE authenticated;
CREATE SCHEMA auth AUTHORIZATION gym_tables;
CREATE SCHEMA gym AUTHORIZATION gym_tables;
SET ROLE gym_tables;
CREATE FUNCTION auth.current_gym() RETURNS uuid LANGUAGE sql STABLE AS
$$ SELECT (nullif(current_setting('request.jwt.claims', true), '')::jsonb -> 'user_metadata' ->> 'gym_id')::uuid $$;
CREATE TABLE gym.member (gym_id uuid NOT NULL, member_no integer NOT NULL, name text NOT NULL, PRIMARY KEY (gym_id, member_no));
CREATE TABLE gym.checkin (
  gym_id uuid NOT NULL, member_no integer NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (gym_id, member_no, at), FOREIGN KEY (gym_id, member_no) REFERENCES gym.member
);
CREATE TABLE gym.health_note (
  gym_id uuid NOT NULL, member_no integer NOT NULL, note text NOT NULL, PRIMARY KEY (gym_id, member_no), FOREIGN KEY (gym_id, member_no) REFERENCES gym.member
);
ALTER TABLE gym.member ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE gym.checkin ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE gym.health_note ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY gym ON gym.member USING (gym_id = auth.current_gym());
CREATE POLICY gym ON gym.checkin USING (gym_id = auth.current_gym());
CREATE POLICY gym ON gym.health_note USING (gym_id = auth.current_gym());
GRANT USAGE ON SCHEMA auth, gym TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA gym TO authenticated;
RESET ROLE;
INSERT INTO gym.member VALUES ('8b9f3f9e-1111-4a0e-9a53-0000000000a1', 1, 'Alma'), ('8b9f3f9e-2222-4a0e-9a53-0000000000b2', 1, 'Zahra');
INSERT INTO gym.health_note VALUES ('8b9f3f9e-1111-4a0e-9a53-0000000000a1', 1, 'knee'), ('8b9f3f9e-2222-4a0e-9a53-0000000000b2', 1, 'zheart');
--- fix
CREATE OR REPLACE FUNCTION auth.current_gym() RETURNS uuid LANGUAGE sql STABLE AS
$$ SELECT (nullif(current_setting('request.jwt.claims', true), '')::jsonb -> 'app_metadata' ->> 'gym_id')::uuid $$;
