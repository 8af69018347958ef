--: why = "The definer function hands out a scrollable cursor over all ledgers that it has positioned on the first own line; moving backward leaves the tenant."
--: class = "refcursor-over-all-rows"
--: [[expect]]
--: object = "giro.open_statement"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE giro_owner NOLOGIN;
CREATE ROLE giro_app LOGIN;
CREATE SCHEMA giro AUTHORIZATION giro_owner;
SET ROLE giro_owner;
CREATE TABLE giro.coop (coop_id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE giro.account (coop_id integer NOT NULL REFERENCES giro.coop, account_no integer NOT NULL, holder text NOT NULL, PRIMARY KEY (coop_id, account_no));
CREATE TABLE giro.line (
  coop_id integer NOT NULL, account_no integer NOT NULL, line_no integer NOT NULL, booked date NOT NULL, amount numeric(12, 2) NOT NULL, text text NOT NULL,
  PRIMARY KEY (coop_id, account_no, line_no), FOREIGN KEY (coop_id, account_no) REFERENCES giro.account
);
ALTER TABLE giro.coop ENABLE ROW LEVEL SECURITY;
ALTER TABLE giro.account ENABLE ROW LEVEL SECURITY;
ALTER TABLE giro.line ENABLE ROW LEVEL SECURITY;
CREATE POLICY a ON giro.account FOR SELECT TO giro_app USING (coop_id = nullif(current_setting('giro.coop', true), '')::integer);
-- paging through a statement: FETCH n FROM cursor, the client stops when the account changes
CREATE FUNCTION giro.open_statement(cur refcursor, p_account integer) RETURNS refcursor LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE me integer := nullif(current_setting('giro.coop', true), '')::integer; c integer; a integer;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM giro.account x WHERE x.coop_id = me AND x.account_no = p_account) THEN RAISE EXCEPTION 'no such account'; END IF;
  OPEN cur SCROLL FOR SELECT l.coop_id, l.account_no, l.line_no, l.booked, l.amount, l.text FROM giro.line l
    ORDER BY l.coop_id, l.account_no, l.line_no;
  LOOP
    FETCH cur INTO c, a;
    EXIT WHEN NOT FOUND OR (c = me AND a = p_account);
  END LOOP;
  MOVE PRIOR FROM cur;
  RETURN cur;
END $$;
REVOKE ALL ON FUNCTION giro.open_statement(refcursor, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION giro.open_statement(refcursor, integer) TO giro_app;
GRANT USAGE ON SCHEMA giro TO giro_app;
GRANT SELECT ON giro.account TO giro_app;
RESET ROLE;
INSERT INTO giro.coop VALUES (7, 'Zahlgenossen'), (8, 'Ahorn-Kasse');
INSERT INTO giro.account VALUES (7, 1, 'Zimmer'), (8, 1, 'Abel');
INSERT INTO giro.line VALUES (7, 1, 1, '2024-01-01', 9000, 'Zimmer bribe'), (8, 1, 1, '2024-01-02', 10, 'Abel rent');
--- fix
CREATE OR REPLACE FUNCTION giro.open_statement(cur refcursor, p_account integer) RETURNS refcursor LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE me integer := nullif(current_setting('giro.coop', true), '')::integer;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM giro.account x WHERE x.coop_id = me AND x.account_no = p_account) THEN RAISE EXCEPTION 'no such account'; END IF;
  OPEN cur SCROLL FOR SELECT l.coop_id, l.account_no, l.line_no, l.booked, l.amount, l.text FROM giro.line l
    WHERE l.coop_id = me AND l.account_no = p_account ORDER BY l.line_no;
  RETURN cur;
END $$;
