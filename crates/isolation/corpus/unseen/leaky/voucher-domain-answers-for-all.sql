--: why = "The CHECK of a domain calls a definer function that looks a voucher code up without the shop, so a mere cast tells whether some other shop has the guessable code."
--: class = "domain-check-lookup"
--: [isolation]
--: app_role = "voucher_app"
--: tenant_column = "shop_no"
--: tenants = ["4", "9"]
--: context = "SET LOCAL voucher.shop = '{tenant}'"
--: [[expect]]
--: object = "voucher.is_known"
--: verb = "existence"
--: kind = "leak"
CREATE ROLE voucher_owner NOLOGIN;
CREATE ROLE voucher_app LOGIN;
CREATE SCHEMA voucher AUTHORIZATION voucher_owner;
SET ROLE voucher_owner;
CREATE TABLE voucher.voucher (shop_no integer NOT NULL, code text NOT NULL CHECK (code ~ '^[A-Z]+\d{2}$'), percent smallint NOT NULL CHECK (percent BETWEEN 1 AND 90), PRIMARY KEY (shop_no, code));
CREATE FUNCTION voucher.is_known(p_code text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT EXISTS (SELECT 1 FROM voucher.voucher v WHERE v.code = upper(p_code)) $$;
REVOKE ALL ON FUNCTION voucher.is_known(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION voucher.is_known(text) TO voucher_app;
CREATE DOMAIN voucher.code AS text CONSTRAINT known CHECK (VALUE IS NULL OR voucher.is_known(VALUE));
CREATE TABLE voucher.basket (shop_no integer NOT NULL, basket_no integer NOT NULL, applied voucher.code, PRIMARY KEY (shop_no, basket_no));
CREATE TABLE voucher.basket_line (shop_no integer NOT NULL, basket_no integer NOT NULL, pos smallint NOT NULL, sku text NOT NULL, PRIMARY KEY (shop_no, basket_no, pos), FOREIGN KEY (shop_no, basket_no) REFERENCES voucher.basket ON DELETE CASCADE);
ALTER TABLE voucher.voucher ENABLE ROW LEVEL SECURITY;
ALTER TABLE voucher.basket ENABLE ROW LEVEL SECURITY;
ALTER TABLE voucher.basket_line ENABLE ROW LEVEL SECURITY;
CREATE POLICY s ON voucher.voucher TO voucher_app USING (shop_no = nullif(current_setting('voucher.shop', true), '')::integer);
CREATE POLICY s ON voucher.basket TO voucher_app USING (shop_no = nullif(current_setting('voucher.shop', true), '')::integer);
CREATE POLICY s ON voucher.basket_line TO voucher_app USING (shop_no = nullif(current_setting('voucher.shop', true), '')::integer);
GRANT USAGE ON SCHEMA voucher TO voucher_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA voucher TO voucher_app;
RESET ROLE;
INSERT INTO voucher.voucher VALUES (4, 'APRIL10', 10), (9, 'ZEBRA50', 50);
INSERT INTO voucher.basket VALUES (4, 1, 'APRIL10'), (9, 1, 'ZEBRA50');
--- fix
CREATE OR REPLACE FUNCTION voucher.is_known(p_code text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT EXISTS (SELECT 1 FROM voucher.voucher v
                  WHERE v.shop_no = nullif(current_setting('voucher.shop', true), '')::integer AND v.code = upper(p_code)) $$;
