--: why = "The policy forgets parentheses: 'own board AND editing OR window open' shows papers of every board while their reading window is open, which only some rows are."
--: class = "and-or-precedence"
--: [isolation]
--: app_role = "exam_app"
--: tenant_column = "board"
--: tenants = ["bay", "zug"]
--: context = "SET LOCAL exam.board = '{tenant}'"
--: [[expect]]
--: object = "exam.paper"
--: verb = "select"
--: kind = "leak"
CREATE ROLE exam_owner NOLOGIN;
CREATE ROLE exam_app LOGIN;
CREATE SCHEMA exam AUTHORIZATION exam_owner;
SET ROLE exam_owner;
CREATE DOMAIN exam.board_code AS text CHECK (VALUE ~ '^[a-z]{3}$');
CREATE TABLE exam.subject (code text PRIMARY KEY);
CREATE TABLE exam.paper (
  board exam.board_code NOT NULL, paper_no integer NOT NULL, subject text NOT NULL REFERENCES exam.subject, state text NOT NULL DEFAULT 'editing' CHECK (state IN ('editing', 'sealed')),
  reading tstzrange NOT NULL DEFAULT 'empty', questions text NOT NULL, PRIMARY KEY (board, paper_no)
);
CREATE TABLE exam.candidate (board exam.board_code NOT NULL, candidate_no integer NOT NULL, name text NOT NULL, PRIMARY KEY (board, candidate_no));
ALTER TABLE exam.paper ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE exam.candidate ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY paper_read ON exam.paper FOR SELECT
  USING (board = current_setting('exam.board', true) AND state = 'editing' OR now() <@ reading);
CREATE POLICY paper_write ON exam.paper FOR INSERT WITH CHECK (board = current_setting('exam.board', true));
CREATE POLICY candidate_own ON exam.candidate USING (board = current_setting('exam.board', true));
GRANT USAGE ON SCHEMA exam TO exam_app;
GRANT SELECT ON exam.subject, exam.paper, exam.candidate TO exam_app;
GRANT INSERT ON exam.paper TO exam_app;
GRANT INSERT, UPDATE, DELETE ON exam.candidate TO exam_app;
RESET ROLE;
INSERT INTO exam.subject VALUES ('maths'), ('latin');
INSERT INTO exam.paper VALUES
  ('bay', 1, 'maths', 'editing', 'empty', 'a-question'), ('zug', 1, 'maths', 'editing', 'empty', 'z-question'),
  ('zug', 2, 'latin', 'sealed', '[1999-01-01,2000-01-01)', 'z-old'), ('zug', 3, 'latin', 'sealed', '[2020-01-01,2199-01-01)', 'z-current-latin');
INSERT INTO exam.candidate VALUES ('bay', 1, 'Alois'), ('zug', 1, 'Zilla');
--- fix
ALTER POLICY paper_read ON exam.paper
  USING (board = current_setting('exam.board', true) AND (state = 'editing' OR now() <@ reading));
