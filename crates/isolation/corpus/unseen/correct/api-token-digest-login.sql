--: why = "The resolver is a definer function over all tenants, but it answers only to whoever presents a 256-bit token (stored as sha256), and the globally unique digest is chosen by the server, so there is nothing to guess."
--: class = "bearer-token-lookup"
--: [isolation]
--: app_role = "gateway"
--: tenant_column = "account_id"
--: tenants = ["1001", "2002"]
--: context = "SET LOCAL gw.account = '{tenant}'"
CREATE ROLE gw_owner NOLOGIN;
CREATE ROLE gateway LOGIN;
CREATE SCHEMA gw AUTHORIZATION gw_owner;
SET ROLE gw_owner;
CREATE TABLE gw.accounts (account_id bigint PRIMARY KEY, plan text NOT NULL CHECK (plan IN ('free', 'pro')));
CREATE TABLE gw.api_tokens (
  account_id bigint NOT NULL REFERENCES gw.accounts,
  token_no integer NOT NULL,
  label text NOT NULL,
  digest bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
  revoked boolean NOT NULL DEFAULT false,
  PRIMARY KEY (account_id, token_no)
);
CREATE TABLE gw.calls (
  account_id bigint NOT NULL, token_no integer NOT NULL, at timestamptz NOT NULL DEFAULT now(), path text NOT NULL,
  FOREIGN KEY (account_id, token_no) REFERENCES gw.api_tokens
);
ALTER TABLE gw.accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE gw.api_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE gw.calls ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON gw.accounts TO gateway USING (account_id = nullif(current_setting('gw.account', true), '')::bigint);
CREATE POLICY p ON gw.api_tokens TO gateway USING (account_id = nullif(current_setting('gw.account', true), '')::bigint);
CREATE POLICY p ON gw.calls TO gateway USING (account_id = nullif(current_setting('gw.account', true), '')::bigint);
-- who presents the whole token learns the account it belongs to
CREATE FUNCTION gw.resolve(token text) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT t.account_id FROM gw.api_tokens t
      WHERE length(token) = 64 AND t.digest = sha256(convert_to(token, 'UTF8')) AND NOT t.revoked $$;
-- a new token is drawn by the server (two random uuids hashed together) and shown once
CREATE FUNCTION gw.issue(p_label text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE acc bigint := nullif(current_setting('gw.account', true), '')::bigint;
        tok text := encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex');
BEGIN
  IF acc IS NULL THEN RAISE EXCEPTION 'no account in context'; END IF;
  INSERT INTO gw.api_tokens (account_id, token_no, label, digest)
  SELECT acc, coalesce(max(token_no), 0) + 1, p_label, sha256(convert_to(tok, 'UTF8')) FROM gw.api_tokens WHERE account_id = acc;
  RETURN tok;
END $$;
REVOKE EXECUTE ON FUNCTION gw.resolve(text), gw.issue(text) FROM PUBLIC;
GRANT USAGE ON SCHEMA gw TO gateway;
GRANT EXECUTE ON FUNCTION gw.resolve(text), gw.issue(text) TO gateway;
GRANT SELECT ON gw.accounts, gw.calls TO gateway;
GRANT SELECT (account_id, token_no, label, revoked), UPDATE (revoked) ON gw.api_tokens TO gateway;
GRANT INSERT (account_id, token_no, path) ON gw.calls TO gateway;
RESET ROLE;
INSERT INTO gw.accounts VALUES (1001, 'pro'), (2002, 'free');
INSERT INTO gw.api_tokens VALUES
  (1001, 1, 'ci', sha256('3f7a1c5e9b2d4860aa17c4e5d9f0b3628c6d1e7f4a5b9c0d2e8f7a6b5c4d3e2f'), false),
  (2002, 1, 'zebra-prod', sha256('b81d0c6f2e9a47d3815f6b7ac90e4d21f3a8c5b6970e1d4c2b8a7f6e5d3c1b09'), false);
INSERT INTO gw.calls (account_id, token_no, path) VALUES (1001, 1, '/v1/me'), (2002, 1, '/v1/zebras');
