--: why = "vault.read_folder(uuid) is SECURITY DEFINER without search_path and checks the unqualified table folder_access; the caller makes a temporary table of that name granting itself B's folder and the function returns B's documents."
--: class = "definer-temp-table-shadowing"
--: [[expect]]
--: object = "vault.read_folder"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE docs_portal LOGIN;
ALTER ROLE docs_portal SET search_path = vault, public;
CREATE SCHEMA vault;
CREATE TABLE vault.tenants (tenant uuid PRIMARY KEY, label text NOT NULL);
CREATE TABLE vault.folders (
  tenant uuid NOT NULL REFERENCES vault.tenants, folder uuid PRIMARY KEY, name text NOT NULL,
  UNIQUE (tenant, folder)
);
CREATE TABLE vault.folder_access (
  tenant uuid NOT NULL, folder uuid NOT NULL, PRIMARY KEY (tenant, folder),
  FOREIGN KEY (tenant, folder) REFERENCES vault.folders (tenant, folder)
);
CREATE TABLE vault.documents (
  tenant uuid NOT NULL, folder uuid NOT NULL, doc_no int NOT NULL, title text NOT NULL, body bytea NOT NULL DEFAULT '\x',
  PRIMARY KEY (tenant, folder, doc_no),
  FOREIGN KEY (tenant, folder) REFERENCES vault.folders (tenant, folder)
);
ALTER TABLE vault.folders ENABLE ROW LEVEL SECURITY;
ALTER TABLE vault.folder_access ENABLE ROW LEVEL SECURITY;
ALTER TABLE vault.documents ENABLE ROW LEVEL SECURITY;
CREATE POLICY t ON vault.folders USING (tenant = current_setting('app.tenant')::uuid);
CREATE POLICY t ON vault.folder_access USING (tenant = current_setting('app.tenant')::uuid);
CREATE FUNCTION vault.read_folder(p_folder uuid) RETURNS TABLE (doc_no int, title text)
LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM folder_access a
                 WHERE a.folder = p_folder AND a.tenant = current_setting('app.tenant')::uuid) THEN
    RETURN;
  END IF;
  RETURN QUERY SELECT d.doc_no, d.title FROM vault.documents d WHERE d.folder = p_folder;
END $$;
REVOKE EXECUTE ON FUNCTION vault.read_folder(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION vault.read_folder(uuid) TO docs_portal;
GRANT USAGE ON SCHEMA vault TO docs_portal;
GRANT SELECT ON vault.folders TO docs_portal;
GRANT SELECT, DELETE ON vault.folder_access TO docs_portal;
-- each request: SET LOCAL app.tenant = '<uuid>'
INSERT INTO vault.tenants VALUES ('0a000000-0000-4000-8000-000000000000', 'Aster'), ('0b000000-0000-4000-8000-000000000000', 'Begonia');
INSERT INTO vault.folders VALUES ('0a000000-0000-4000-8000-000000000000', '0a000000-0000-4000-8000-0000000000f1', 'A docs'),
  ('0b000000-0000-4000-8000-000000000000', '0b000000-0000-4000-8000-0000000000f1', 'B docs');
INSERT INTO vault.folder_access SELECT tenant, folder FROM vault.folders;
INSERT INTO vault.documents SELECT tenant, folder, 1, 'contract of ' || name FROM vault.folders;
--- fix
ALTER FUNCTION vault.read_folder(uuid) SET search_path = vault, pg_temp;
