--: why = "retail.apply_price_feed() is SECURITY DEFINER and its MERGE joins the feed to retail.products by SKU alone; shop A's feed with a SKU that shop B also sells overwrites B's price."
--: class = "definer-merge-without-tenant"
--: [isolation]
--: app_role = "shop_backend"
--: tenant_column = "shop"
--: tenants = ["101", "202"]
--: context = "SELECT set_config('shop.id', '{tenant}', true)"
--: [[expect]]
--: object = "retail.apply_price_feed"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE shop_backend LOGIN;
CREATE SCHEMA retail;
CREATE FUNCTION retail.shop_id() RETURNS int LANGUAGE sql STABLE AS $$ SELECT current_setting('shop.id')::int $$;
CREATE TABLE retail.shops (id int PRIMARY KEY CHECK (id > 0), brand text NOT NULL);
CREATE TABLE retail.products (
  shop int NOT NULL REFERENCES retail.shops,
  sku varchar(12) NOT NULL CHECK (sku = upper(sku)),
  title text NOT NULL,
  price_cents int NOT NULL CHECK (price_cents > 0),
  vat smallint NOT NULL DEFAULT 20 CHECK (vat IN (0, 10, 13, 20)),
  PRIMARY KEY (shop, sku)
);
CREATE TABLE retail.stock (
  shop int NOT NULL, sku varchar(12) NOT NULL, bin text NOT NULL,
  qty int NOT NULL CHECK (qty >= 0),
  PRIMARY KEY (shop, sku, bin),
  FOREIGN KEY (shop, sku) REFERENCES retail.products ON DELETE CASCADE
);
CREATE TABLE retail.feed_runs (
  shop int NOT NULL DEFAULT retail.shop_id() REFERENCES retail.shops,
  run_id uuid NOT NULL DEFAULT gen_random_uuid(),
  at timestamptz NOT NULL DEFAULT now(), lines int NOT NULL,
  PRIMARY KEY (shop, run_id)
);
ALTER TABLE retail.products ENABLE ROW LEVEL SECURITY;
ALTER TABLE retail.stock ENABLE ROW LEVEL SECURITY;
ALTER TABLE retail.feed_runs ENABLE ROW LEVEL SECURITY;
CREATE POLICY s ON retail.products USING (shop = retail.shop_id());
CREATE POLICY s ON retail.stock USING (shop = retail.shop_id());
CREATE POLICY s ON retail.feed_runs USING (shop = retail.shop_id());
GRANT USAGE ON SCHEMA retail TO shop_backend;
GRANT SELECT ON retail.products, retail.feed_runs TO shop_backend;
GRANT SELECT, INSERT, UPDATE, DELETE ON retail.stock TO shop_backend;
CREATE FUNCTION retail.apply_price_feed(feed jsonb) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = retail, pg_temp AS $$
DECLARE n int;
BEGIN
  MERGE INTO products p
  USING (SELECT upper(e->>'sku') AS sku, e->>'title' AS title, (e->>'cents')::int AS cents
         FROM jsonb_array_elements(feed) e) f
  ON p.sku = f.sku
  WHEN MATCHED THEN UPDATE SET price_cents = f.cents
  WHEN NOT MATCHED THEN INSERT (shop, sku, title, price_cents)
    VALUES (shop_id(), f.sku, coalesce(f.title, f.sku), f.cents);
  GET DIAGNOSTICS n = ROW_COUNT;
  INSERT INTO feed_runs (lines) VALUES (n);
  RETURN jsonb_array_length(feed);
END $$;
REVOKE EXECUTE ON FUNCTION retail.apply_price_feed(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION retail.apply_price_feed(jsonb) TO shop_backend;
INSERT INTO retail.shops VALUES (101, 'Alpenrad'), (202, 'Bikeworld');
INSERT INTO retail.products VALUES
  (101, 'TUBE-28', 'Inner tube 28"', 590, 20), (101, 'BELL-1', 'Bell', 1290, 20),
  (202, 'TUBE-28', 'Schlauch 28"', 650, 20), (202, 'LOCK-9', 'U-lock', 4990, 20);
INSERT INTO retail.stock VALUES (101, 'BELL-1', 'A1', 4), (202, 'LOCK-9', 'Z3', 9);
--- fix
CREATE OR REPLACE FUNCTION retail.apply_price_feed(feed jsonb) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = retail, pg_temp AS $$
DECLARE n int;
BEGIN
  MERGE INTO products p
  USING (SELECT upper(e->>'sku') AS sku, e->>'title' AS title, (e->>'cents')::int AS cents
         FROM jsonb_array_elements(feed) e) f
  ON p.sku = f.sku AND p.shop = shop_id()
  WHEN MATCHED THEN UPDATE SET price_cents = f.cents
  WHEN NOT MATCHED THEN INSERT (shop, sku, title, price_cents)
    VALUES (shop_id(), f.sku, coalesce(f.title, f.sku), f.cents);
  GET DIAGNOSTICS n = ROW_COUNT;
  INSERT INTO feed_runs (lines) VALUES (n);
  RETURN jsonb_array_length(feed);
END $$;
