--: why = "The maintenance procedure sets the context to each tenant in turn and does not put the caller's back, so after CALL the rest of the transaction reads as the last tenant."
--: class = "context-not-restored"
--: [isolation]
--: app_role = "wiki_app"
--: tenant_column = "team_id"
--: tenants = ["3", "5"]
--: context = "SET LOCAL wiki.team = '{tenant}'"
--: [[expect]]
--: object = "wiki.rebuild_search"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE wiki_owner NOLOGIN;
CREATE ROLE wiki_app LOGIN;
CREATE SCHEMA wiki AUTHORIZATION wiki_owner;
SET ROLE wiki_owner;
CREATE FUNCTION wiki.me() RETURNS integer LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('wiki.team', true), '')::integer $$;
CREATE TABLE wiki.team (team_id integer PRIMARY KEY, search_dirty boolean NOT NULL DEFAULT true);
CREATE TABLE wiki.page (team_id integer NOT NULL REFERENCES wiki.team, slug text NOT NULL, body text NOT NULL, PRIMARY KEY (team_id, slug));
CREATE TABLE wiki.search_row (team_id integer NOT NULL, slug text NOT NULL, vec tsvector NOT NULL, PRIMARY KEY (team_id, slug), FOREIGN KEY (team_id, slug) REFERENCES wiki.page ON DELETE CASCADE);
ALTER TABLE wiki.page ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE wiki.search_row ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY t ON wiki.page USING (team_id = wiki.me());
CREATE POLICY t ON wiki.search_row USING (team_id = wiki.me());
-- idempotent: anybody may ask for it, the index rows of every dirty team are made anew under its own policy
CREATE PROCEDURE wiki.rebuild_search() LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE t integer;
BEGIN
  FOR t IN SELECT team_id FROM wiki.team WHERE search_dirty ORDER BY team_id LOOP
    PERFORM set_config('wiki.team', t::text, true);
    DELETE FROM wiki.search_row;
    INSERT INTO wiki.search_row SELECT p.team_id, p.slug, to_tsvector('simple', p.body) FROM wiki.page p;
    UPDATE wiki.team SET search_dirty = false WHERE team_id = t;
  END LOOP;
END $$;
REVOKE ALL ON PROCEDURE wiki.rebuild_search() FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE wiki.rebuild_search() TO wiki_app;
GRANT USAGE ON SCHEMA wiki TO wiki_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON wiki.page TO wiki_app;
GRANT SELECT ON wiki.search_row TO wiki_app;
RESET ROLE;
INSERT INTO wiki.team VALUES (3), (5);
INSERT INTO wiki.page VALUES (3, 'home', 'apple pie'), (5, 'home', 'zero day list');
--- fix
CREATE OR REPLACE PROCEDURE wiki.rebuild_search() LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE t integer; caller text := coalesce(current_setting('wiki.team', true), '');
BEGIN
  FOR t IN SELECT team_id FROM wiki.team WHERE search_dirty ORDER BY team_id LOOP
    PERFORM set_config('wiki.team', t::text, true);
    DELETE FROM wiki.search_row;
    INSERT INTO wiki.search_row SELECT p.team_id, p.slug, to_tsvector('simple', p.body) FROM wiki.page p;
    UPDATE wiki.team SET search_dirty = false WHERE team_id = t;
  END LOOP;
  PERFORM set_config('wiki.team', caller, true);
END $$;
