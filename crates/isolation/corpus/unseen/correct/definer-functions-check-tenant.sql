--: why = "The tables have no grants at all; every access goes through SECURITY DEFINER functions with a fixed search_path that filter by the account in the session and refuse when there is none."
--: class = "definer-api-with-check"
CREATE ROLE vault_api NOLOGIN;
CREATE ROLE vault_client LOGIN;
CREATE SCHEMA vault AUTHORIZATION vault_api;
CREATE SCHEMA vault_priv AUTHORIZATION vault_api;
SET ROLE vault_api;
CREATE TABLE vault_priv.household (household text PRIMARY KEY CHECK (household ~ '^hh_[0-9a-f]{8}$'), since date NOT NULL);
CREATE TABLE vault_priv.secret (
  household text NOT NULL REFERENCES vault_priv.household, name text NOT NULL, cipher text NOT NULL, version integer NOT NULL DEFAULT 1 CHECK (version > 0),
  PRIMARY KEY (household, name)
);
CREATE TABLE vault_priv.access_log (household text NOT NULL, at timestamptz NOT NULL DEFAULT now(), name text NOT NULL, op text NOT NULL);
CREATE FUNCTION vault_priv.need() RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE h text := current_setting('vault.household', true);
BEGIN
  IF h IS NULL OR h = '' THEN RAISE insufficient_privilege USING MESSAGE = 'household not set'; END IF;
  RETURN h;
END $$;
CREATE FUNCTION vault.put(p_name text, p_cipher text) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE v integer; h text := vault_priv.need();
BEGIN
  INSERT INTO vault_priv.secret AS s (household, name, cipher) VALUES (h, p_name, p_cipher)
  ON CONFLICT (household, name) DO UPDATE SET cipher = excluded.cipher, version = s.version + 1
  RETURNING version INTO v;
  INSERT INTO vault_priv.access_log (household, name, op) VALUES (h, p_name, 'put');
  RETURN v;
END $$;
CREATE FUNCTION vault.get(p_name text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE c text; h text := vault_priv.need();
BEGIN
  SELECT s.cipher INTO c FROM vault_priv.secret s WHERE s.household = h AND s.name = p_name;
  INSERT INTO vault_priv.access_log (household, name, op) VALUES (h, p_name, 'get');
  RETURN c;
END $$;
CREATE FUNCTION vault.history(p_like text DEFAULT '%') RETURNS TABLE (at timestamptz, name text, op text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT l.at, l.name, l.op FROM vault_priv.access_log l WHERE l.household = vault_priv.need() AND (l.name LIKE p_like OR p_like IS NULL) ORDER BY 1 $$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA vault, vault_priv FROM PUBLIC;
GRANT USAGE ON SCHEMA vault TO vault_client;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA vault TO vault_client;
RESET ROLE;
INSERT INTO vault_priv.household VALUES ('hh_0a1b2c3d', '2022-01-01'), ('hh_ffee0099', '2023-05-05');
INSERT INTO vault_priv.secret VALUES ('hh_0a1b2c3d', 'wifi', 'aXyz'), ('hh_ffee0099', 'wifi', 'zSecretOfB'), ('hh_ffee0099', 'zafe', 'zPin');
INSERT INTO vault_priv.access_log (household, name, op) VALUES ('hh_ffee0099', 'zafe', 'put');
