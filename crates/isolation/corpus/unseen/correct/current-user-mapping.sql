--: why = "The tenant follows from the login: a mapping table that no application role can touch is read by a definer helper through session_user, and no login is a member of another."
--: class = "login-mapping-table"
CREATE ROLE wms_owner NOLOGIN;
CREATE ROLE wms_sites NOLOGIN;
CREATE ROLE site_amber LOGIN IN ROLE wms_sites;
CREATE ROLE site_zinc LOGIN IN ROLE wms_sites;
CREATE SCHEMA wms AUTHORIZATION wms_owner;
SET ROLE wms_owner;
CREATE TABLE wms.login_site (login name PRIMARY KEY, site_code char(3) NOT NULL CHECK (site_code ~ '^[A-Z]{3}$'));
CREATE FUNCTION wms.site() RETURNS char(3) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT l.site_code FROM wms.login_site l WHERE l.login = session_user $$;
REVOKE ALL ON FUNCTION wms.site() FROM PUBLIC;
CREATE TABLE wms.bin (
  site_code char(3) NOT NULL DEFAULT wms.site(), bin text NOT NULL, capacity integer NOT NULL CHECK (capacity >= 0),
  PRIMARY KEY (site_code, bin)
);
CREATE TABLE wms.stock (
  site_code char(3) NOT NULL DEFAULT wms.site(), bin text NOT NULL, sku text NOT NULL, qty integer NOT NULL CHECK (qty >= 0),
  PRIMARY KEY (site_code, bin, sku), FOREIGN KEY (site_code, bin) REFERENCES wms.bin
);
ALTER TABLE wms.bin ENABLE ROW LEVEL SECURITY;
ALTER TABLE wms.stock ENABLE ROW LEVEL SECURITY;
CREATE POLICY at_site ON wms.bin TO wms_sites USING (site_code = wms.site());
CREATE POLICY at_site ON wms.stock TO wms_sites USING (site_code = wms.site());
GRANT USAGE ON SCHEMA wms TO wms_sites;
GRANT EXECUTE ON FUNCTION wms.site() TO wms_sites;
GRANT SELECT, INSERT, UPDATE, DELETE ON wms.bin, wms.stock TO wms_sites;
RESET ROLE;
INSERT INTO wms.login_site VALUES ('site_amber', 'AMB'), ('site_zinc', 'ZNC');
INSERT INTO wms.bin VALUES ('AMB', 'A-01', 10), ('ZNC', 'A-01', 99);
INSERT INTO wms.stock VALUES ('AMB', 'A-01', 'bolt', 5), ('ZNC', 'A-01', 'zip-tie', 777);
