--: why = "The guest list may be written by the guest instead of the owner: the attacker adds itself to a foreign project and then reads it through the regular guest policy."
--: class = "link-table-self-grant"
--: [isolation]
--: app_role = "film_app"
--: tenant_column = "studio"
--: tenants = ["alma-film", "zoom-pictures"]
--: context = "SET LOCAL film.studio = '{tenant}'"
--: [[expect]]
--: object = "film.guest"
--: verb = "insert"
--: kind = "leak"
CREATE ROLE film_owner NOLOGIN;
CREATE ROLE film_app LOGIN;
CREATE SCHEMA film AUTHORIZATION film_owner;
SET ROLE film_owner;
CREATE TABLE film.project (studio text NOT NULL, project_no integer NOT NULL, working_title text NOT NULL, budget numeric(12, 2) NOT NULL, PRIMARY KEY (studio, project_no));
CREATE TABLE film.guest (
  studio text NOT NULL, project_no integer NOT NULL, guest_studio text NOT NULL, since date NOT NULL DEFAULT current_date,
  PRIMARY KEY (studio, project_no, guest_studio), FOREIGN KEY (studio, project_no) REFERENCES film.project ON DELETE CASCADE, CHECK (studio <> guest_studio)
);
CREATE TABLE film.scene (studio text NOT NULL, project_no integer NOT NULL, scene_no integer NOT NULL, script text NOT NULL, PRIMARY KEY (studio, project_no, scene_no), FOREIGN KEY (studio, project_no) REFERENCES film.project ON DELETE CASCADE);
ALTER TABLE film.project ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE film.guest ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE film.scene ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON film.project USING (studio = current_setting('film.studio', true));
CREATE POLICY own ON film.scene USING (studio = current_setting('film.studio', true));
CREATE POLICY guest_reads ON film.scene FOR SELECT USING (EXISTS (
  SELECT 1 FROM film.guest g WHERE g.studio = scene.studio AND g.project_no = scene.project_no AND g.guest_studio = current_setting('film.studio', true)));
CREATE POLICY see ON film.guest FOR SELECT USING (current_setting('film.studio', true) IN (studio, guest_studio));
CREATE POLICY add ON film.guest FOR INSERT WITH CHECK (current_setting('film.studio', true) IN (studio, guest_studio));
CREATE POLICY leave ON film.guest FOR DELETE USING (current_setting('film.studio', true) IN (studio, guest_studio));
GRANT USAGE ON SCHEMA film TO film_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON film.project, film.scene TO film_app;
GRANT SELECT, INSERT (studio, project_no, guest_studio), DELETE ON film.guest TO film_app;
RESET ROLE;
INSERT INTO film.project VALUES ('alma-film', 1, 'Almond', 100), ('zoom-pictures', 31, 'Zebra crossing', 900000);
INSERT INTO film.scene VALUES ('alma-film', 1, 1, 'INT. KITCHEN'), ('zoom-pictures', 31, 1, 'EXT. ZEBRA TWIST ENDING');
--- fix
ALTER POLICY add ON film.guest WITH CHECK (studio = current_setting('film.studio', true));
