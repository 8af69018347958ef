--: why = "The tenant of a document is a stored generated column over its JSON; the row policy tests the generated value after it has been computed, for inserts and for updates of the document alike."
--: class = "generated-tenant-column"
CREATE ROLE store_owner NOLOGIN;
CREATE ROLE store_api LOGIN;
CREATE SCHEMA store AUTHORIZATION store_owner;
SET ROLE store_owner;
CREATE FUNCTION store.me() RETURNS text LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('store.site', true), '') $$;
CREATE TABLE store.collection (site text NOT NULL, name text NOT NULL CHECK (name ~ '^[a-z_]+$'), PRIMARY KEY (site, name));
CREATE TABLE store.document (
  doc_id uuid NOT NULL DEFAULT gen_random_uuid(),
  doc jsonb NOT NULL CHECK (doc ? 'site' AND doc ? 'collection'),
  site text NOT NULL GENERATED ALWAYS AS (doc ->> 'site') STORED,
  collection text NOT NULL GENERATED ALWAYS AS (doc ->> 'collection') STORED,
  PRIMARY KEY (site, doc_id),
  FOREIGN KEY (site, collection) REFERENCES store.collection
);
CREATE UNIQUE INDEX document_slug ON store.document (site, collection, (doc ->> 'slug'));
CREATE TABLE store.revision (
  site text NOT NULL, doc_id uuid NOT NULL, rev integer NOT NULL CHECK (rev > 0), doc jsonb NOT NULL,
  PRIMARY KEY (site, doc_id, rev), FOREIGN KEY (site, doc_id) REFERENCES store.document ON DELETE CASCADE
);
ALTER TABLE store.collection ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE store.document ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE store.revision ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY site ON store.collection USING (site = store.me());
CREATE POLICY site ON store.document USING (site = store.me());
CREATE POLICY site ON store.revision USING (site = store.me());
GRANT USAGE ON SCHEMA store TO store_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA store TO store_api;
RESET ROLE;
INSERT INTO store.collection VALUES ('alba', 'posts'), ('zeta', 'posts');
INSERT INTO store.document (doc) VALUES ('{"site": "alba", "collection": "posts", "slug": "hi"}'), ('{"site": "zeta", "collection": "posts", "slug": "zsecret"}');
