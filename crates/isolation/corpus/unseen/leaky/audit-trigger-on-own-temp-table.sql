--: why = "The definer audit trigger function may be executed by PUBLIC: the attacker attaches it to a temporary table of its own and so writes audit rows for any tenant."
--: class = "trigger-function-public-execute"
--: [isolation]
--: app_role = "safe_app"
--: tenant_column = "tenant_key"
--: tenants = ["t_alba", "t_zeta"]
--: context = "SET LOCAL safe.tenant = '{tenant}'"
--: [[expect]]
--: object = "safe.write_audit"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE safe_owner NOLOGIN;
CREATE ROLE safe_app LOGIN;
CREATE SCHEMA safe AUTHORIZATION safe_owner;
SET ROLE safe_owner;
CREATE TABLE safe.box (tenant_key text NOT NULL, box_no integer NOT NULL, content text NOT NULL, PRIMARY KEY (tenant_key, box_no));
CREATE TABLE safe.key_holder (tenant_key text NOT NULL, box_no integer NOT NULL, holder text NOT NULL, PRIMARY KEY (tenant_key, box_no, holder), FOREIGN KEY (tenant_key, box_no) REFERENCES safe.box ON DELETE CASCADE);
CREATE TABLE safe.audit (tenant_key text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(), actor text NOT NULL, tab text NOT NULL, op text NOT NULL, new_row jsonb);
CREATE FUNCTION safe.write_audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO safe.audit (tenant_key, actor, tab, op, new_row) VALUES (NEW.tenant_key, session_user, TG_TABLE_NAME, TG_OP, to_jsonb(NEW));
  RETURN NULL;
END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON safe.box FOR EACH ROW EXECUTE FUNCTION safe.write_audit();
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON safe.key_holder FOR EACH ROW EXECUTE FUNCTION safe.write_audit();
ALTER TABLE safe.box ENABLE ROW LEVEL SECURITY;
ALTER TABLE safe.key_holder ENABLE ROW LEVEL SECURITY;
ALTER TABLE safe.audit ENABLE ROW LEVEL SECURITY;
CREATE POLICY t ON safe.box TO safe_app USING (tenant_key = current_setting('safe.tenant', true));
CREATE POLICY t ON safe.key_holder TO safe_app USING (tenant_key = current_setting('safe.tenant', true));
CREATE POLICY t ON safe.audit FOR SELECT TO safe_app USING (tenant_key = current_setting('safe.tenant', true));
GRANT USAGE ON SCHEMA safe TO safe_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON safe.box, safe.key_holder TO safe_app;
GRANT SELECT ON safe.audit TO safe_app;
RESET ROLE;
INSERT INTO safe.box VALUES ('t_alba', 1, 'ring'), ('t_zeta', 1, 'zircon');
--- fix
REVOKE EXECUTE ON FUNCTION safe.write_audit() FROM PUBLIC;
