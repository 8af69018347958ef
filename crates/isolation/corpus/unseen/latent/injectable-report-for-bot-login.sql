--: why = "A definer report builds SQL with %s from its argument; only the report bot may call it today, so the app is safe, but any text that reaches the bot's parameter reads all tenants."
--: class = "definer-sql-injection-other-login"
--: [[expect]]
--: object = "museum.visits_by"
--: verb = "execute"
--: kind = "warning"
CREATE ROLE museum_owner NOLOGIN;
CREATE ROLE museum_app LOGIN;
CREATE ROLE museum_report_bot LOGIN;
CREATE SCHEMA museum AUTHORIZATION museum_owner;
SET ROLE museum_owner;
CREATE TABLE museum.exhibition (house text NOT NULL, code text NOT NULL, title text NOT NULL, PRIMARY KEY (house, code));
CREATE TABLE museum.visit (
  house text NOT NULL, code text NOT NULL, day date NOT NULL, visitors integer NOT NULL CHECK (visitors >= 0),
  PRIMARY KEY (house, code, day), FOREIGN KEY (house, code) REFERENCES museum.exhibition ON DELETE CASCADE
);
CREATE TABLE museum.patron (house text NOT NULL, name text NOT NULL, pledge numeric(10, 2) NOT NULL, PRIMARY KEY (house, name));
ALTER TABLE museum.exhibition ENABLE ROW LEVEL SECURITY;
ALTER TABLE museum.visit ENABLE ROW LEVEL SECURITY;
ALTER TABLE museum.patron ENABLE ROW LEVEL SECURITY;
CREATE POLICY h ON museum.exhibition TO museum_app USING (house = current_setting('museum.house', true));
CREATE POLICY h ON museum.visit TO museum_app USING (house = current_setting('museum.house', true));
CREATE POLICY h ON museum.patron TO museum_app USING (house = current_setting('museum.house', true));
CREATE FUNCTION museum.visits_by(p_part text) RETURNS TABLE (bucket text, visitors bigint) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN QUERY EXECUTE format(
    'SELECT date_trunc(''%s'', v.day)::text, sum(v.visitors) FROM museum.visit v WHERE v.house = $1 GROUP BY 1', p_part)
    USING current_setting('museum.house', true);
END $$;
REVOKE ALL ON FUNCTION museum.visits_by(text) FROM PUBLIC;
GRANT USAGE ON SCHEMA museum TO museum_app, museum_report_bot;
GRANT EXECUTE ON FUNCTION museum.visits_by(text) TO museum_report_bot;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA museum TO museum_app;
RESET ROLE;
INSERT INTO museum.exhibition VALUES ('alte-galerie', 'X1', 'Amber'), ('zeughaus', 'X1', 'Zinn');
INSERT INTO museum.visit VALUES ('alte-galerie', 'X1', '2024-02-01', 50), ('zeughaus', 'X1', '2024-02-01', 7070);
INSERT INTO museum.patron VALUES ('alte-galerie', 'Arp', 100), ('zeughaus', 'Zeppelin', 90000);
--- fix
CREATE OR REPLACE FUNCTION museum.visits_by(p_part text) RETURNS TABLE (bucket text, visitors bigint) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN QUERY EXECUTE format(
    'SELECT date_trunc(%L, v.day)::text, sum(v.visitors) FROM museum.visit v WHERE v.house = $1 GROUP BY 1', p_part)
    USING current_setting('museum.house', true);
END $$;
