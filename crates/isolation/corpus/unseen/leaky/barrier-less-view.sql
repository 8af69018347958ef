--: why = "The app only has the filtered view ins.my_claims over a table without RLS, but the view lacks security_barrier; a cheap user function in the WHERE clause is evaluated before the tenant filter and prints B's claims."
--: class = "view-without-security-barrier"
--: [isolation]
--: app_role = "claims_web"
--: tenant_column = "insurer"
--: tenants = ["axa1", "brk2"]
--: context = "SELECT set_config('ins.insurer', '{tenant}', true)"
--: [[expect]]
--: object = "ins.my_claims"
--: verb = "select"
--: kind = "leak"
CREATE ROLE claims_web LOGIN;
CREATE SCHEMA ins;
CREATE TABLE ins.insurers (insurer text PRIMARY KEY CHECK (insurer ~ '^[a-z]{3}[0-9]$'), name text NOT NULL);
CREATE TABLE ins.policies (
  insurer text NOT NULL REFERENCES ins.insurers, policy_no text NOT NULL, holder text NOT NULL, valid daterange NOT NULL,
  PRIMARY KEY (insurer, policy_no)
);
CREATE TABLE ins.claims (
  insurer text NOT NULL, claim_no int NOT NULL, policy_no text NOT NULL, story text NOT NULL, amount int NOT NULL CHECK (amount BETWEEN 1 AND 10000000),
  PRIMARY KEY (claim_no, insurer), FOREIGN KEY (insurer, policy_no) REFERENCES ins.policies
);
ALTER TABLE ins.policies ENABLE ROW LEVEL SECURITY;
CREATE POLICY i ON ins.policies USING (insurer = current_setting('ins.insurer'));
CREATE VIEW ins.my_claims AS
  SELECT claim_no, insurer, policy_no, story, amount FROM ins.claims WHERE insurer = current_setting('ins.insurer')
  WITH CHECK OPTION;
GRANT USAGE ON SCHEMA ins TO claims_web;
GRANT SELECT, INSERT ON ins.policies TO claims_web;
GRANT SELECT, INSERT ON ins.my_claims TO claims_web;
INSERT INTO ins.insurers VALUES ('axa1', 'Axel'), ('brk2', 'Brook');
INSERT INTO ins.policies VALUES ('axa1', 'K1', 'Ann', '[2020-01-01,2030-01-01)'), ('brk2', 'K1', 'Bob', '[2020-01-01,2031-01-01)');
INSERT INTO ins.claims VALUES ('axa1', 1, 'K1', 'hail', 900), ('brk2', 1, 'K1', 'arson suspected', 88000);
--- fix
ALTER VIEW ins.my_claims SET (security_barrier = true);
