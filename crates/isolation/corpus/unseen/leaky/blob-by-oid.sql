--: why = "arch.read_blob(oid) (SECURITY DEFINER) returns any large object by its oid; oids are listed in pg_largeobject_metadata, so A reads the scanned files of B."
--: class = "large-object-by-oid"
--: [isolation]
--: app_role = "archive_web"
--: tenant_column = "notary"
--: tenants = ["N-1", "N-2"]
--: context = "SET LOCAL arch.notary = '{tenant}'"
--: [[expect]]
--: object = "arch.read_blob"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE archive_web LOGIN;
CREATE SCHEMA arch;
CREATE TABLE arch.notaries (notary text PRIMARY KEY CHECK (notary LIKE 'N-%'), seat text NOT NULL);
CREATE TABLE arch.deeds (
  notary text NOT NULL REFERENCES arch.notaries, deed_no int NOT NULL, subject text NOT NULL, signed date NOT NULL, PRIMARY KEY (notary, deed_no)
);
CREATE TABLE arch.scans (
  notary text NOT NULL, deed_no int NOT NULL, page smallint NOT NULL CHECK (page > 0), blob oid NOT NULL,
  PRIMARY KEY (notary, deed_no, page), FOREIGN KEY (notary, deed_no) REFERENCES arch.deeds
);
ALTER TABLE arch.deeds ENABLE ROW LEVEL SECURITY;
ALTER TABLE arch.scans ENABLE ROW LEVEL SECURITY;
CREATE POLICY n ON arch.deeds USING (notary = current_setting('arch.notary'));
CREATE POLICY n ON arch.scans FOR SELECT USING (notary = current_setting('arch.notary'));
CREATE FUNCTION arch.read_blob(b oid) RETURNS bytea LANGUAGE sql STABLE SECURITY DEFINER SET search_path = arch, pg_temp
  AS $$ SELECT pg_catalog.lo_get(b) $$;
REVOKE EXECUTE ON FUNCTION arch.read_blob(oid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION arch.read_blob(oid) TO archive_web;
GRANT USAGE ON SCHEMA arch TO archive_web;
GRANT SELECT, INSERT, UPDATE ON arch.deeds TO archive_web;
GRANT SELECT ON arch.scans TO archive_web;
INSERT INTO arch.notaries VALUES ('N-1', 'Graz'), ('N-2', 'Wels');
INSERT INTO arch.deeds VALUES ('N-1', 1, 'sale of flat', '2024-01-01'), ('N-2', 1, 'secret will', '2024-01-02');
INSERT INTO arch.scans VALUES ('N-1', 1, 1, lo_from_bytea(0, 'scan of flat sale')), ('N-2', 1, 1, lo_from_bytea(0, 'scan of secret will'));
--- fix
CREATE OR REPLACE FUNCTION arch.read_blob(b oid) RETURNS bytea LANGUAGE sql STABLE SECURITY DEFINER SET search_path = arch, pg_temp
  AS $$ SELECT pg_catalog.lo_get(s.blob) FROM scans s WHERE s.blob = b AND s.notary = current_setting('arch.notary') $$;
