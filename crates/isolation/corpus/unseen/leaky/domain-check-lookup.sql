--: why = "The CHECK of domain edi.partner_gln calls the SECURITY DEFINER function edi.gln_known, which looks into the partners of every tenant; casting a number to the domain tells A whether B trades with that partner."
--: class = "domain-check-existence-oracle"
--: [[expect]]
--: object = "edi.gln_known"
--: verb = "existence"
--: kind = "leak"
CREATE ROLE edi_app LOGIN;
CREATE SCHEMA edi;
CREATE TABLE edi.hubs (hub int PRIMARY KEY, title text NOT NULL);
CREATE TABLE edi.partners (
  hub int NOT NULL REFERENCES edi.hubs, gln char(13) NOT NULL CHECK (gln ~ '^[0-9]{13}$'), name text NOT NULL, PRIMARY KEY (hub, gln)
);
CREATE FUNCTION edi.gln_known(g text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = edi, pg_temp
  AS $$ SELECT EXISTS (SELECT FROM partners p WHERE p.gln = g) $$;
CREATE DOMAIN edi.partner_gln AS text CHECK (VALUE IS NULL OR edi.gln_known(VALUE));
CREATE TABLE edi.messages (
  hub int NOT NULL REFERENCES edi.hubs, msg_no int NOT NULL, partner edi.partner_gln NOT NULL,
  kind text NOT NULL CHECK (kind IN ('ORDERS', 'DESADV', 'INVOIC')), payload text NOT NULL DEFAULT '',
  PRIMARY KEY (hub, msg_no)
);
CREATE TABLE edi.acks (
  hub int NOT NULL, msg_no int NOT NULL, acked timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (hub, msg_no), FOREIGN KEY (hub, msg_no) REFERENCES edi.messages
);
ALTER TABLE edi.partners ENABLE ROW LEVEL SECURITY;
ALTER TABLE edi.messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE edi.acks ENABLE ROW LEVEL SECURITY;
CREATE POLICY h ON edi.partners USING (hub = nullif(current_setting('edi.hub', true), '')::int);
CREATE POLICY h ON edi.messages USING (hub = nullif(current_setting('edi.hub', true), '')::int);
CREATE POLICY h ON edi.acks USING (hub = nullif(current_setting('edi.hub', true), '')::int);
GRANT USAGE ON SCHEMA edi TO edi_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON edi.partners, edi.messages, edi.acks TO edi_app;
-- connection wrapper: SET LOCAL edi.hub = '<hub>'
INSERT INTO edi.hubs VALUES (1, 'Hub A'), (2, 'Hub B');
INSERT INTO edi.partners VALUES (1, '9000000000011', 'Mill'), (2, '9000000000022', 'Secret supplier');
INSERT INTO edi.messages VALUES (1, 1, '9000000000011', 'ORDERS', 'x'), (2, 1, '9000000000022', 'INVOIC', 'y');
INSERT INTO edi.acks VALUES (1, 1), (2, 1);
--- fix
CREATE OR REPLACE FUNCTION edi.gln_known(g text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = edi, pg_temp
  AS $$ SELECT EXISTS (SELECT FROM partners p WHERE p.gln = g AND p.hub = nullif(current_setting('edi.hub', true), '')::int) $$;
