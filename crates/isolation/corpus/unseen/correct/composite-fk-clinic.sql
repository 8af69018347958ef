--: why = "Every key starts with the clinic number and every foreign key carries it, patient numbers are issued per clinic from a counter row, so neither a duplicate nor a missing parent says anything about another clinic."
--: class = "composite-tenant-keys"
--: [isolation]
--: app_role = "clinic_app"
--: tenant_column = "clinic_no"
--: tenants = ["17", "42"]
--: context = "SET LOCAL care.clinic_no = '{tenant}'"
CREATE ROLE clinic_owner NOLOGIN;
CREATE ROLE clinic_app LOGIN;
CREATE SCHEMA care AUTHORIZATION clinic_owner;
SET ROLE clinic_owner;
CREATE TYPE care.visit_state AS ENUM ('booked', 'arrived', 'done', 'missed');
CREATE FUNCTION care.clinic() RETURNS smallint LANGUAGE sql STABLE
  AS $$ SELECT nullif(current_setting('care.clinic_no', true), '')::smallint $$;
CREATE TABLE care.clinic_info (
  clinic_no smallint PRIMARY KEY CHECK (clinic_no > 0),
  title text NOT NULL
);
CREATE TABLE care.counter (
  clinic_no smallint NOT NULL REFERENCES care.clinic_info,
  kind text NOT NULL CHECK (kind IN ('patient', 'visit')),
  last_no integer NOT NULL DEFAULT 0,
  PRIMARY KEY (clinic_no, kind)
);
CREATE TABLE care.patient (
  clinic_no smallint NOT NULL REFERENCES care.clinic_info,
  patient_no integer NOT NULL,
  full_name text NOT NULL,
  insurance_no text CHECK (insurance_no ~ '^[A-Z][0-9]{6}$'),
  PRIMARY KEY (clinic_no, patient_no),
  UNIQUE (clinic_no, insurance_no)
);
CREATE TABLE care.visit (
  clinic_no smallint NOT NULL,
  visit_no integer NOT NULL,
  patient_no integer NOT NULL,
  state care.visit_state NOT NULL DEFAULT 'booked',
  finding text,
  PRIMARY KEY (clinic_no, visit_no),
  FOREIGN KEY (clinic_no, patient_no) REFERENCES care.patient ON DELETE RESTRICT
);
CREATE FUNCTION care.number_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE n integer;
BEGIN
  UPDATE care.counter SET last_no = last_no + 1
   WHERE clinic_no = NEW.clinic_no AND kind = TG_ARGV[0] RETURNING last_no INTO n;
  IF TG_ARGV[0] = 'patient' THEN NEW.patient_no := n; ELSE NEW.visit_no := n; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER number_patient BEFORE INSERT ON care.patient FOR EACH ROW EXECUTE FUNCTION care.number_row('patient');
CREATE TRIGGER number_visit BEFORE INSERT ON care.visit FOR EACH ROW EXECUTE FUNCTION care.number_row('visit');
ALTER TABLE care.clinic_info ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE care.counter ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE care.patient ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE care.visit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_clinic ON care.clinic_info USING (clinic_no = care.clinic());
CREATE POLICY own_clinic ON care.counter USING (clinic_no = care.clinic());
CREATE POLICY own_clinic ON care.patient USING (clinic_no = care.clinic());
CREATE POLICY own_clinic ON care.visit USING (clinic_no = care.clinic());
GRANT USAGE ON SCHEMA care TO clinic_app;
GRANT SELECT ON care.clinic_info TO clinic_app;
GRANT SELECT, UPDATE ON care.counter TO clinic_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON care.patient, care.visit TO clinic_app;
RESET ROLE;
INSERT INTO care.clinic_info VALUES (17, 'Clinic at the Weir'), (42, 'Hilltop Surgery');
INSERT INTO care.counter (clinic_no, kind) SELECT c, k FROM unnest(ARRAY[17, 42]) c, unnest(ARRAY['patient', 'visit']) k;
INSERT INTO care.patient (clinic_no, full_name, insurance_no) VALUES
  (17, 'Ada Brook', 'A100001'), (42, 'Zeno Quill', 'Q900001'), (42, 'Zita Quill', 'Q900002');
INSERT INTO care.visit (clinic_no, patient_no, finding) VALUES (17, 1, 'sprain'), (42, 2, 'zoster');
