--: why = "rpt.open_export() (SECURITY DEFINER) opens a scrollable cursor over the orders of all tenants and only moves it to the caller's first row; the caller can FETCH ABSOLUTE 1 or FETCH past its rows and reads the other tenants' orders."
--: class = "definer-refcursor-over-all-rows"
--: [isolation]
--: app_role = "rep_client"
--: tenant_column = "tenant_no"
--: tenants = ["20", "10"]
--: context = "SET LOCAL rpt.tenant = '{tenant}'"
--: [[expect]]
--: object = "rpt.open_export"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE rep_client LOGIN;
CREATE SCHEMA rpt;
CREATE TYPE rpt.ostate AS ENUM ('new', 'paid', 'shipped');
CREATE TABLE rpt.tenants (tenant_no smallint PRIMARY KEY, name text NOT NULL);
CREATE TABLE rpt.customers (
  tenant_no smallint NOT NULL REFERENCES rpt.tenants, cust text NOT NULL, city text NOT NULL, PRIMARY KEY (tenant_no, cust)
);
CREATE TABLE rpt.orders (
  tenant_no smallint NOT NULL, order_no int NOT NULL, cust text NOT NULL, state rpt.ostate NOT NULL, total numeric(9,2) NOT NULL CHECK (total >= 0),
  PRIMARY KEY (tenant_no, order_no),
  FOREIGN KEY (tenant_no, cust) REFERENCES rpt.customers
);
ALTER TABLE rpt.customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE rpt.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY t ON rpt.customers USING (tenant_no = current_setting('rpt.tenant')::smallint);
CREATE POLICY t ON rpt.orders USING (tenant_no = current_setting('rpt.tenant')::smallint);
CREATE FUNCTION rpt.open_export(c refcursor DEFAULT 'export') RETURNS refcursor
LANGUAGE plpgsql SECURITY DEFINER SET search_path = rpt, pg_temp AS $$
DECLARE skip bigint;
BEGIN
  OPEN c SCROLL FOR SELECT o.tenant_no, o.order_no, o.cust, o.total FROM orders o ORDER BY o.tenant_no, o.order_no;
  SELECT count(*) INTO skip FROM orders o WHERE o.tenant_no < current_setting('rpt.tenant')::smallint;
  MOVE ABSOLUTE skip FROM c;
  RETURN c;
END $$;
REVOKE EXECUTE ON FUNCTION rpt.open_export(refcursor) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rpt.open_export(refcursor) TO rep_client;
GRANT USAGE ON SCHEMA rpt TO rep_client;
GRANT SELECT, INSERT, UPDATE ON rpt.customers, rpt.orders TO rep_client;
INSERT INTO rpt.tenants VALUES (10, 'Ten'), (20, 'Twenty');
INSERT INTO rpt.customers VALUES (10, 'c10', 'Ulm'), (20, 'c20', 'Bonn');
INSERT INTO rpt.orders VALUES (10, 1, 'c10', 'paid', 500), (10, 2, 'c10', 'new', 70), (20, 1, 'c20', 'new', 12);
--- fix
CREATE OR REPLACE FUNCTION rpt.open_export(c refcursor DEFAULT 'export') RETURNS refcursor
LANGUAGE plpgsql SECURITY DEFINER SET search_path = rpt, pg_temp AS $$
BEGIN
  OPEN c SCROLL FOR SELECT o.tenant_no, o.order_no, o.cust, o.total FROM orders o
    WHERE o.tenant_no = current_setting('rpt.tenant')::smallint ORDER BY o.tenant_no, o.order_no;
  RETURN c;
END $$;
