--: why = "stats.order_totals is security_invoker but selects from stats.order_facts, which is not; the inner view reads shop.orders with its owner's rights, so RLS is skipped and A sees B's orders through either view."
--: class = "nested-view-without-security-invoker"
--: [[expect]]
--: object = "stats.order_facts"
--: verb = "select"
--: kind = "leak"
CREATE ROLE bi_reader LOGIN;
CREATE SCHEMA shop;
CREATE SCHEMA stats;
CREATE TABLE shop.merchants (merchant uuid PRIMARY KEY, label text NOT NULL);
CREATE TABLE shop.orders (
  merchant uuid NOT NULL REFERENCES shop.merchants, order_no int NOT NULL CHECK (order_no > 0), placed date NOT NULL,
  currency char(3) NOT NULL DEFAULT 'EUR' CHECK (currency IN ('EUR', 'CHF')),
  PRIMARY KEY (merchant, order_no)
);
CREATE TABLE shop.order_items (
  merchant uuid NOT NULL, order_no int NOT NULL, pos smallint NOT NULL, article text NOT NULL, amount numeric(10,2) NOT NULL,
  PRIMARY KEY (merchant, order_no, pos), FOREIGN KEY (merchant, order_no) REFERENCES shop.orders
);
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.order_items ENABLE ROW LEVEL SECURITY;
CREATE POLICY m ON shop.orders USING (merchant = current_setting('shop.merchant')::uuid);
CREATE POLICY m ON shop.order_items USING (merchant = current_setting('shop.merchant')::uuid);
CREATE VIEW stats.order_facts AS
  SELECT o.merchant, o.order_no, o.placed, i.article, i.amount FROM shop.orders o JOIN shop.order_items i USING (merchant, order_no);
CREATE VIEW stats.order_totals WITH (security_invoker = on) AS
  SELECT merchant, date_trunc('month', placed) AS month, sum(amount) AS total FROM stats.order_facts GROUP BY 1, 2;
GRANT USAGE ON SCHEMA shop, stats TO bi_reader;
GRANT SELECT, INSERT ON shop.orders, shop.order_items TO bi_reader;
GRANT SELECT ON stats.order_facts, stats.order_totals TO bi_reader;
-- the BI tool opens with SET LOCAL shop.merchant = '<uuid>'
INSERT INTO shop.merchants VALUES ('11111111-1111-4111-8111-111111111111', 'One'), ('22222222-2222-4222-8222-222222222222', 'Two');
INSERT INTO shop.orders VALUES ('11111111-1111-4111-8111-111111111111', 1, '2024-01-05', 'EUR'), ('22222222-2222-4222-8222-222222222222', 1, '2024-01-06', 'CHF');
INSERT INTO shop.order_items VALUES ('11111111-1111-4111-8111-111111111111', 1, 1, 'pen', 3), ('22222222-2222-4222-8222-222222222222', 1, 1, 'yacht', 300000);
--- fix
ALTER VIEW stats.order_facts SET (security_invoker = on);
