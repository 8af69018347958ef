--: why = "The definer function resolves fee_of() through schema plugins, where another login may create objects; that login can plant a function which runs with the owner's rights over all tenants."
--: class = "writable-schema-in-path"
--: [isolation]
--: app_role = "toll_app"
--: tenant_column = "haulier"
--: tenants = ["HA", "HZ"]
--: context = "SET LOCAL toll.haulier = '{tenant}'"
--: [[expect]]
--: object = "toll.my_fees"
--: verb = "execute"
--: kind = "warning"
CREATE ROLE toll_owner NOLOGIN;
CREATE ROLE toll_app LOGIN;
CREATE ROLE toll_plugin_dev LOGIN;
CREATE SCHEMA toll AUTHORIZATION toll_owner;
CREATE SCHEMA plugins;
GRANT USAGE ON SCHEMA plugins TO toll_owner, toll_app;
GRANT USAGE, CREATE ON SCHEMA plugins TO toll_plugin_dev;
SET ROLE toll_owner;
CREATE TABLE toll.gate (gate text PRIMARY KEY, cents integer NOT NULL CHECK (cents >= 0));
CREATE TABLE toll.passage (
  haulier char(2) NOT NULL, plate text NOT NULL, at timestamptz NOT NULL, gate text NOT NULL REFERENCES toll.gate, PRIMARY KEY (haulier, plate, at)
);
CREATE TABLE toll.rebate (haulier char(2) PRIMARY KEY, percent integer NOT NULL CHECK (percent BETWEEN 0 AND 50));
ALTER TABLE toll.passage ENABLE ROW LEVEL SECURITY;
ALTER TABLE toll.rebate ENABLE ROW LEVEL SECURITY;
CREATE POLICY h ON toll.passage TO toll_app USING (haulier = current_setting('toll.haulier', true));
CREATE FUNCTION toll.fee_of(p_gate text) RETURNS integer LANGUAGE sql STABLE AS $$ SELECT g.cents FROM toll.gate g WHERE g.gate = p_gate $$;
CREATE FUNCTION toll.my_fees() RETURNS bigint LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, plugins, toll, pg_temp AS $$
DECLARE n bigint;
BEGIN
  SELECT sum(fee_of(p.gate) * (100 - coalesce(r.percent, 0)) / 100) INTO n
    FROM toll.passage p LEFT JOIN toll.rebate r USING (haulier) WHERE p.haulier = current_setting('toll.haulier', true);
  RETURN n;
END $$;
REVOKE ALL ON FUNCTION toll.my_fees(), toll.fee_of(text) FROM PUBLIC;
GRANT USAGE ON SCHEMA toll TO toll_app, toll_plugin_dev;
GRANT SELECT ON toll.gate, toll.passage TO toll_app;
GRANT EXECUTE ON FUNCTION toll.my_fees() TO toll_app;
RESET ROLE;
INSERT INTO toll.gate VALUES ('north', 250), ('south', 400);
INSERT INTO toll.passage VALUES ('HA', 'A-1', '2024-01-01 08:00+00', 'north'), ('HZ', 'ZZ-777', '2024-01-01 09:00+00', 'south');
INSERT INTO toll.rebate VALUES ('HZ', 33);
--- fix
ALTER FUNCTION toll.my_fees() SET search_path = pg_catalog, toll, pg_temp;
