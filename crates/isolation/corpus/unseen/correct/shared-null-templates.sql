--: why = "Rows whose agency is NULL are templates of the vendor that all agencies may read on purpose; write policies ask for the own agency, so nobody in the app can make, change or delete a shared row."
--: class = "null-tenant-shared-rows"
--: [isolation]
--: app_role = "letters_app"
--: tenant_column = "agency"
--: tenants = ["5d0f4b9e-91b4-4c07-bb3c-1d2f84aa0001", "5d0f4b9e-91b4-4c07-bb3c-1d2f84aa0002"]
--: context = "SET LOCAL letters.agency = '{tenant}'"
CREATE ROLE letters_owner NOLOGIN;
CREATE ROLE letters_app LOGIN;
CREATE SCHEMA letters AUTHORIZATION letters_owner;
SET ROLE letters_owner;
CREATE FUNCTION letters.me() RETURNS uuid LANGUAGE sql STABLE AS
$$ SELECT CASE WHEN current_setting('letters.agency', true) <> '' THEN current_setting('letters.agency', true)::uuid END $$;
CREATE TABLE letters.template (
  template_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  agency uuid,
  title text NOT NULL,
  body text NOT NULL,
  UNIQUE NULLS NOT DISTINCT (agency, title)
);
CREATE TABLE letters.letter (
  letter_id uuid DEFAULT gen_random_uuid(),
  agency uuid NOT NULL DEFAULT letters.me(),
  template_id uuid,
  addressee text NOT NULL,
  sent_at timestamptz,
  PRIMARY KEY (agency, letter_id)
);
ALTER TABLE letters.template ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE letters.letter ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY read_own_or_vendor ON letters.template FOR SELECT USING (agency IS NULL OR agency = letters.me());
CREATE POLICY add_own ON letters.template FOR INSERT WITH CHECK (agency = letters.me());
CREATE POLICY edit_own ON letters.template FOR UPDATE USING (agency = letters.me()) WITH CHECK (agency = letters.me());
CREATE POLICY drop_own ON letters.template FOR DELETE USING (agency = letters.me());
CREATE POLICY own ON letters.letter USING (agency = letters.me())
  WITH CHECK (agency = letters.me() AND (template_id IS NULL OR template_id IN (SELECT t.template_id FROM letters.template t)));
GRANT USAGE ON SCHEMA letters TO letters_app;
GRANT SELECT, DELETE, INSERT (agency, title, body), UPDATE (title, body) ON letters.template TO letters_app;
GRANT SELECT, DELETE, INSERT, UPDATE ON letters.letter TO letters_app;
RESET ROLE;
INSERT INTO letters.template (agency, title, body) VALUES
  (NULL, 'Reminder', 'Dear customer ...'),
  ('5d0f4b9e-91b4-4c07-bb3c-1d2f84aa0001', 'Welcome', 'Hello from Ash'),
  ('5d0f4b9e-91b4-4c07-bb3c-1d2f84aa0002', 'Zinc dunning', 'zinc body');
INSERT INTO letters.letter (agency, addressee) VALUES
  ('5d0f4b9e-91b4-4c07-bb3c-1d2f84aa0001', 'Mr Fir'), ('5d0f4b9e-91b4-4c07-bb3c-1d2f84aa0002', 'Ms Zinc');
