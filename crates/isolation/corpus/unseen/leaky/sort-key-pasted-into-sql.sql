--: why = "The list function binds the firm as a parameter but pastes the sort key with %s after a weak filter against semicolons, comments and UNION; a subselect in ORDER BY reads foreign bids and reports them in a cast error."
--: class = "dynamic-order-by"
--: [isolation]
--: app_role = "tender_app"
--: tenant_column = "firm"
--: tenants = ["ahorn", "zeder"]
--: context = "SET LOCAL tender.firm = '{tenant}'"
--: [[expect]]
--: object = "tender.list_bids"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE tender_owner NOLOGIN;
CREATE ROLE tender_app LOGIN;
CREATE SCHEMA tender AUTHORIZATION tender_owner;
SET ROLE tender_owner;
CREATE TABLE tender.call (call_no integer PRIMARY KEY, title text NOT NULL, closes date NOT NULL);
CREATE TABLE tender.bid (
  firm text NOT NULL, call_no integer NOT NULL REFERENCES tender.call, amount numeric(12, 2) NOT NULL CHECK (amount > 0), calculation text NOT NULL, PRIMARY KEY (firm, call_no)
);
CREATE TABLE tender.bid_file (firm text NOT NULL, call_no integer NOT NULL, name text NOT NULL, PRIMARY KEY (firm, call_no, name), FOREIGN KEY (firm, call_no) REFERENCES tender.bid ON DELETE CASCADE);
ALTER TABLE tender.bid ENABLE ROW LEVEL SECURITY;
ALTER TABLE tender.bid_file ENABLE ROW LEVEL SECURITY;
CREATE POLICY f ON tender.bid TO tender_app USING (firm = current_setting('tender.firm', true));
CREATE POLICY f ON tender.bid_file TO tender_app USING (firm = current_setting('tender.firm', true));
CREATE FUNCTION tender.list_bids(p_sort text) RETURNS TABLE (call_no integer, title text, amount numeric) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_sort ~* ';|--|/\*|union|\$' THEN RAISE EXCEPTION 'bad sort key'; END IF;
  RETURN QUERY EXECUTE format(
    'SELECT b.call_no, c.title, b.amount FROM tender.bid b JOIN tender.call c USING (call_no) WHERE b.firm = $1 ORDER BY %s', p_sort)
    USING current_setting('tender.firm', true);
END $$;
REVOKE ALL ON FUNCTION tender.list_bids(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tender.list_bids(text) TO tender_app;
GRANT USAGE ON SCHEMA tender TO tender_app;
GRANT SELECT ON tender.call TO tender_app;
GRANT SELECT, INSERT, DELETE ON tender.bid, tender.bid_file TO tender_app;
RESET ROLE;
INSERT INTO tender.call VALUES (1, 'Bridge', '2030-01-01'), (2, 'Tunnel', '2030-02-01');
INSERT INTO tender.bid VALUES ('ahorn', 1, 100000, 'steel 60k'), ('ahorn', 2, 90000, 'rock 50k'), ('zeder', 1, 99500, 'z margin 12 percent');
INSERT INTO tender.bid_file VALUES ('zeder', 1, 'calc.xlsx');
--- fix
CREATE OR REPLACE FUNCTION tender.list_bids(p_sort text) RETURNS TABLE (call_no integer, title text, amount numeric) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_sort NOT IN ('call_no', 'title', 'amount') THEN RAISE EXCEPTION 'bad sort key'; END IF;
  RETURN QUERY EXECUTE format(
    'SELECT b.call_no, c.title, b.amount FROM tender.bid b JOIN tender.call c USING (call_no) WHERE b.firm = $1 ORDER BY %I', p_sort)
    USING current_setting('tender.firm', true);
END $$;
