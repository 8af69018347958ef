--: why = "The DELETE policy of fit.check_ins only looks at the age of the row (retention job), not at the gym; a DELETE without WHERE or RETURNING is not filtered by the SELECT policy, so gym A wipes gym B's old check-ins."
--: class = "delete-policy-looser-than-select"
--: [[expect]]
--: object = "fit.check_ins"
--: verb = "delete"
--: kind = "leak"
CREATE ROLE gym_api LOGIN NOINHERIT;
CREATE SCHEMA fit;
CREATE DOMAIN fit.card_no AS text CHECK (VALUE ~ '^[A-Z]{2}[0-9]{6}$');
CREATE TABLE fit.gyms (gym_no smallint PRIMARY KEY, title text NOT NULL, city text NOT NULL);
CREATE TABLE fit.plans (
  gym_no smallint NOT NULL REFERENCES fit.gyms,
  plan_code text NOT NULL,
  monthly_eur numeric(6,2) NOT NULL CHECK (monthly_eur BETWEEN 5 AND 500),
  PRIMARY KEY (gym_no, plan_code)
);
CREATE TABLE fit.members (
  gym_no smallint NOT NULL,
  card fit.card_no NOT NULL,
  plan_code text NOT NULL,
  full_name text NOT NULL,
  joined date NOT NULL DEFAULT current_date,
  PRIMARY KEY (gym_no, card),
  FOREIGN KEY (gym_no, plan_code) REFERENCES fit.plans
);
CREATE TABLE fit.check_ins (
  gym_no smallint NOT NULL,
  card fit.card_no NOT NULL,
  at timestamptz NOT NULL,
  door text NOT NULL DEFAULT 'main' CHECK (door IN ('main', 'pool', 'sauna')),
  PRIMARY KEY (gym_no, card, at),
  FOREIGN KEY (gym_no, card) REFERENCES fit.members
);
ALTER TABLE fit.plans ENABLE ROW LEVEL SECURITY;
ALTER TABLE fit.members ENABLE ROW LEVEL SECURITY;
ALTER TABLE fit.check_ins ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON fit.plans FOR SELECT USING (gym_no = current_setting('gym.no')::smallint);
CREATE POLICY p ON fit.members USING (gym_no = current_setting('gym.no')::smallint);
CREATE POLICY ci_sel ON fit.check_ins FOR SELECT USING (gym_no = current_setting('gym.no')::smallint);
CREATE POLICY ci_ins ON fit.check_ins FOR INSERT WITH CHECK (gym_no = current_setting('gym.no')::smallint);
CREATE POLICY ci_del ON fit.check_ins FOR DELETE USING (at < now() - interval '1 year');
GRANT USAGE ON SCHEMA fit TO gym_api;
GRANT SELECT ON fit.plans TO gym_api;
GRANT SELECT, INSERT, UPDATE ON fit.members TO gym_api;
GRANT SELECT, INSERT, DELETE ON fit.check_ins TO gym_api;
-- the API begins each request with: SET LOCAL gym.no = '<n>'
INSERT INTO fit.gyms VALUES (11, 'Iron Hall', 'Graz'), (12, 'Sweatbox', 'Linz');
INSERT INTO fit.plans VALUES (11, 'basic', 19.9), (12, 'basic', 24.9);
INSERT INTO fit.members VALUES (11, 'GR000001', 'basic', 'Ana K.'), (12, 'LI000001', 'basic', 'Bert L.');
INSERT INTO fit.check_ins VALUES
  (11, 'GR000001', '2021-02-03 08:00+00', 'main'), (11, 'GR000001', now(), 'pool'),
  (12, 'LI000001', '2020-11-01 18:00+00', 'sauna'), (12, 'LI000001', now(), 'main');
--- fix
ALTER POLICY ci_del ON fit.check_ins
  USING (gym_no = current_setting('gym.no')::smallint AND at < now() - interval '1 year');
