--: why = "The base tables have no row security because nobody but their owner has a right on them; the app works only through security_barrier views that filter by the session and carry WITH CHECK OPTION, and cannot name a store when inserting."
--: class = "barrier-view-facade"
--: [isolation]
--: app_role = "pos_app"
--: tenant_column = "store_no"
--: tenants = ["1", "2"]
--: context = "SET LOCAL pos.store = '{tenant}'"
CREATE ROLE pos_data NOLOGIN;
CREATE ROLE pos_app LOGIN;
CREATE SCHEMA pos_base AUTHORIZATION pos_data;
CREATE SCHEMA pos AUTHORIZATION pos_data;
SET ROLE pos_data;
CREATE TABLE pos_base.article (
  store_no smallint NOT NULL DEFAULT nullif(current_setting('pos.store', true), '')::smallint, ean char(13) NOT NULL CHECK (ean ~ '^\d{13}$'), label text NOT NULL, price numeric(8, 2) NOT NULL CHECK (price >= 0),
  PRIMARY KEY (store_no, ean)
);
CREATE TABLE pos_base.receipt (store_no smallint NOT NULL DEFAULT nullif(current_setting('pos.store', true), '')::smallint, receipt_no integer NOT NULL, at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (store_no, receipt_no));
CREATE TABLE pos_base.receipt_line (
  store_no smallint NOT NULL DEFAULT nullif(current_setting('pos.store', true), '')::smallint, receipt_no integer NOT NULL, ean char(13) NOT NULL, qty integer NOT NULL CHECK (qty <> 0),
  PRIMARY KEY (store_no, receipt_no, ean),
  FOREIGN KEY (store_no, receipt_no) REFERENCES pos_base.receipt, FOREIGN KEY (store_no, ean) REFERENCES pos_base.article
);
CREATE VIEW pos.article WITH (security_barrier) AS
  SELECT * FROM pos_base.article WHERE store_no = nullif(current_setting('pos.store', true), '')::smallint WITH CASCADED CHECK OPTION;
CREATE VIEW pos.receipt WITH (security_barrier) AS
  SELECT * FROM pos_base.receipt WHERE store_no = nullif(current_setting('pos.store', true), '')::smallint WITH CASCADED CHECK OPTION;
CREATE VIEW pos.receipt_line WITH (security_barrier) AS
  SELECT * FROM pos_base.receipt_line WHERE store_no = nullif(current_setting('pos.store', true), '')::smallint WITH CASCADED CHECK OPTION;
-- updatable view over the updatable view: only cheap articles may be discounted at the till
CREATE VIEW pos.bargain WITH (security_barrier) AS SELECT * FROM pos.article WHERE price < 10 WITH CASCADED CHECK OPTION;
GRANT USAGE ON SCHEMA pos TO pos_app;
-- the store number is always the default: a check option fires only after the unique index has spoken
GRANT SELECT, INSERT (ean, label, price) ON pos.article TO pos_app;
GRANT SELECT, INSERT (receipt_no) ON pos.receipt TO pos_app;
GRANT SELECT, INSERT (receipt_no, ean, qty) ON pos.receipt_line TO pos_app;
GRANT SELECT, UPDATE (price) ON pos.bargain TO pos_app;
RESET ROLE;
INSERT INTO pos_base.article VALUES (1, '4000000000017', 'Apple juice', 2.5), (2, '4000000000017', 'Zucchini soup', 3.5), (2, '4000000000999', 'Zest', 77);
INSERT INTO pos_base.receipt VALUES (1, 1), (2, 1), (2, 2);
INSERT INTO pos_base.receipt_line VALUES (1, 1, '4000000000017', 1), (2, 2, '4000000000999', 66);
