--: why = "The batch import checks the school of the first array element only, then upserts every element under the school it names itself."
--: class = "batch-checks-first-only"
--: [[expect]]
--: object = "school.import_marks"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE school_owner NOLOGIN;
CREATE ROLE school_app LOGIN;
CREATE SCHEMA school AUTHORIZATION school_owner;
SET ROLE school_owner;
CREATE TABLE school.pupil (school_id integer NOT NULL, pupil_no integer NOT NULL, name text NOT NULL, PRIMARY KEY (school_id, pupil_no));
CREATE TABLE school.subject (code text PRIMARY KEY CHECK (code ~ '^[A-Z]{2}$'));
CREATE TABLE school.mark (
  school_id integer NOT NULL, pupil_no integer NOT NULL, subject text NOT NULL REFERENCES school.subject, term text NOT NULL CHECK (term ~ '^\d{4}-[12]$'), mark smallint NOT NULL CHECK (mark BETWEEN 1 AND 6),
  PRIMARY KEY (school_id, pupil_no, subject, term), FOREIGN KEY (school_id, pupil_no) REFERENCES school.pupil
);
ALTER TABLE school.pupil ENABLE ROW LEVEL SECURITY;
ALTER TABLE school.mark ENABLE ROW LEVEL SECURITY;
CREATE POLICY s ON school.pupil TO school_app USING (school_id = nullif(current_setting('school.id', true), '')::integer);
CREATE POLICY s ON school.mark FOR SELECT TO school_app USING (school_id = nullif(current_setting('school.id', true), '')::integer);
CREATE FUNCTION school.import_marks(p jsonb) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE n integer;
BEGIN
  IF jsonb_typeof(p) <> 'array' OR (p -> 0 ->> 'school_id')::integer IS DISTINCT FROM nullif(current_setting('school.id', true), '')::integer THEN
    RAISE insufficient_privilege USING MESSAGE = 'batch of another school';
  END IF;
  INSERT INTO school.mark (school_id, pupil_no, subject, term, mark)
  SELECT m.school_id, m.pupil_no, m.subject, m.term, m.mark
    FROM jsonb_to_recordset(p) AS m(school_id integer, pupil_no integer, subject text, term text, mark smallint)
  ON CONFLICT (school_id, pupil_no, subject, term) DO UPDATE SET mark = excluded.mark;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;
REVOKE ALL ON FUNCTION school.import_marks(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION school.import_marks(jsonb) TO school_app;
GRANT USAGE ON SCHEMA school TO school_app;
GRANT SELECT ON school.pupil, school.subject, school.mark TO school_app;
RESET ROLE;
INSERT INTO school.pupil VALUES (301, 1, 'Anton'), (302, 1, 'Zacharias');
INSERT INTO school.subject VALUES ('MA'), ('EN');
INSERT INTO school.mark VALUES (301, 1, 'MA', '2024-1', 3), (302, 1, 'MA', '2024-1', 1);
--- fix
CREATE OR REPLACE FUNCTION school.import_marks(p jsonb) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE n integer;
BEGIN
  IF jsonb_typeof(p) <> 'array' OR EXISTS (
       SELECT 1 FROM jsonb_array_elements(p) e
        WHERE (e ->> 'school_id')::integer IS DISTINCT FROM nullif(current_setting('school.id', true), '')::integer) THEN
    RAISE insufficient_privilege USING MESSAGE = 'batch of another school';
  END IF;
  INSERT INTO school.mark (school_id, pupil_no, subject, term, mark)
  SELECT m.school_id, m.pupil_no, m.subject, m.term, m.mark
    FROM jsonb_to_recordset(p) AS m(school_id integer, pupil_no integer, subject text, term text, mark smallint)
  ON CONFLICT (school_id, pupil_no, subject, term) DO UPDATE SET mark = excluded.mark;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;
