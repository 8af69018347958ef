--: why = "The app role was given TRUNCATE on cart.items for its clear-cart button; row security does not apply to TRUNCATE, so A empties the carts of all tenants."
--: class = "truncate-granted"
--: [[expect]]
--: object = "cart.items"
--: verb = "truncate"
--: kind = "leak"
CREATE ROLE cart_api LOGIN;
CREATE SCHEMA cart;
CREATE DOMAIN cart.tenant_code AS char(4) CHECK (VALUE ~ '^[A-Z]{4}$');
CREATE TABLE cart.tenants (code cart.tenant_code PRIMARY KEY, host text NOT NULL CHECK (host LIKE '%.example'));
CREATE TABLE cart.carts (code cart.tenant_code NOT NULL REFERENCES cart.tenants, cart uuid NOT NULL, opened timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (code, cart));
CREATE TABLE cart.items (
  code cart.tenant_code NOT NULL, cart uuid NOT NULL, sku text NOT NULL, qty smallint NOT NULL DEFAULT 1 CHECK (qty BETWEEN 1 AND 99),
  PRIMARY KEY (code, cart, sku), FOREIGN KEY (code, cart) REFERENCES cart.carts ON DELETE CASCADE
);
CREATE TABLE cart.vouchers (code cart.tenant_code NOT NULL REFERENCES cart.tenants, voucher text NOT NULL, pct smallint NOT NULL CHECK (pct BETWEEN 1 AND 90), PRIMARY KEY (code, voucher));
ALTER TABLE cart.carts ENABLE ROW LEVEL SECURITY;
ALTER TABLE cart.items ENABLE ROW LEVEL SECURITY;
ALTER TABLE cart.vouchers ENABLE ROW LEVEL SECURITY;
CREATE POLICY t ON cart.carts USING (code = current_setting('cart.tenant')::cart.tenant_code);
CREATE POLICY t ON cart.items USING (code = current_setting('cart.tenant')::cart.tenant_code);
CREATE POLICY t ON cart.vouchers USING (code = current_setting('cart.tenant')::cart.tenant_code);
GRANT USAGE ON SCHEMA cart TO cart_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON cart.carts, cart.vouchers TO cart_api;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON cart.items TO cart_api;
-- SET LOCAL cart.tenant = 'XXXX' in the connection hook
INSERT INTO cart.tenants VALUES ('AAXX', 'a.example'), ('BBYY', 'b.example');
INSERT INTO cart.carts VALUES ('AAXX', '0000000a-0000-4000-8000-000000000000'), ('BBYY', '0000000b-0000-4000-8000-000000000000');
INSERT INTO cart.items VALUES ('AAXX', '0000000a-0000-4000-8000-000000000000', 'cup', 1), ('BBYY', '0000000b-0000-4000-8000-000000000000', 'pot', 2);
INSERT INTO cart.vouchers VALUES ('AAXX', 'X10', 10), ('BBYY', 'Y20', 20);
--- fix
REVOKE TRUNCATE ON cart.items FROM cart_api;
