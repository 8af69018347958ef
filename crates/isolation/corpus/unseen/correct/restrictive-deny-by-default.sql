--: why = "The permissive policies only say USING (true); the tenant rule sits in RESTRICTIVE policies on every table, which are ANDed and so deny everything outside the tenant."
--: class = "restrictive-tenant-policy"
--: [isolation]
--: app_role = "lab_service"
--: tenant_column = "lab_ref"
--: tenants = ["lab-aachen", "lab-zwickau"]
--: context = "SET LOCAL lims.lab = '{tenant}'"
CREATE ROLE lims_owner NOLOGIN;
CREATE ROLE lab_service LOGIN;
CREATE SCHEMA lims AUTHORIZATION lims_owner;
SET ROLE lims_owner;
CREATE TABLE lims.method (lab_ref text NOT NULL, code text NOT NULL, title text NOT NULL, PRIMARY KEY (lab_ref, code));
CREATE TABLE lims.sample (
  lab_ref text NOT NULL, barcode text NOT NULL, taken date NOT NULL, client text NOT NULL,
  PRIMARY KEY (lab_ref, barcode)
);
CREATE TABLE lims.result (
  lab_ref text NOT NULL, barcode text NOT NULL, code text NOT NULL, value numeric NOT NULL, approved boolean NOT NULL DEFAULT false,
  PRIMARY KEY (lab_ref, barcode, code),
  FOREIGN KEY (lab_ref, barcode) REFERENCES lims.sample ON DELETE CASCADE,
  FOREIGN KEY (lab_ref, code) REFERENCES lims.method
);
DO $$
DECLARE r regclass;
BEGIN
  FOR r IN SELECT oid::regclass FROM pg_class WHERE relnamespace = 'lims'::regnamespace AND relkind = 'r' LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', r);
    EXECUTE format('CREATE POLICY everyone ON %s USING (true) WITH CHECK (true)', r);
    EXECUTE format('CREATE POLICY tenant_wall ON %s AS RESTRICTIVE USING (lab_ref = current_setting(''lims.lab'', true)) WITH CHECK (lab_ref = current_setting(''lims.lab'', true))', r);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO lab_service', r);
  END LOOP;
END $$;
CREATE POLICY approved_is_final ON lims.result AS RESTRICTIVE FOR DELETE USING (NOT approved);
GRANT USAGE ON SCHEMA lims TO lab_service;
RESET ROLE;
INSERT INTO lims.method VALUES ('lab-aachen', 'PB', 'Lead'), ('lab-zwickau', 'ZN', 'Zinc');
INSERT INTO lims.sample VALUES ('lab-aachen', 'S1', '2024-02-01', 'Town'), ('lab-zwickau', 'S1', '2024-02-01', 'Zeche AG');
INSERT INTO lims.result VALUES ('lab-aachen', 'S1', 'PB', 0.4, true), ('lab-zwickau', 'S1', 'ZN', 99.1, false);
