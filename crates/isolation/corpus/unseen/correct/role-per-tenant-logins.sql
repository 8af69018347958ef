--: why = "Each school has its own group role and its own login; a policy lets a login see the rows of every school group it is a member of, so no session setting can be forged."
--: class = "pg-has-role"
CREATE ROLE school_birch NOLOGIN;
CREATE ROLE school_cedar NOLOGIN;
CREATE ROLE birch_office LOGIN IN ROLE school_birch;
CREATE ROLE cedar_office LOGIN IN ROLE school_cedar;
CREATE ROLE school_users NOLOGIN ROLE school_birch, school_cedar;
CREATE SCHEMA school;
CREATE TABLE school.pupil (
  school name NOT NULL CHECK (school LIKE 'school\_%'), pupil_no integer NOT NULL, name text NOT NULL, born date,
  PRIMARY KEY (school, pupil_no)
);
CREATE TABLE school.mark (
  school name NOT NULL, pupil_no integer NOT NULL, subject text NOT NULL, mark smallint NOT NULL CHECK (mark BETWEEN 1 AND 6),
  PRIMARY KEY (school, pupil_no, subject),
  FOREIGN KEY (school, pupil_no) REFERENCES school.pupil ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE school.holiday (day date PRIMARY KEY, label text NOT NULL);
ALTER TABLE school.pupil ENABLE ROW LEVEL SECURITY;
ALTER TABLE school.mark ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_school ON school.pupil TO school_users USING (pg_has_role(current_user, school, 'member'));
CREATE POLICY of_school ON school.mark TO school_users USING (pg_has_role(current_user, school, 'member'));
GRANT USAGE ON SCHEMA school TO school_users;
GRANT SELECT, INSERT, UPDATE, DELETE ON school.pupil, school.mark TO school_users;
GRANT SELECT ON school.holiday TO school_users;
INSERT INTO school.pupil VALUES ('school_birch', 1, 'Lena', '2012-02-02'), ('school_cedar', 1, 'Zafer', '2011-03-03');
INSERT INTO school.mark VALUES ('school_birch', 1, 'maths', 2), ('school_cedar', 1, 'maths', 5);
INSERT INTO school.holiday VALUES ('2025-05-01', 'Labour Day');
