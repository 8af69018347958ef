--: why = "The tenant comes from app_metadata of the verified token, which only the identity server can write; user_metadata is used for nothing but the greeting."
--: class = "jwt-app-metadata"
CREATE ROLE authenticator LOGIN NOINHERIT;
CREATE ROLE anon NOLOGIN;
CREATE ROLE authenticated NOLOGIN;
GRANT anon, authenticated TO authenticator;
CREATE ROLE clinic_tables NOLOGIN;
CREATE SCHEMA auth AUTHORIZATION clinic_tables;
CREATE SCHEMA vet AUTHORIZATION clinic_tables;
SET ROLE clinic_tables;
CREATE FUNCTION auth.claims() RETURNS jsonb LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb $$;
CREATE FUNCTION auth.practice() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT (auth.claims() -> 'app_metadata' ->> 'practice')::uuid $$;
CREATE FUNCTION auth.greeting() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'Hello ' || coalesce(auth.claims() -> 'user_metadata' ->> 'nick', 'you') $$;
CREATE TABLE vet.animal (
  practice uuid NOT NULL DEFAULT auth.practice(), chip text NOT NULL CHECK (chip ~ '^\d{9}$'), name text NOT NULL, species text NOT NULL CHECK (species IN ('dog', 'cat', 'other')),
  PRIMARY KEY (practice, chip)
);
CREATE TABLE vet.treatment (
  practice uuid NOT NULL DEFAULT auth.practice(), chip text NOT NULL, on_day date NOT NULL, what text NOT NULL,
  PRIMARY KEY (practice, chip, on_day, what), FOREIGN KEY (practice, chip) REFERENCES vet.animal ON DELETE CASCADE
);
CREATE TABLE vet.opening (practice uuid NOT NULL, weekday smallint NOT NULL CHECK (weekday BETWEEN 1 AND 7), hours int4range NOT NULL, PRIMARY KEY (practice, weekday));
ALTER TABLE vet.animal ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE vet.treatment ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE vet.opening ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY practice ON vet.animal TO authenticated USING (practice = auth.practice());
CREATE POLICY practice ON vet.treatment TO authenticated USING (practice = auth.practice());
CREATE POLICY practice ON vet.opening FOR SELECT TO authenticated USING (practice = auth.practice());
GRANT USAGE ON SCHEMA auth, vet TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON vet.animal, vet.treatment TO authenticated;
GRANT SELECT ON vet.opening TO authenticated;
RESET ROLE;
INSERT INTO vet.animal VALUES
  ('7d3e0a51-10a4-4f8c-b7f2-1e5d3c2a0001', '100000001', 'Ajax', 'dog'), ('7d3e0a51-10a4-4f8c-b7f2-1e5d3c2a0002', '100000001', 'Zorro', 'cat');
INSERT INTO vet.treatment VALUES ('7d3e0a51-10a4-4f8c-b7f2-1e5d3c2a0002', '100000001', '2024-05-05', 'zoonosis');
