--: why = "A superuser-owned view without security_invoker shows the orders of all shops to the group analysts; the group has no member today, the first membership makes it a hole."
--: class = "owner-view-not-yet-granted"
--: [isolation]
--: app_role = "shop_app"
--: tenant_column = "shop"
--: tenants = ["s-anis", "s-zimt"]
--: context = "SET LOCAL shop.id = '{tenant}'"
--: [[expect]]
--: object = "reporting.order_overview"
--: verb = "select"
--: kind = "warning"
CREATE ROLE shop_owner NOLOGIN;
CREATE ROLE shop_app LOGIN;
CREATE ROLE analysts NOLOGIN;
CREATE SCHEMA shop AUTHORIZATION shop_owner;
CREATE SCHEMA reporting;
SET ROLE shop_owner;
CREATE TABLE shop.customer (shop text NOT NULL, customer_no integer NOT NULL, name text NOT NULL, PRIMARY KEY (shop, customer_no));
CREATE TABLE shop.orders (
  shop text NOT NULL, order_no integer NOT NULL, customer_no integer NOT NULL, total numeric(10, 2) NOT NULL CHECK (total >= 0),
  PRIMARY KEY (shop, order_no), FOREIGN KEY (shop, customer_no) REFERENCES shop.customer
);
CREATE TABLE shop.voucher (shop text NOT NULL, code text NOT NULL, worth numeric(6, 2) NOT NULL, PRIMARY KEY (shop, code));
ALTER TABLE shop.customer ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE shop.voucher ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY s ON shop.customer USING (shop = current_setting('shop.id', true));
CREATE POLICY s ON shop.orders USING (shop = current_setting('shop.id', true));
CREATE POLICY s ON shop.voucher USING (shop = current_setting('shop.id', true));
GRANT USAGE ON SCHEMA shop TO shop_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shop TO shop_app;
RESET ROLE;
CREATE VIEW reporting.order_overview AS
  SELECT o.shop, o.order_no, c.name, o.total FROM shop.orders o JOIN shop.customer c USING (shop, customer_no);
GRANT USAGE ON SCHEMA reporting TO analysts;
GRANT SELECT ON reporting.order_overview TO analysts;
INSERT INTO shop.customer VALUES ('s-anis', 1, 'Ayla'), ('s-zimt', 1, 'Zelda');
INSERT INTO shop.orders VALUES ('s-anis', 1, 1, 10), ('s-zimt', 1, 1, 99);
INSERT INTO shop.voucher VALUES ('s-zimt', 'ZIMT10', 10);
--- fix
ALTER VIEW reporting.order_overview SET (security_invoker = true);
