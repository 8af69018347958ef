--: why = "The import login is held by the same row policies as the app, but it was given ALL and so TRUNCATE on the stock table, which row security does not touch: one statement empties every tenant."
--: class = "truncate-ignores-rls"
--: [[expect]]
--: object = "pharma.stock"
--: verb = "truncate"
--: kind = "warning"
CREATE ROLE pharma_owner NOLOGIN;
CREATE ROLE pharma_app LOGIN;
CREATE ROLE pharma_import LOGIN;
CREATE SCHEMA pharma AUTHORIZATION pharma_owner;
SET ROLE pharma_owner;
CREATE TABLE pharma.product (pzn char(8) PRIMARY KEY CHECK (pzn ~ '^\d{8}$'), name text NOT NULL);
CREATE TABLE pharma.stock (
  pharmacy integer NOT NULL, pzn char(8) NOT NULL REFERENCES pharma.product, lot text NOT NULL, qty integer NOT NULL CHECK (qty >= 0), PRIMARY KEY (pharmacy, pzn, lot)
);
CREATE TABLE pharma.sale (pharmacy integer NOT NULL, sale_no integer NOT NULL, pzn char(8) NOT NULL REFERENCES pharma.product, qty integer NOT NULL CHECK (qty > 0), PRIMARY KEY (pharmacy, sale_no));
ALTER TABLE pharma.stock ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE pharma.sale ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY ph ON pharma.stock USING (pharmacy = nullif(current_setting('pharma.id', true), '')::integer);
CREATE POLICY ph ON pharma.sale USING (pharmacy = nullif(current_setting('pharma.id', true), '')::integer);
GRANT USAGE ON SCHEMA pharma TO pharma_app, pharma_import;
GRANT SELECT ON pharma.product TO pharma_app, pharma_import;
GRANT SELECT, INSERT, UPDATE, DELETE ON pharma.stock, pharma.sale TO pharma_app;
GRANT ALL ON pharma.stock TO pharma_import;
RESET ROLE;
INSERT INTO pharma.product VALUES ('01234567', 'Aspirin'), ('07654321', 'Zinc');
INSERT INTO pharma.stock VALUES (100, '01234567', 'L1', 10), (200, '07654321', 'L9', 90);
INSERT INTO pharma.sale VALUES (100, 1, '01234567', 1), (200, 1, '07654321', 3);
--- fix
REVOKE TRUNCATE ON pharma.stock FROM pharma_import;
