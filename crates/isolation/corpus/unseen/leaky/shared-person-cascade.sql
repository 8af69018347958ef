--: why = "hr.people is shared by all companies a person works for; the FOR ALL policy plus DELETE right lets company A delete a common person, and ON DELETE CASCADE removes that person's employment and payslips in company B."
--: class = "cascade-through-shared-parent"
--: [[expect]]
--: object = "hr.people"
--: verb = "delete"
--: kind = "leak"
CREATE ROLE portal LOGIN;
CREATE SCHEMA hr;
CREATE TABLE hr.companies (company_id int PRIMARY KEY, legal_name text NOT NULL);
CREATE TABLE hr.people (
  person_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  given_name text NOT NULL, family_name text NOT NULL
);
CREATE TABLE hr.employments (
  company_id int NOT NULL REFERENCES hr.companies,
  person_id uuid NOT NULL REFERENCES hr.people ON DELETE CASCADE,
  job text NOT NULL, since date NOT NULL,
  PRIMARY KEY (company_id, person_id)
);
CREATE TABLE hr.payslips (
  company_id int NOT NULL, person_id uuid NOT NULL,
  month date NOT NULL CHECK (extract(day FROM month) = 1),
  gross numeric(10,2) NOT NULL CHECK (gross > 0),
  PRIMARY KEY (company_id, person_id, month),
  FOREIGN KEY (company_id, person_id) REFERENCES hr.employments ON DELETE CASCADE
);
CREATE FUNCTION hr.cid() RETURNS int LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('hr.company', true), '')::int $$;
ALTER TABLE hr.people ENABLE ROW LEVEL SECURITY;
ALTER TABLE hr.employments ENABLE ROW LEVEL SECURITY;
ALTER TABLE hr.payslips ENABLE ROW LEVEL SECURITY;
CREATE POLICY emp ON hr.employments FOR SELECT USING (company_id = hr.cid());
CREATE POLICY emp_upd ON hr.employments FOR UPDATE USING (company_id = hr.cid());
CREATE POLICY pay ON hr.payslips USING (company_id = hr.cid());
CREATE POLICY our_people ON hr.people USING (EXISTS (
  SELECT FROM hr.employments e WHERE e.person_id = people.person_id AND e.company_id = hr.cid()));
GRANT USAGE ON SCHEMA hr TO portal;
GRANT SELECT, DELETE ON hr.people TO portal;
GRANT SELECT, UPDATE (job, since) ON hr.employments TO portal;
GRANT SELECT, INSERT, UPDATE, DELETE ON hr.payslips TO portal;
INSERT INTO hr.companies VALUES (1, 'Alder AG'), (2, 'Birch BV');
INSERT INTO hr.people VALUES
  ('00000000-0000-4000-8000-00000000000a', 'Nora', 'Onlya'),
  ('00000000-0000-4000-8000-00000000000b', 'Ben', 'Onlyb'),
  ('00000000-0000-4000-8000-00000000000c', 'Cleo', 'Both');
INSERT INTO hr.employments VALUES
  (1, '00000000-0000-4000-8000-00000000000a', 'clerk', '2020-01-01'),
  (1, '00000000-0000-4000-8000-00000000000c', 'consultant', '2021-01-01'),
  (2, '00000000-0000-4000-8000-00000000000b', 'cook', '2019-01-01'),
  (2, '00000000-0000-4000-8000-00000000000c', 'auditor', '2022-01-01');
INSERT INTO hr.payslips SELECT company_id, person_id, '2024-03-01', 3000 + company_id FROM hr.employments;
-- request preamble: SET LOCAL hr.company = '<company_id>'
--- fix
REVOKE DELETE ON hr.people FROM portal;
