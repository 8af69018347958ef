--: why = "legal.contracts has its owner only inside the JSON document and the policy searches the tenant code in any node of it ($.**); firm A sees every contract of firm B in which A is merely mentioned, e.g. as counterparty."
--: class = "json-any-node-match"
--: [[expect]]
--: object = "legal.contracts"
--: verb = "select"
--: kind = "leak"
CREATE ROLE legal_api LOGIN;
CREATE SCHEMA legal;
CREATE TABLE legal.firms (firm text PRIMARY KEY CHECK (firm ~ '^F[0-9]{3}$'), display text NOT NULL);
CREATE TABLE legal.clauses (
  firm text NOT NULL REFERENCES legal.firms, clause_no int NOT NULL, wording text NOT NULL,
  PRIMARY KEY (firm, clause_no)
);
CREATE TABLE legal.contracts (
  contract_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  doc jsonb NOT NULL,
  filed timestamptz NOT NULL DEFAULT now(),
  CHECK (jsonb_typeof(doc) = 'object'),
  CHECK (doc ? 'owner' AND doc ? 'title' AND doc ->> 'owner' ~ '^F[0-9]{3}$')
);
CREATE INDEX ON legal.contracts USING gin (doc jsonb_path_ops);
CREATE TABLE legal.deadlines (
  firm text NOT NULL REFERENCES legal.firms, deadline_no int NOT NULL, due date NOT NULL, label text NOT NULL,
  PRIMARY KEY (firm, deadline_no)
);
ALTER TABLE legal.clauses ENABLE ROW LEVEL SECURITY;
ALTER TABLE legal.contracts ENABLE ROW LEVEL SECURITY;
ALTER TABLE legal.deadlines ENABLE ROW LEVEL SECURITY;
CREATE POLICY f ON legal.clauses USING (firm = current_setting('legal.firm'));
CREATE POLICY f ON legal.deadlines USING (firm = current_setting('legal.firm'));
CREATE POLICY f_read ON legal.contracts FOR SELECT
  USING (jsonb_path_exists(doc, '$.** ? (@ == $f)', jsonb_build_object('f', current_setting('legal.firm'))));
CREATE POLICY f_add ON legal.contracts FOR INSERT WITH CHECK (doc ->> 'owner' = current_setting('legal.firm'));
GRANT USAGE ON SCHEMA legal TO legal_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON legal.clauses, legal.deadlines TO legal_api;
GRANT SELECT ON legal.contracts TO legal_api;
GRANT INSERT (doc) ON legal.contracts TO legal_api;
-- SET LOCAL legal.firm = 'F…' at the start of every transaction
INSERT INTO legal.firms VALUES ('F001', 'Adler'), ('F002', 'Bär');
INSERT INTO legal.clauses VALUES ('F001', 1, 'Force majeure'), ('F002', 1, 'Penalty');
INSERT INTO legal.contracts (doc) VALUES
  ('{"owner": "F001", "title": "Lease", "parties": [{"code": "F777"}]}'),
  ('{"owner": "F002", "title": "Plan to sue", "parties": [{"code": "F001", "role": "defendant"}], "budget": 50000}');
INSERT INTO legal.deadlines VALUES ('F001', 1, '2030-01-01', 'reply'), ('F002', 1, '2030-02-01', 'file suit');
--- fix
ALTER POLICY f_read ON legal.contracts USING (doc ->> 'owner' = current_setting('legal.firm'));
