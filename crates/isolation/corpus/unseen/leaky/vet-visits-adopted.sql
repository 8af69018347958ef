--: why = "The UPDATE policy of clinic.visits has USING (true); a blind UPDATE (no WHERE, no RETURNING) needs no SELECT right, so only that policy counts and clinic A can pull all of clinic B's visits into its own clinic (the WITH CHECK only wants the new row to be A's)."
--: class = "update-policy-looser-than-select"
--: [isolation]
--: app_role = "vet_app"
--: tenant_column = "clinic_id"
--: tenants = ["7b1d0c52-2f0e-4c6c-9d53-0d5f4b1f0a01", "c2a4f6e8-91b3-4d7a-8e21-5a6b7c8d9e02"]
--: context = "SET LOCAL app.clinic = '{tenant}'"
--: [[expect]]
--: object = "clinic.visits"
--: verb = "update"
--: kind = "leak"
CREATE ROLE vet_app LOGIN;
CREATE SCHEMA clinic;
CREATE TYPE clinic.species AS ENUM ('dog', 'cat', 'rabbit', 'bird');
CREATE FUNCTION clinic.me() RETURNS uuid LANGUAGE sql STABLE
  AS $$ SELECT nullif(current_setting('app.clinic', true), '')::uuid $$;
CREATE TABLE clinic.clinics (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  licence_no text NOT NULL CHECK (licence_no ~ '^V-[0-9]{4}$')
);
CREATE TABLE clinic.owners (
  clinic_id uuid NOT NULL REFERENCES clinic.clinics,
  owner_no int NOT NULL,
  full_name text NOT NULL,
  phone text CHECK (phone ~ '^\+[0-9]{8,15}$'),
  PRIMARY KEY (clinic_id, owner_no)
);
CREATE TABLE clinic.pets (
  clinic_id uuid NOT NULL,
  pet_no int NOT NULL,
  owner_no int NOT NULL,
  name text NOT NULL,
  kind clinic.species NOT NULL,
  born date CHECK (born > '1990-01-01'),
  PRIMARY KEY (clinic_id, pet_no),
  FOREIGN KEY (clinic_id, owner_no) REFERENCES clinic.owners (clinic_id, owner_no)
);
CREATE TABLE clinic.visits (
  clinic_id uuid NOT NULL,
  visit_id uuid NOT NULL DEFAULT gen_random_uuid(),
  pet_no int NOT NULL,
  seen_on date NOT NULL DEFAULT current_date,
  diagnosis text NOT NULL,
  fee numeric(8,2) NOT NULL CHECK (fee >= 0),
  PRIMARY KEY (clinic_id, visit_id),
  FOREIGN KEY (clinic_id, pet_no) REFERENCES clinic.pets (clinic_id, pet_no)
);
ALTER TABLE clinic.owners ENABLE ROW LEVEL SECURITY;
ALTER TABLE clinic.pets ENABLE ROW LEVEL SECURITY;
ALTER TABLE clinic.visits ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON clinic.owners USING (clinic_id = clinic.me());
CREATE POLICY own ON clinic.pets USING (clinic_id = clinic.me());
CREATE POLICY v_read ON clinic.visits FOR SELECT USING (clinic_id = clinic.me());
CREATE POLICY v_add ON clinic.visits FOR INSERT WITH CHECK (clinic_id = clinic.me());
CREATE POLICY v_edit ON clinic.visits FOR UPDATE USING (true) WITH CHECK (clinic_id = clinic.me());
GRANT USAGE ON SCHEMA clinic TO vet_app;
GRANT SELECT, INSERT, UPDATE ON clinic.owners, clinic.pets, clinic.visits TO vet_app;
INSERT INTO clinic.clinics VALUES
  ('7b1d0c52-2f0e-4c6c-9d53-0d5f4b1f0a01', 'Paws & Co', 'V-1001'),
  ('c2a4f6e8-91b3-4d7a-8e21-5a6b7c8d9e02', 'Tierarzt Huber', 'V-2002');
INSERT INTO clinic.owners SELECT id, 1, 'Owner of ' || name, '+4315550100' FROM clinic.clinics;
INSERT INTO clinic.pets SELECT id, 1, 1, 'Rex', 'dog', '2019-05-01' FROM clinic.clinics;
INSERT INTO clinic.visits (clinic_id, pet_no, diagnosis, fee) VALUES
  ('7b1d0c52-2f0e-4c6c-9d53-0d5f4b1f0a01', 1, 'ear mites', 40),
  ('c2a4f6e8-91b3-4d7a-8e21-5a6b7c8d9e02', 1, 'hip dysplasia', 310),
  ('c2a4f6e8-91b3-4d7a-8e21-5a6b7c8d9e02', 1, 'post-op check', 55);
--- fix
ALTER POLICY v_edit ON clinic.visits USING (clinic_id = clinic.me());
