--: why = "The facade view refuses rows of another shop by WITH CHECK OPTION, but the unique index answers first: inserting with a foreign shop number gives 'duplicate key' for existing numbers and 'check option' for free ones."
--: class = "check-option-existence-oracle"
--: [[expect]]
--: object = "kiosk.customer"
--: verb = "existence"
--: kind = "leak"
CREATE ROLE kiosk_data NOLOGIN;
CREATE ROLE kiosk_app LOGIN;
CREATE SCHEMA kiosk_base AUTHORIZATION kiosk_data;
CREATE SCHEMA kiosk AUTHORIZATION kiosk_data;
SET ROLE kiosk_data;
CREATE FUNCTION kiosk_base.shop() RETURNS integer LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('kiosk.shop', true), '')::integer $$;
CREATE TABLE kiosk_base.customer (shop_id integer NOT NULL DEFAULT kiosk_base.shop(), phone text NOT NULL CHECK (phone ~ '^\+\d{6,15}$'), name text NOT NULL, PRIMARY KEY (shop_id, phone));
CREATE TABLE kiosk_base.loan (
  shop_id integer NOT NULL DEFAULT kiosk_base.shop(), phone text NOT NULL, lent_on date NOT NULL, item text NOT NULL, PRIMARY KEY (shop_id, phone, lent_on, item), FOREIGN KEY (shop_id, phone) REFERENCES kiosk_base.customer
);
CREATE TABLE kiosk_base.price (item text PRIMARY KEY, eur numeric(5, 2) NOT NULL);
CREATE VIEW kiosk.customer WITH (security_barrier) AS SELECT * FROM kiosk_base.customer WHERE shop_id = kiosk_base.shop() WITH CASCADED CHECK OPTION;
CREATE VIEW kiosk.loan WITH (security_barrier) AS SELECT * FROM kiosk_base.loan WHERE shop_id = kiosk_base.shop() WITH CASCADED CHECK OPTION;
GRANT USAGE ON SCHEMA kiosk, kiosk_base TO kiosk_app;
GRANT SELECT, INSERT (shop_id, phone, name), UPDATE (name), DELETE ON kiosk.customer TO kiosk_app;
GRANT SELECT, INSERT (phone, lent_on, item), DELETE ON kiosk.loan TO kiosk_app;
RESET ROLE;
INSERT INTO kiosk_base.customer VALUES (1, '+49111111', 'Ali'), (2, '+49999999', 'Zuzana');
INSERT INTO kiosk_base.loan VALUES (2, '+49999999', '2024-01-01', 'zither');
--- fix
REVOKE INSERT (shop_id) ON kiosk.customer FROM kiosk_app;
