--: why = "Anyone may open a document with a link token on purpose; the token is 244 bits of server randomness, only its sha256 is stored, it expires, and only the own documents can be given a link."
--: class = "capability-link"
--: [isolation]
--: app_role = "docs_web"
--: tenant_column = "firm"
--: tenants = ["f-ash", "f-zorn"]
--: context = "SET LOCAL docs.firm = '{tenant}'"
CREATE ROLE docs_owner NOLOGIN;
CREATE ROLE docs_web LOGIN;
CREATE SCHEMA docs AUTHORIZATION docs_owner;
SET ROLE docs_owner;
CREATE TABLE docs.document (
  firm text NOT NULL, doc_no integer NOT NULL, title text NOT NULL, content text NOT NULL, PRIMARY KEY (firm, doc_no)
);
CREATE TABLE docs.link (
  digest bytea PRIMARY KEY CHECK (length(digest) = 32),
  firm text NOT NULL, doc_no integer NOT NULL, expires_at timestamptz NOT NULL,
  FOREIGN KEY (firm, doc_no) REFERENCES docs.document ON DELETE CASCADE
);
CREATE TABLE docs.link_use (firm text NOT NULL, doc_no integer NOT NULL, at timestamptz NOT NULL DEFAULT now());
ALTER TABLE docs.document ENABLE ROW LEVEL SECURITY;
ALTER TABLE docs.link ENABLE ROW LEVEL SECURITY;
ALTER TABLE docs.link_use ENABLE ROW LEVEL SECURITY;
CREATE POLICY f ON docs.document TO docs_web USING (firm = current_setting('docs.firm', true));
CREATE POLICY f ON docs.link TO docs_web USING (firm = current_setting('docs.firm', true));
CREATE POLICY f ON docs.link_use FOR SELECT TO docs_web USING (firm = current_setting('docs.firm', true));
CREATE FUNCTION docs.make_link(p_doc integer, p_days integer) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE t text := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
BEGIN
  INSERT INTO docs.link SELECT sha256(convert_to(t, 'UTF8')), d.firm, d.doc_no, now() + make_interval(days => least(greatest(p_days, 1), 30))
    FROM docs.document d WHERE d.firm = current_setting('docs.firm', true) AND d.doc_no = p_doc;
  IF NOT FOUND THEN RAISE no_data_found USING MESSAGE = 'no such document'; END IF;
  RETURN t;
END $$;
CREATE FUNCTION docs.open_link(p_token text) RETURNS TABLE (title text, content text) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE l docs.link;
BEGIN
  SELECT k.* INTO l FROM docs.link k WHERE k.digest = sha256(convert_to(p_token, 'UTF8')) AND k.expires_at > now();
  IF NOT FOUND THEN RETURN; END IF;
  INSERT INTO docs.link_use (firm, doc_no) VALUES (l.firm, l.doc_no);
  RETURN QUERY SELECT d.title, d.content FROM docs.document d WHERE d.firm = l.firm AND d.doc_no = l.doc_no;
END $$;
REVOKE ALL ON FUNCTION docs.make_link(integer, integer), docs.open_link(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION docs.make_link(integer, integer), docs.open_link(text) TO docs_web;
GRANT USAGE ON SCHEMA docs TO docs_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON docs.document TO docs_web;
GRANT SELECT (firm, doc_no, expires_at), DELETE ON docs.link TO docs_web;
GRANT SELECT ON docs.link_use TO docs_web;
RESET ROLE;
INSERT INTO docs.document VALUES ('f-ash', 1, 'Offer', 'ash offer'), ('f-zorn', 1, 'Zorn plan', 'zorn secret'), ('f-zorn', 2, 'Zorn pay', 'zorn pay');
INSERT INTO docs.link SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'f-zorn', 2, now() + interval '9 days';
