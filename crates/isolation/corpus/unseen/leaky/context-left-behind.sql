--: why = "ref.vat_for(country) switches app.tenant_id to the head office 'hq' with set_config to pass the policy of ref.vat_rates and never switches back; after one call the rest of tenant A's transaction runs as tenant hq."
--: class = "session-context-not-restored"
--: [isolation]
--: app_role = "pay_app"
--: tenant_column = "tenant_id"
--: tenants = ["branch7", "hq"]
--: context = "SET LOCAL app.tenant_id = '{tenant}'"
--: [[expect]]
--: object = "ref.vat_for"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE pay_app LOGIN;
CREATE SCHEMA ref;
CREATE SCHEMA pay;
CREATE TABLE ref.vat_rates (country char(2) PRIMARY KEY CHECK (country ~ '^[A-Z]{2}$'), pct numeric(4,1) NOT NULL CHECK (pct BETWEEN 0 AND 30));
CREATE TABLE pay.tenants (tenant_id text PRIMARY KEY, city text NOT NULL);
CREATE TABLE pay.suppliers (
  tenant_id text NOT NULL REFERENCES pay.tenants, sup_no int NOT NULL, name text NOT NULL, country char(2) NOT NULL, PRIMARY KEY (tenant_id, sup_no)
);
CREATE TABLE pay.bills (
  tenant_id text NOT NULL, bill_no int NOT NULL, sup_no int NOT NULL, net numeric(10,2) NOT NULL CHECK (net > 0),
  PRIMARY KEY (tenant_id, bill_no), FOREIGN KEY (tenant_id, sup_no) REFERENCES pay.suppliers
);
ALTER TABLE ref.vat_rates ENABLE ROW LEVEL SECURITY;
ALTER TABLE pay.suppliers ENABLE ROW LEVEL SECURITY;
ALTER TABLE pay.bills ENABLE ROW LEVEL SECURITY;
CREATE POLICY hq_only ON ref.vat_rates FOR SELECT USING (current_setting('app.tenant_id', true) = 'hq');
CREATE POLICY t ON pay.suppliers USING (tenant_id = current_setting('app.tenant_id', true));
CREATE POLICY t ON pay.bills USING (tenant_id = current_setting('app.tenant_id', true));
CREATE FUNCTION ref.vat_for(c text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE r numeric;
BEGIN
  PERFORM set_config('app.tenant_id', 'hq', true);
  SELECT v.pct INTO r FROM ref.vat_rates v WHERE v.country = c;
  RETURN coalesce(r, 0);
END $$;
GRANT USAGE ON SCHEMA ref, pay TO pay_app;
GRANT SELECT ON ref.vat_rates TO pay_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON pay.suppliers, pay.bills TO pay_app;
INSERT INTO ref.vat_rates VALUES ('AT', 20), ('DE', 19);
INSERT INTO pay.tenants VALUES ('branch7', 'Steyr'), ('hq', 'Wien');
INSERT INTO pay.suppliers VALUES ('branch7', 1, 'Local', 'AT'), ('hq', 1, 'Consulting', 'DE');
INSERT INTO pay.bills VALUES ('branch7', 1, 1, 50), ('hq', 1, 1, 250000);
--- fix
ALTER FUNCTION ref.vat_for(text) SET app.tenant_id = '';
