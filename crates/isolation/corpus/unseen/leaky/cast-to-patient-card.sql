--: why = "CREATE CAST (lab.patient_ref AS lab.patient_card) runs the SECURITY DEFINER function lab.card_of, which ignores the clinic; A casts the number of one of B's patients and gets name and blood group."
--: class = "definer-function-behind-cast"
--: [[expect]]
--: object = "lab.card_of"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE lab_web LOGIN;
CREATE SCHEMA lab;
CREATE TYPE lab.blood AS ENUM ('0', 'A', 'B', 'AB');
CREATE TYPE lab.patient_ref AS (num int);
CREATE TYPE lab.patient_card AS (num int, full_name text, blood lab.blood);
CREATE TABLE lab.clinics (clinic int PRIMARY KEY, name text NOT NULL);
CREATE TABLE lab.patients (
  clinic int NOT NULL REFERENCES lab.clinics, num int NOT NULL, full_name text NOT NULL, blood lab.blood NOT NULL,
  PRIMARY KEY (clinic, num)
);
CREATE TABLE lab.samples (
  clinic int NOT NULL, num int NOT NULL, tube char(6) NOT NULL CHECK (tube ~ '^T[0-9]{5}$'), taken timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (clinic, tube),
  FOREIGN KEY (clinic, num) REFERENCES lab.patients
);
CREATE TABLE lab.results (
  clinic int NOT NULL, tube char(6) NOT NULL, analyte text NOT NULL, value float8 NOT NULL,
  PRIMARY KEY (clinic, tube, analyte), FOREIGN KEY (clinic, tube) REFERENCES lab.samples
);
ALTER TABLE lab.patients ENABLE ROW LEVEL SECURITY;
ALTER TABLE lab.samples ENABLE ROW LEVEL SECURITY;
ALTER TABLE lab.results ENABLE ROW LEVEL SECURITY;
CREATE POLICY c ON lab.patients USING (clinic = current_setting('lab.clinic', true)::int);
CREATE POLICY c ON lab.samples USING (clinic = current_setting('lab.clinic', true)::int);
CREATE POLICY c ON lab.results USING (clinic = current_setting('lab.clinic', true)::int);
CREATE FUNCTION lab.card_of(r lab.patient_ref) RETURNS lab.patient_card
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = lab, pg_temp AS $$
  SELECT ROW(p.num, p.full_name, p.blood)::patient_card FROM patients p WHERE p.num = (r).num LIMIT 1
$$;
CREATE CAST (lab.patient_ref AS lab.patient_card) WITH FUNCTION lab.card_of(lab.patient_ref);
GRANT USAGE ON SCHEMA lab TO lab_web;
GRANT SELECT, INSERT, UPDATE ON lab.patients, lab.samples, lab.results TO lab_web;
INSERT INTO lab.clinics VALUES (1, 'North'), (2, 'South');
INSERT INTO lab.patients VALUES (1, 501, 'Anna N.', 'A'), (2, 777, 'Boris S.', 'AB');
INSERT INTO lab.samples VALUES (1, 501, 'T00001'), (2, 777, 'T00001');
INSERT INTO lab.results VALUES (1, 'T00001', 'glucose', 5.1), (2, 'T00001', 'hiv', 1);
--- fix
CREATE OR REPLACE FUNCTION lab.card_of(r lab.patient_ref) RETURNS lab.patient_card
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = lab, pg_temp AS $$
  SELECT ROW(p.num, p.full_name, p.blood)::patient_card FROM patients p
  WHERE p.num = (r).num AND p.clinic = current_setting('lab.clinic', true)::int LIMIT 1
$$;
