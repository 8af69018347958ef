--: why = "Published offers are a public directory on purpose (policy catalogue_is_public reads published rows of all vendors); drafts, purchase prices and every write stay with the vendor."
--: class = "public-by-design"
--: [isolation]
--: app_role = "bazaar_app"
--: tenant_column = "vendor"
--: tenants = ["v_apricot", "v_zucchini"]
--: context = "SET LOCAL bazaar.vendor = '{tenant}'"
CREATE ROLE bazaar_owner NOLOGIN;
CREATE ROLE bazaar_app LOGIN;
CREATE SCHEMA bazaar AUTHORIZATION bazaar_owner;
SET ROLE bazaar_owner;
CREATE TABLE bazaar.offer (
  vendor text NOT NULL, sku text NOT NULL, title text NOT NULL, price numeric(8, 2) NOT NULL CHECK (price > 0), published boolean NOT NULL DEFAULT false,
  PRIMARY KEY (vendor, sku)
);
CREATE TABLE bazaar.purchase_price (
  vendor text NOT NULL, sku text NOT NULL, cost numeric(8, 2) NOT NULL, PRIMARY KEY (vendor, sku), FOREIGN KEY (vendor, sku) REFERENCES bazaar.offer ON DELETE CASCADE
);
CREATE TABLE bazaar.sale (
  vendor text NOT NULL, sale_no integer NOT NULL, sku text NOT NULL, buyer text NOT NULL, PRIMARY KEY (vendor, sale_no), FOREIGN KEY (vendor, sku) REFERENCES bazaar.offer
);
ALTER TABLE bazaar.offer ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE bazaar.purchase_price ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE bazaar.sale ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY catalogue_is_public ON bazaar.offer FOR SELECT USING (published);
CREATE POLICY vendor_reads ON bazaar.offer FOR SELECT USING (vendor = current_setting('bazaar.vendor', true));
CREATE POLICY vendor_adds ON bazaar.offer FOR INSERT WITH CHECK (vendor = current_setting('bazaar.vendor', true));
CREATE POLICY vendor_edits ON bazaar.offer FOR UPDATE USING (vendor = current_setting('bazaar.vendor', true)) WITH CHECK (vendor = current_setting('bazaar.vendor', true));
CREATE POLICY vendor_removes ON bazaar.offer FOR DELETE USING (vendor = current_setting('bazaar.vendor', true));
CREATE POLICY vendor_only ON bazaar.purchase_price USING (vendor = current_setting('bazaar.vendor', true));
CREATE POLICY vendor_only ON bazaar.sale USING (vendor = current_setting('bazaar.vendor', true));
COMMENT ON POLICY catalogue_is_public ON bazaar.offer IS 'The shop window: published offers are visible to everyone by design.';
GRANT USAGE ON SCHEMA bazaar TO bazaar_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA bazaar TO bazaar_app;
RESET ROLE;
INSERT INTO bazaar.offer VALUES ('v_apricot', 'S1', 'Jam', 4, true), ('v_apricot', 'S2', 'Draft jam', 5, false), ('v_zucchini', 'S1', 'Pickles', 6, true), ('v_zucchini', 'S9', 'Zsecret product', 99, false);
INSERT INTO bazaar.purchase_price VALUES ('v_apricot', 'S1', 1), ('v_zucchini', 'S1', 2.22);
INSERT INTO bazaar.sale VALUES ('v_zucchini', 1, 'S1', 'Zoe buyer');
