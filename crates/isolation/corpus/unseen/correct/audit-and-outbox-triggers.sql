--: why = "Definer triggers write an audit log and an outbox whose tenant is taken from the changed row; nobody may call the trigger functions directly, the app reads only its own audit rows and the relay role is out of its reach."
--: class = "definer-trigger-audit"
--: [isolation]
--: app_role = "payroll_app"
--: tenant_column = "employer"
--: tenants = ["DE100", "DE900"]
--: context = "SET LOCAL payroll.employer = '{tenant}'"
CREATE ROLE payroll_owner NOLOGIN;
CREATE ROLE payroll_app LOGIN;
CREATE ROLE payroll_relay LOGIN;
CREATE SCHEMA payroll AUTHORIZATION payroll_owner;
SET ROLE payroll_owner;
CREATE DOMAIN payroll.employer_id AS text CHECK (VALUE ~ '^[A-Z]{2}[0-9]{3}$');
CREATE TABLE payroll.employee (
  employer payroll.employer_id NOT NULL, staff_no integer NOT NULL, name text NOT NULL, salary numeric(10, 2) NOT NULL CHECK (salary > 0),
  PRIMARY KEY (employer, staff_no)
);
CREATE TABLE payroll.audit (
  audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  employer payroll.employer_id NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(), op text NOT NULL, old_row jsonb, new_row jsonb
);
CREATE TABLE payroll.outbox (
  outbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  employer payroll.employer_id NOT NULL, topic text NOT NULL, payload jsonb NOT NULL, sent boolean NOT NULL DEFAULT false
);
CREATE FUNCTION payroll.log_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO payroll.audit (employer, op, old_row, new_row)
  VALUES (coalesce(NEW.employer, OLD.employer), TG_OP, to_jsonb(OLD), to_jsonb(NEW));
  INSERT INTO payroll.outbox (employer, topic, payload)
  VALUES (coalesce(NEW.employer, OLD.employer), 'employee.' || lower(TG_OP), jsonb_build_object('staff_no', coalesce(NEW.staff_no, OLD.staff_no)));
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION payroll.log_change() FROM PUBLIC;
CREATE TRIGGER log_change AFTER INSERT OR UPDATE OR DELETE ON payroll.employee FOR EACH ROW EXECUTE FUNCTION payroll.log_change();
ALTER TABLE payroll.employee ENABLE ROW LEVEL SECURITY;
ALTER TABLE payroll.audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE payroll.outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON payroll.employee TO payroll_app USING (employer = current_setting('payroll.employer', true));
CREATE POLICY own ON payroll.audit FOR SELECT TO payroll_app USING (employer = current_setting('payroll.employer', true));
CREATE POLICY relay_all ON payroll.outbox TO payroll_relay USING (true);
GRANT USAGE ON SCHEMA payroll TO payroll_app, payroll_relay;
GRANT SELECT, INSERT, UPDATE, DELETE ON payroll.employee TO payroll_app;
GRANT SELECT (employer, at, op, old_row, new_row) ON payroll.audit TO payroll_app;
GRANT SELECT, DELETE, UPDATE (sent) ON payroll.outbox TO payroll_relay;
RESET ROLE;
INSERT INTO payroll.employee VALUES ('DE100', 1, 'Ada', 3000), ('DE900', 1, 'Zara', 9999);
