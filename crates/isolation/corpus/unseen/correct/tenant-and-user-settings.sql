--: why = "Two settings, company and person, are both required: a plpgsql helper raises when one is missing, drafts are private to their author and e-mail addresses are unique per company in lower case."
--: class = "tenant-and-user-context"
--: [isolation]
--: app_role = "mail_app"
--: tenant_column = "company"
--: tenants = ["501", "502"]
--: context = ["SET LOCAL mail.company = '{tenant}'", "SET LOCAL mail.person = '{principal}'"]
--: principals = ["ada", "zed"]
CREATE ROLE mail_owner NOLOGIN;
CREATE ROLE mail_app LOGIN;
CREATE SCHEMA mail AUTHORIZATION mail_owner;
SET ROLE mail_owner;
CREATE DOMAIN mail.company_no AS integer CHECK (VALUE > 500);
CREATE FUNCTION mail.ctx(p text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE v text := current_setting('mail.' || p, true);
BEGIN
  IF coalesce(v, '') = '' THEN RAISE EXCEPTION 'context % is missing', p USING ERRCODE = '42501'; END IF;
  RETURN v;
END $$;
CREATE TABLE mail.person (company mail.company_no NOT NULL, login text NOT NULL, email text NOT NULL CHECK (position('@' IN email) > 1), PRIMARY KEY (company, login));
CREATE UNIQUE INDEX person_email ON mail.person (company, lower(email));
CREATE TABLE mail.thread (company mail.company_no NOT NULL, thread_no integer NOT NULL, subject text NOT NULL, PRIMARY KEY (company, thread_no));
CREATE TABLE mail.message (
  company mail.company_no NOT NULL, thread_no integer NOT NULL, msg_no integer NOT NULL, author text NOT NULL, body text NOT NULL, is_draft boolean NOT NULL DEFAULT true,
  PRIMARY KEY (company, thread_no, author, msg_no),
  FOREIGN KEY (company, thread_no) REFERENCES mail.thread ON DELETE CASCADE,
  FOREIGN KEY (company, author) REFERENCES mail.person
);
ALTER TABLE mail.person ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE mail.thread ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE mail.message ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY company ON mail.person USING (company = mail.ctx('company')::integer);
CREATE POLICY company ON mail.thread USING (company = mail.ctx('company')::integer);
CREATE POLICY company ON mail.message USING (company = mail.ctx('company')::integer AND (author = mail.ctx('person') OR NOT is_draft))
  WITH CHECK (company = mail.ctx('company')::integer AND author = mail.ctx('person'));
GRANT USAGE ON SCHEMA mail TO mail_app;
GRANT SELECT, INSERT ON mail.person, mail.thread TO mail_app;
GRANT SELECT, INSERT, UPDATE (body, is_draft), DELETE ON mail.message TO mail_app;
RESET ROLE;
INSERT INTO mail.person VALUES (501, 'ada', 'Ada@a.example'), (501, 'al', 'al@a.example'), (502, 'zed', 'zed@z.example'), (502, 'ada', 'ada2@z.example');
INSERT INTO mail.thread VALUES (501, 1, 'Lunch'), (502, 1, 'Zinc deal');
INSERT INTO mail.message VALUES (501, 1, 1, 'al', 'al draft', true), (501, 1, 2, 'al', 'sent', false), (502, 1, 1, 'zed', 'zinc price', false), (502, 1, 2, 'ada', 'zinc other ada', true);
