--: why = "core.rows_of(anyelement) is a SECURITY DEFINER helper that returns the rows of the table named by its argument's type and filters only if there is a column tenant_id; core.payroll calls it company, so its rows come back for every tenant although the app has no right on it."
--: class = "definer-polymorphic-fetch"
--: [[expect]]
--: object = "core.rows_of"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE api_user LOGIN;
CREATE SCHEMA core;
CREATE TABLE core.companies (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE core.projects (
  tenant_id int NOT NULL REFERENCES core.companies, code text NOT NULL, budget numeric(12,2) NOT NULL CHECK (budget >= 0),
  PRIMARY KEY (tenant_id, code)
);
CREATE TABLE core.tasks (
  tenant_id int NOT NULL, code text NOT NULL, task_no int NOT NULL, done boolean NOT NULL DEFAULT false, title text NOT NULL,
  PRIMARY KEY (tenant_id, code, task_no), FOREIGN KEY (tenant_id, code) REFERENCES core.projects ON DELETE CASCADE
);
CREATE TABLE core.payroll (
  company int NOT NULL REFERENCES core.companies, employee text NOT NULL, salary numeric(10,2) NOT NULL CHECK (salary > 0),
  PRIMARY KEY (company, employee)
);
ALTER TABLE core.projects ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.tasks ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.payroll ENABLE ROW LEVEL SECURITY;
CREATE POLICY t ON core.projects USING (tenant_id = current_setting('app.tenant_id')::int);
CREATE POLICY t ON core.tasks USING (tenant_id = current_setting('app.tenant_id')::int);
CREATE POLICY t ON core.payroll USING (company = current_setting('app.tenant_id')::int);
CREATE FUNCTION core.rows_of(kind anyelement) RETURNS SETOF anyelement
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE rel oid := (SELECT typrelid FROM pg_type WHERE oid = pg_typeof(kind));
        q text := format('SELECT x.* FROM %s x', rel::regclass);
BEGIN
  IF (SELECT relnamespace <> 'core'::regnamespace FROM pg_class WHERE oid = rel) THEN
    RAISE EXCEPTION 'not a core table';
  END IF;
  IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = rel AND attname = 'tenant_id') THEN
    q := q || ' WHERE x.tenant_id = current_setting(''app.tenant_id'')::int';
  ELSIF rel = 'core.companies'::regclass THEN
    q := q || ' WHERE x.id = current_setting(''app.tenant_id'')::int';
  END IF;
  RETURN QUERY EXECUTE q;
END $$;
GRANT USAGE ON SCHEMA core TO api_user;
GRANT SELECT, INSERT, UPDATE, DELETE ON core.projects, core.tasks TO api_user;
INSERT INTO core.companies VALUES (1, 'Ahorn'), (2, 'Buche');
INSERT INTO core.projects VALUES (1, 'P1', 1000), (2, 'P1', 2000);
INSERT INTO core.tasks VALUES (1, 'P1', 1, false, 'dig'), (2, 'P1', 1, false, 'fill');
INSERT INTO core.payroll VALUES (1, 'Anton', 2500), (2, 'Berta', 9900);
--- fix
CREATE OR REPLACE FUNCTION core.rows_of(kind anyelement) RETURNS SETOF anyelement
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE rel oid := (SELECT typrelid FROM pg_type WHERE oid = pg_typeof(kind));
        q text := format('SELECT x.* FROM %s x', rel::regclass);
BEGIN
  IF (SELECT relnamespace <> 'core'::regnamespace FROM pg_class WHERE oid = rel) THEN
    RAISE EXCEPTION 'not a core table';
  END IF;
  IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = rel AND attname = 'tenant_id') THEN
    q := q || ' WHERE x.tenant_id = current_setting(''app.tenant_id'')::int';
  ELSIF rel = 'core.companies'::regclass THEN
    q := q || ' WHERE x.id = current_setting(''app.tenant_id'')::int';
  ELSE
    RAISE EXCEPTION 'not a tenant table';
  END IF;
  RETURN QUERY EXECUTE q;
END $$;
