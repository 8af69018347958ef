--: why = "A statement trigger with a transition table books sold quantities by article number only, so selling an article that also exists elsewhere lowers the stock of other stores."
--: class = "transition-table-missing-tenant"
--: [[expect]]
--: object = "retail.book_stock"
--: verb = "update"
--: kind = "leak"
CREATE ROLE retail_owner NOLOGIN;
CREATE ROLE retail_app LOGIN;
CREATE SCHEMA retail AUTHORIZATION retail_owner;
SET ROLE retail_owner;
CREATE FUNCTION retail.store() RETURNS integer LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('retail.store', true), '')::integer $$;
CREATE TABLE retail.article (sku text PRIMARY KEY CHECK (sku ~ '^\d{5}$'), name text NOT NULL);
CREATE TABLE retail.stock (store integer NOT NULL, sku text NOT NULL REFERENCES retail.article, qty integer NOT NULL, PRIMARY KEY (store, sku));
CREATE TABLE retail.sale_line (
  store integer NOT NULL, receipt integer NOT NULL, sku text NOT NULL REFERENCES retail.article, qty integer NOT NULL CHECK (qty > 0), PRIMARY KEY (store, receipt, sku)
);
CREATE FUNCTION retail.book_stock() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE retail.stock s SET qty = s.qty - n.qty
    FROM (SELECT x.sku, sum(x.qty)::integer AS qty FROM sold x GROUP BY x.sku) n WHERE s.sku = n.sku;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION retail.book_stock() FROM PUBLIC;
CREATE TRIGGER book_stock AFTER INSERT ON retail.sale_line REFERENCING NEW TABLE AS sold FOR EACH STATEMENT EXECUTE FUNCTION retail.book_stock();
ALTER TABLE retail.stock ENABLE ROW LEVEL SECURITY;
ALTER TABLE retail.sale_line ENABLE ROW LEVEL SECURITY;
CREATE POLICY s ON retail.stock FOR SELECT TO retail_app USING (store = retail.store());
CREATE POLICY s ON retail.sale_line TO retail_app USING (store = retail.store());
GRANT USAGE ON SCHEMA retail TO retail_app;
GRANT SELECT ON retail.article, retail.stock TO retail_app;
GRANT SELECT, INSERT ON retail.sale_line TO retail_app;
RESET ROLE;
INSERT INTO retail.article VALUES ('10001', 'Soap'), ('10002', 'Zinc cream');
INSERT INTO retail.stock VALUES (1, '10001', 50), (2, '10001', 80), (2, '10002', 70);
--- fix
CREATE OR REPLACE FUNCTION retail.book_stock() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE retail.stock s SET qty = s.qty - n.qty
    FROM (SELECT x.store, x.sku, sum(x.qty)::integer AS qty FROM sold x GROUP BY x.store, x.sku) n WHERE s.store = n.store AND s.sku = n.sku;
  RETURN NULL;
END $$;
