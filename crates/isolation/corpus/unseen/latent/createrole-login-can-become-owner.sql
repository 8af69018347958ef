--: why = "The login of the deployment pipeline has CREATEROLE, which in version 15 lets it grant itself membership in the table owner and switch row security off for all tenants."
--: class = "createrole-login"
--: until = 15
--: [[expect]]
--: object = "role:parish_deploy"
--: verb = "select"
--: kind = "warning"
CREATE ROLE parish_owner NOLOGIN;
CREATE ROLE parish_app LOGIN;
CREATE ROLE parish_deploy LOGIN CREATEROLE;
CREATE SCHEMA parish AUTHORIZATION parish_owner;
SET ROLE parish_owner;
CREATE TABLE parish.family (parish smallint NOT NULL, family_no integer NOT NULL, surname text NOT NULL, PRIMARY KEY (parish, family_no));
CREATE TABLE parish.donation (
  parish smallint NOT NULL, family_no integer NOT NULL, day date NOT NULL, eur numeric(8, 2) NOT NULL CHECK (eur > 0),
  PRIMARY KEY (parish, family_no, day), FOREIGN KEY (parish, family_no) REFERENCES parish.family ON DELETE CASCADE
);
CREATE TABLE parish.confession_slot (parish smallint NOT NULL, slot timestamptz NOT NULL, taken boolean NOT NULL DEFAULT false, PRIMARY KEY (parish, slot));
ALTER TABLE parish.family ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE parish.donation ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE parish.confession_slot ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON parish.family USING (parish = nullif(current_setting('parish.no', true), '')::smallint);
CREATE POLICY p ON parish.donation USING (parish = nullif(current_setting('parish.no', true), '')::smallint);
CREATE POLICY p ON parish.confession_slot USING (parish = nullif(current_setting('parish.no', true), '')::smallint);
GRANT USAGE ON SCHEMA parish TO parish_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA parish TO parish_app;
RESET ROLE;
INSERT INTO parish.family VALUES (1, 1, 'Amsel'), (2, 1, 'Zeisig');
INSERT INTO parish.donation VALUES (1, 1, '2024-01-06', 20), (2, 1, '2024-01-06', 5000);
--- fix
ALTER ROLE parish_deploy NOCREATEROLE;
