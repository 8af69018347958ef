--: why = "The statement trigger on wh.movements (SECURITY DEFINER, transition table) adds the moved quantities to wh.stock joined by item code only; a movement booked by A also changes B's stock of the equally coded item."
--: class = "transition-table-join-without-tenant"
--: [isolation]
--: app_role = "wms"
--: tenant_column = "depot"
--: tenants = ["DA", "DB"]
--: context = "SET LOCAL wh.depot = '{tenant}'"
--: [[expect]]
--: object = "wh.apply_movements"
--: verb = "update"
--: kind = "leak"
CREATE ROLE wms LOGIN;
CREATE SCHEMA wh;
CREATE DOMAIN wh.item_code AS text CHECK (VALUE ~ '^[0-9]{3}-[A-Z]$');
CREATE TABLE wh.depots (depot char(2) PRIMARY KEY, street text NOT NULL);
CREATE TABLE wh.stock (
  depot char(2) NOT NULL REFERENCES wh.depots, item wh.item_code NOT NULL, qty numeric NOT NULL DEFAULT 0,
  PRIMARY KEY (depot, item)
);
CREATE TABLE wh.movements (
  depot char(2) NOT NULL, mv uuid NOT NULL DEFAULT gen_random_uuid(), item wh.item_code NOT NULL, delta numeric NOT NULL CHECK (delta <> 0),
  reason text NOT NULL DEFAULT 'count' CHECK (reason IN ('count', 'in', 'out')),
  PRIMARY KEY (depot, mv), FOREIGN KEY (depot, item) REFERENCES wh.stock
);
CREATE TABLE wh.suppliers (depot char(2) NOT NULL REFERENCES wh.depots, supplier text NOT NULL, vat_id text, PRIMARY KEY (depot, supplier));
ALTER TABLE wh.stock ENABLE ROW LEVEL SECURITY;
ALTER TABLE wh.movements ENABLE ROW LEVEL SECURITY;
ALTER TABLE wh.suppliers ENABLE ROW LEVEL SECURITY;
CREATE POLICY d ON wh.stock USING (depot = current_setting('wh.depot'));
CREATE POLICY d ON wh.movements USING (depot = current_setting('wh.depot'));
CREATE POLICY d ON wh.suppliers USING (depot = current_setting('wh.depot'));
CREATE FUNCTION wh.apply_movements() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = wh, pg_temp AS $$
BEGIN
  UPDATE stock s SET qty = s.qty + m.total
    FROM (SELECT item, sum(delta) AS total FROM added GROUP BY item) m
   WHERE s.item = m.item;
  RETURN NULL;
END $$;
CREATE TRIGGER apply AFTER INSERT ON wh.movements REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION wh.apply_movements();
GRANT USAGE ON SCHEMA wh TO wms;
GRANT SELECT, INSERT ON wh.stock, wh.movements TO wms;
GRANT SELECT, INSERT, UPDATE, DELETE ON wh.suppliers TO wms;
INSERT INTO wh.depots VALUES ('DA', 'Allee 1'), ('DB', 'Berg 2');
INSERT INTO wh.stock VALUES ('DA', '100-A', 5), ('DA', '200-X', 1), ('DB', '100-A', 50), ('DB', '300-B', 9);
INSERT INTO wh.movements (depot, item, delta, reason) SELECT 'DB', '300-B', 1, 'in';
INSERT INTO wh.suppliers VALUES ('DA', 'Sup A', NULL), ('DB', 'Sup B', 'ATU1');
--- fix
CREATE OR REPLACE FUNCTION wh.apply_movements() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = wh, pg_temp AS $$
BEGIN
  UPDATE stock s SET qty = s.qty + m.total
    FROM (SELECT depot, item, sum(delta) AS total FROM added GROUP BY depot, item) m
   WHERE s.depot = m.depot AND s.item = m.item;
  RETURN NULL;
END $$;
