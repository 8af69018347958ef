--: why = "pos_app is a member of pos_support, and pos_support was made a member of the loader role pos_etl, which has BYPASSRLS; A does SET ROLE pos_etl and reads the sales of every store."
--: class = "set-role-chain-to-bypassrls"
--: [[expect]]
--: object = "role:pos_etl"
--: verb = "select"
--: kind = "leak"
CREATE ROLE pos_etl NOLOGIN BYPASSRLS;
CREATE ROLE pos_support NOLOGIN NOINHERIT;
CREATE ROLE pos_app LOGIN;
GRANT pos_support TO pos_app;
GRANT pos_etl TO pos_support;
CREATE SCHEMA pos;
CREATE TABLE pos.stores (store_id bigint PRIMARY KEY, street text NOT NULL);
CREATE TABLE pos.articles (
  store_id bigint NOT NULL REFERENCES pos.stores, ean text NOT NULL CHECK (ean ~ '^[0-9]{8,13}$'), name text NOT NULL, PRIMARY KEY (store_id, ean)
);
CREATE TABLE pos.sales (
  store_id bigint NOT NULL, receipt int NOT NULL, ean text NOT NULL, cents int NOT NULL, sold_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, receipt, ean), FOREIGN KEY (store_id, ean) REFERENCES pos.articles
);
CREATE TABLE pos.hints (hint_no int PRIMARY KEY, text text NOT NULL);
ALTER TABLE pos.articles ENABLE ROW LEVEL SECURITY;
ALTER TABLE pos.sales ENABLE ROW LEVEL SECURITY;
CREATE POLICY s ON pos.articles TO pos_app USING (store_id = current_setting('pos.store')::bigint);
CREATE POLICY s ON pos.sales TO pos_app USING (store_id = current_setting('pos.store')::bigint);
GRANT USAGE ON SCHEMA pos TO pos_app, pos_support, pos_etl;
GRANT SELECT, INSERT, UPDATE ON pos.articles, pos.sales TO pos_app;
GRANT SELECT ON pos.hints TO pos_support;
GRANT SELECT ON pos.sales TO pos_etl;
-- tills send SET LOCAL pos.store = '<store_id>'
INSERT INTO pos.stores VALUES (10000000001, 'Ring 1'), (10000000002, 'Gasse 2');
INSERT INTO pos.articles VALUES (10000000001, '40000001', 'Milk'), (10000000002, '40000002', 'Caviar');
INSERT INTO pos.sales VALUES (10000000001, 1, '40000001', 149), (10000000002, 1, '40000002', 89000);
INSERT INTO pos.hints VALUES (1, 'restart the till');
--- fix
REVOKE pos_etl FROM pos_support;
