--: why = "File bodies are large objects owned by a role the app cannot become, without any ACL entry, the raw large-object functions are revoked, and definer functions reach an object only through the tenant's own directory row."
--: class = "large-object-acl"
CREATE ROLE files_owner NOLOGIN;
CREATE ROLE files_app LOGIN;
CREATE SCHEMA files AUTHORIZATION files_owner;
DO $$
DECLARE f regprocedure;
BEGIN
  FOR f IN SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND (proname LIKE 'lo\_%' OR proname IN ('loread', 'lowrite')) LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
  END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION pg_catalog.lo_from_bytea(oid, bytea), pg_catalog.lo_get(oid), pg_catalog.lo_unlink(oid) TO files_owner;
REVOKE SELECT ON pg_catalog.pg_largeobject_metadata FROM PUBLIC;
SET ROLE files_owner;
CREATE FUNCTION files.owner_id() RETURNS integer LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('files.team', true), '')::integer $$;
CREATE TABLE files.entry (
  team integer NOT NULL, name text NOT NULL CHECK (name ~ '^[[:alnum:]._-]{1,80}$'), body oid NOT NULL, bytes integer NOT NULL, PRIMARY KEY (team, name)
);
CREATE TABLE files.tag (team integer NOT NULL, name text NOT NULL, tag text NOT NULL, PRIMARY KEY (team, name, tag), FOREIGN KEY (team, name) REFERENCES files.entry ON DELETE CASCADE);
ALTER TABLE files.entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE files.tag ENABLE ROW LEVEL SECURITY;
CREATE POLICY t ON files.entry FOR SELECT TO files_app USING (team = files.owner_id());
CREATE POLICY t ON files.tag TO files_app USING (team = files.owner_id());
CREATE FUNCTION files.put(p_name text, p_body bytea) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE old oid;
BEGIN
  IF files.owner_id() IS NULL THEN RAISE EXCEPTION 'no team'; END IF;
  DELETE FROM files.entry WHERE team = files.owner_id() AND name = p_name RETURNING body INTO old;
  IF old IS NOT NULL THEN PERFORM lo_unlink(old); END IF;
  INSERT INTO files.entry VALUES (files.owner_id(), p_name, lo_from_bytea(0, p_body), length(p_body));
END $$;
CREATE FUNCTION files.get(p_name text) RETURNS bytea LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT lo_get(e.body) FROM files.entry e WHERE e.team = files.owner_id() AND e.name = p_name $$;
REVOKE ALL ON FUNCTION files.put(text, bytea), files.get(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION files.put(text, bytea), files.get(text) TO files_app;
GRANT USAGE ON SCHEMA files TO files_app;
GRANT SELECT (team, name, bytes) ON files.entry TO files_app;
GRANT SELECT, INSERT, DELETE ON files.tag TO files_app;
INSERT INTO files.entry VALUES (1, 'a.txt', lo_from_bytea(910001, 'alpha text'), 10), (2, 'z.txt', lo_from_bytea(910002, 'zulu secret'), 11);
RESET ROLE;
