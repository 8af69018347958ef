--: why = "edu.visible_units() is meant to walk down from the caller's unit, but its recursive join also goes from child to parent (OR), so school A reaches the shared district office and from there its sibling school B and B's pupils."
--: class = "hierarchy-recursion-both-ways"
--: [isolation]
--: app_role = "campus_web"
--: tenant_column = "unit_id"
--: tenants = ["10", "20"]
--: context = "SET LOCAL edu.unit = '{tenant}'"
--: [[expect]]
--: object = "edu.visible_units"
--: verb = "select"
--: kind = "leak"
CREATE ROLE campus_web LOGIN;
CREATE SCHEMA edu;
CREATE TYPE edu.unit_kind AS ENUM ('district', 'school', 'branch');
CREATE TABLE edu.units (
  unit_id int PRIMARY KEY,
  parent_id int REFERENCES edu.units,
  kind edu.unit_kind NOT NULL,
  name text NOT NULL,
  CHECK ((parent_id IS NULL) = (kind = 'district'))
);
CREATE TABLE edu.pupils (
  unit_id int NOT NULL REFERENCES edu.units,
  pupil_no int NOT NULL,
  full_name text NOT NULL,
  born date NOT NULL CHECK (born BETWEEN '1995-01-01' AND '2030-01-01'),
  PRIMARY KEY (unit_id, pupil_no)
);
CREATE TABLE edu.grades (
  unit_id int NOT NULL,
  pupil_no int NOT NULL,
  subject text NOT NULL,
  term smallint NOT NULL CHECK (term IN (1, 2)),
  mark smallint NOT NULL CHECK (mark BETWEEN 1 AND 6),
  PRIMARY KEY (unit_id, pupil_no, subject, term),
  FOREIGN KEY (unit_id, pupil_no) REFERENCES edu.pupils ON DELETE CASCADE
);
CREATE FUNCTION edu.visible_units() RETURNS SETOF int
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = edu, pg_temp AS $$
  WITH RECURSIVE t AS (
    SELECT u.unit_id, u.parent_id FROM units u WHERE u.unit_id = current_setting('edu.unit')::int
    UNION
    SELECT u.unit_id, u.parent_id FROM units u JOIN t ON u.parent_id = t.unit_id OR u.unit_id = t.parent_id
  ) SELECT unit_id FROM t
$$;
ALTER TABLE edu.pupils ENABLE ROW LEVEL SECURITY;
ALTER TABLE edu.grades ENABLE ROW LEVEL SECURITY;
CREATE POLICY tree ON edu.pupils FOR SELECT USING (unit_id IN (SELECT edu.visible_units()));
CREATE POLICY tree ON edu.grades FOR SELECT USING (unit_id IN (SELECT edu.visible_units()));
CREATE POLICY own_ins ON edu.grades FOR INSERT WITH CHECK (unit_id = current_setting('edu.unit')::int);
CREATE POLICY own_upd ON edu.grades FOR UPDATE USING (unit_id = current_setting('edu.unit')::int);
GRANT USAGE ON SCHEMA edu TO campus_web;
GRANT SELECT ON edu.pupils TO campus_web;
GRANT SELECT, INSERT, UPDATE ON edu.grades TO campus_web;
-- web tier: SET LOCAL edu.unit = '<unit_id of the signed-in school>'
INSERT INTO edu.units VALUES (1, NULL, 'district', 'District West'),
  (10, 1, 'school', 'Lindenschule'), (20, 1, 'school', 'Parkschule'), (11, 10, 'branch', 'Linden annex');
INSERT INTO edu.pupils VALUES (10, 1, 'Ada Ten', '2012-03-04'), (11, 1, 'Al Eleven', '2012-08-04'), (20, 1, 'Bea Twenty', '2011-01-02');
INSERT INTO edu.grades VALUES (10, 1, 'maths', 1, 2), (11, 1, 'maths', 1, 3), (20, 1, 'maths', 1, 5);
--- fix
CREATE OR REPLACE FUNCTION edu.visible_units() RETURNS SETOF int
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = edu, pg_temp AS $$
  WITH RECURSIVE t AS (
    SELECT u.unit_id FROM units u WHERE u.unit_id = current_setting('edu.unit')::int
    UNION
    SELECT u.unit_id FROM units u JOIN t ON u.parent_id = t.unit_id
  ) SELECT unit_id FROM t
$$;
