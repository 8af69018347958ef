--: why = "Events are keyed by (tenant, stream, version); the append trigger notifies on a channel named after a random per-tenant key that only this tenant can read, and the payload is a stream version, so LISTEN on guessable names hears nothing."
--: class = "event-store-secret-channel"
CREATE ROLE es_owner NOLOGIN;
CREATE ROLE es_app LOGIN;
CREATE SCHEMA es AUTHORIZATION es_owner;
SET ROLE es_owner;
CREATE FUNCTION es.tenant() RETURNS integer LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('es.tenant', true), '')::integer $$;
CREATE TABLE es.tenant_channel (tenant integer PRIMARY KEY, channel_key uuid NOT NULL DEFAULT gen_random_uuid());
CREATE TABLE es.stream (tenant integer NOT NULL, stream text NOT NULL, version integer NOT NULL DEFAULT 0 CHECK (version >= 0), PRIMARY KEY (tenant, stream));
CREATE TABLE es.event (
  tenant integer NOT NULL, stream text NOT NULL, version integer NOT NULL CHECK (version > 0), kind text NOT NULL, data jsonb NOT NULL, at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, stream, version), FOREIGN KEY (tenant, stream) REFERENCES es.stream
);
CREATE TABLE es.snapshot (
  tenant integer NOT NULL, stream text NOT NULL, version integer NOT NULL, state jsonb NOT NULL,
  PRIMARY KEY (tenant, stream), FOREIGN KEY (tenant, stream, version) REFERENCES es.event
);
ALTER TABLE es.tenant_channel ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE es.stream ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE es.event ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE es.snapshot ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY t ON es.tenant_channel FOR SELECT USING (tenant = es.tenant());
CREATE POLICY t ON es.stream USING (tenant = es.tenant());
CREATE POLICY t_read ON es.event FOR SELECT USING (tenant = es.tenant());
CREATE POLICY t_append ON es.event FOR INSERT WITH CHECK (tenant = es.tenant());
CREATE POLICY t ON es.snapshot USING (tenant = es.tenant());
CREATE FUNCTION es.on_append() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE ch text;
BEGIN
  UPDATE es.stream SET version = NEW.version WHERE tenant = NEW.tenant AND stream = NEW.stream AND version = NEW.version - 1;
  IF NOT FOUND THEN RAISE serialization_failure USING MESSAGE = 'wrong expected version'; END IF;
  SELECT 'es_' || replace(channel_key::text, '-', '') INTO ch FROM es.tenant_channel WHERE tenant = NEW.tenant;
  PERFORM pg_notify(ch, NEW.version::text);
  RETURN NEW;
END $$;
CREATE TRIGGER on_append BEFORE INSERT ON es.event FOR EACH ROW EXECUTE FUNCTION es.on_append();
GRANT USAGE ON SCHEMA es TO es_app;
GRANT SELECT ON es.tenant_channel, es.event TO es_app;
GRANT INSERT (tenant, stream, version, kind, data) ON es.event TO es_app;
GRANT SELECT, INSERT (tenant, stream), UPDATE (version) ON es.stream TO es_app;
GRANT SELECT, INSERT, UPDATE (version, state) ON es.snapshot TO es_app;
RESET ROLE;
INSERT INTO es.tenant_channel (tenant) VALUES (1), (2);
INSERT INTO es.stream VALUES (1, 'cart-1'), (2, 'cart-1'), (2, 'zcart');
INSERT INTO es.event (tenant, stream, version, kind, data) VALUES (1, 'cart-1', 1, 'opened', '{}'), (2, 'cart-1', 1, 'opened', '{"z": "zpriv"}'), (2, 'zcart', 1, 'opened', '{}');
