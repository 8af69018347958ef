--: why = "When a claim goes from open to fraud_check, a definer trigger collects notes of all claims with the same plate and forgets the insurer; the attacker sets a foreign plate on an own claim and escalates it."
--: class = "status-transition-trigger"
--: [isolation]
--: app_role = "claims_app"
--: tenant_column = "insurer"
--: tenants = ["AXO", "ZUR"]
--: context = "SET LOCAL claims.insurer = '{tenant}'"
--: [[expect]]
--: object = "claims.collect_hints"
--: verb = "select"
--: kind = "leak"
CREATE ROLE claims_owner NOLOGIN;
CREATE ROLE claims_app LOGIN;
CREATE SCHEMA claims AUTHORIZATION claims_owner;
SET ROLE claims_owner;
CREATE TYPE claims.state AS ENUM ('open', 'fraud_check', 'settled');
CREATE TABLE claims.policy (insurer char(3) NOT NULL, policy_no integer NOT NULL, holder text NOT NULL, PRIMARY KEY (insurer, policy_no));
CREATE TABLE claims.claim (
  insurer char(3) NOT NULL, claim_no integer NOT NULL, policy_no integer NOT NULL, plate text NOT NULL CHECK (plate ~ '^[A-Z]{1,3}-[A-Z]{1,2} \d{1,4}$'),
  state claims.state NOT NULL DEFAULT 'open', note text,
  PRIMARY KEY (insurer, claim_no), FOREIGN KEY (insurer, policy_no) REFERENCES claims.policy
);
CREATE TABLE claims.hint (
  insurer char(3) NOT NULL, claim_no integer NOT NULL, hint_no integer NOT NULL, hint text, PRIMARY KEY (insurer, claim_no, hint_no), FOREIGN KEY (insurer, claim_no) REFERENCES claims.claim ON DELETE CASCADE
);
CREATE FUNCTION claims.collect_hints() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO claims.hint (insurer, claim_no, hint_no, hint)
  SELECT NEW.insurer, NEW.claim_no, row_number() OVER (ORDER BY c.claim_no), c.note
    FROM claims.claim c WHERE c.plate = NEW.plate AND (c.insurer, c.claim_no) <> (NEW.insurer, NEW.claim_no)
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION claims.collect_hints() FROM PUBLIC;
CREATE TRIGGER escalated AFTER UPDATE OF state ON claims.claim FOR EACH ROW
  WHEN (OLD.state = 'open' AND NEW.state = 'fraud_check') EXECUTE FUNCTION claims.collect_hints();
ALTER TABLE claims.policy ENABLE ROW LEVEL SECURITY;
ALTER TABLE claims.claim ENABLE ROW LEVEL SECURITY;
ALTER TABLE claims.hint ENABLE ROW LEVEL SECURITY;
CREATE POLICY i ON claims.policy TO claims_app USING (insurer = current_setting('claims.insurer', true));
CREATE POLICY i ON claims.claim TO claims_app USING (insurer = current_setting('claims.insurer', true));
CREATE POLICY i ON claims.hint FOR SELECT TO claims_app USING (insurer = current_setting('claims.insurer', true));
GRANT USAGE ON SCHEMA claims TO claims_app;
GRANT SELECT, INSERT, UPDATE ON claims.policy, claims.claim TO claims_app;
GRANT SELECT ON claims.hint TO claims_app;
RESET ROLE;
INSERT INTO claims.policy VALUES ('AXO', 1, 'Ahrens'), ('ZUR', 1, 'Zander');
INSERT INTO claims.claim VALUES ('AXO', 1, 1, 'B-AA 11', 'open', 'dent'), ('AXO', 2, 1, 'B-AA 11', 'settled', 'second dent'), ('ZUR', 1, 1, 'HH-ZZ 99', 'open', 'drunk driver, keep quiet');
--- fix
CREATE OR REPLACE FUNCTION claims.collect_hints() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO claims.hint (insurer, claim_no, hint_no, hint)
  SELECT NEW.insurer, NEW.claim_no, row_number() OVER (ORDER BY c.claim_no), c.note
    FROM claims.claim c WHERE c.insurer = NEW.insurer AND c.plate = NEW.plate AND c.claim_no <> NEW.claim_no
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
