--: why = "The tenant is the head of a text path; the policy compares the path with the root exactly or with the root plus the separator, so /corp/a never matches its namesake /corp/ab."
--: class = "path-prefix-with-separator"
CREATE ROLE tree_owner NOLOGIN;
CREATE ROLE tree_app LOGIN;
CREATE SCHEMA tree AUTHORIZATION tree_owner;
SET ROLE tree_owner;
CREATE DOMAIN tree.path AS text COLLATE "C" CHECK (VALUE ~ '^(/[a-z0-9_]+)+$');
CREATE FUNCTION tree.inside(p text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT coalesce(p = r OR starts_with(p, r || '/'), false)
    FROM (SELECT nullif(current_setting('tree.root', true), '') AS r) x $$;
CREATE TABLE tree.folder (path tree.path PRIMARY KEY, label text NOT NULL);
CREATE TABLE tree.file (
  folder tree.path NOT NULL REFERENCES tree.folder ON UPDATE CASCADE ON DELETE CASCADE, name text NOT NULL CHECK (name !~ '/'), size bigint NOT NULL CHECK (size >= 0), content text,
  PRIMARY KEY (folder, name)
);
CREATE TABLE tree.quota (root tree.path PRIMARY KEY, max_bytes bigint NOT NULL);
ALTER TABLE tree.folder ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE tree.file ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE tree.quota ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY inside_root ON tree.folder USING (tree.inside(path)) WITH CHECK (tree.inside(path));
CREATE POLICY inside_root ON tree.file USING (tree.inside(folder)) WITH CHECK (tree.inside(folder));
CREATE POLICY own_quota ON tree.quota FOR SELECT USING (root = current_setting('tree.root', true));
GRANT USAGE ON SCHEMA tree TO tree_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON tree.folder, tree.file TO tree_app;
GRANT SELECT ON tree.quota TO tree_app;
RESET ROLE;
INSERT INTO tree.folder VALUES ('/corp/a', 'A root'), ('/corp/a/hr', 'A staff'), ('/corp/ab', 'AB root'), ('/corp/ab/hr', 'AB staff'), ('/corp/a_b', 'underscore tenant');
INSERT INTO tree.file VALUES ('/corp/a/hr', 'list.txt', 3, 'abc'), ('/corp/ab/hr', 'list.txt', 9, 'ab-private'), ('/corp/a_b', 'x', 1, 'us-private');
INSERT INTO tree.quota VALUES ('/corp/a', 1000), ('/corp/ab', 2000);
