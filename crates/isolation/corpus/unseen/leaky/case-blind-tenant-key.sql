--: why = "Tenant keys are case-sensitive base62, but one policy compares them under a nondeterministic case-insensitive collation, so aB3x also sees AB3X."
--: class = "nondeterministic-collation"
--: [[expect]]
--: object = "poll.answer"
--: verb = "select"
--: kind = "leak"
CREATE ROLE poll_owner NOLOGIN;
CREATE ROLE poll_app LOGIN;
CREATE SCHEMA poll AUTHORIZATION poll_owner;
SET ROLE poll_owner;
CREATE COLLATION poll.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE poll.space (space_key text COLLATE "C" PRIMARY KEY CHECK (space_key ~ '^[0-9A-Za-z]{4}$'), title text NOT NULL);
CREATE TABLE poll.question (space_key text COLLATE "C" NOT NULL REFERENCES poll.space, question_no integer NOT NULL, wording text NOT NULL, PRIMARY KEY (space_key, question_no));
CREATE TABLE poll.answer (
  space_key text COLLATE "C" NOT NULL, question_no integer NOT NULL, voter text COLLATE poll.ci NOT NULL, choice text NOT NULL,
  PRIMARY KEY (space_key, question_no, voter), FOREIGN KEY (space_key, question_no) REFERENCES poll.question ON DELETE CASCADE
);
ALTER TABLE poll.space ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE poll.question ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE poll.answer ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY s ON poll.space FOR SELECT USING (space_key = current_setting('poll.space', true));
CREATE POLICY s ON poll.question USING (space_key = current_setting('poll.space', true));
CREATE POLICY s ON poll.answer USING (space_key = current_setting('poll.space', true) COLLATE poll.ci) WITH CHECK (space_key = current_setting('poll.space', true));
GRANT USAGE ON SCHEMA poll TO poll_app;
GRANT SELECT ON ALL TABLES IN SCHEMA poll TO poll_app;
GRANT INSERT, UPDATE, DELETE ON poll.question, poll.answer TO poll_app;
RESET ROLE;
INSERT INTO poll.space VALUES ('aB3x', 'Allotment club'), ('AB3X', 'Zebra works council');
INSERT INTO poll.question VALUES ('aB3x', 1, 'New shed?'), ('AB3X', 1, 'Strike?');
INSERT INTO poll.answer VALUES ('aB3x', 1, 'amy', 'yes'), ('AB3X', 1, 'zack', 'strike now');
--- fix
ALTER POLICY s ON poll.answer USING (space_key = current_setting('poll.space', true));
