--: why = "rb.fill_report() is SECURITY DEFINER with search_path = rb but without pg_temp at the end, so a temporary table report_buffer of the caller is found first; its INSERT trigger (a pg_temp function) runs with the definer's rights and reads B's trades."
--: class = "definer-writes-into-callers-temp-table"
--: [[expect]]
--: object = "rb.fill_report"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE rb_user LOGIN;
CREATE SCHEMA rb;
CREATE TABLE rb.desks (desk_id int PRIMARY KEY, bank text NOT NULL);
CREATE TABLE rb.trades (
  desk_id int NOT NULL REFERENCES rb.desks, trade_no int NOT NULL, isin char(12) NOT NULL CHECK (isin ~ '^[A-Z]{2}[A-Z0-9]{10}$'),
  side char(1) NOT NULL CHECK (side IN ('B', 'S')), nominal bigint NOT NULL CHECK (nominal > 0), PRIMARY KEY (desk_id, trade_no)
);
CREATE TABLE rb.report_buffer (
  desk_id int NOT NULL REFERENCES rb.desks, isin char(12) NOT NULL, nominal numeric NOT NULL, PRIMARY KEY (desk_id, isin)
);
CREATE TABLE rb.limits (desk_id int NOT NULL REFERENCES rb.desks, isin char(12) NOT NULL, cap bigint NOT NULL, PRIMARY KEY (desk_id, isin));
ALTER TABLE rb.trades ENABLE ROW LEVEL SECURITY;
ALTER TABLE rb.report_buffer ENABLE ROW LEVEL SECURITY;
ALTER TABLE rb.limits ENABLE ROW LEVEL SECURITY;
CREATE POLICY d ON rb.trades FOR INSERT WITH CHECK (desk_id = current_setting('rb.desk')::int);
CREATE POLICY d ON rb.report_buffer USING (desk_id = current_setting('rb.desk')::int);
CREATE POLICY d ON rb.limits USING (desk_id = current_setting('rb.desk')::int);
CREATE FUNCTION rb.fill_report() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = rb AS $$
DECLARE n bigint;
BEGIN
  DELETE FROM report_buffer WHERE desk_id = current_setting('rb.desk')::int;
  INSERT INTO report_buffer
    SELECT t.desk_id, t.isin, sum(t.nominal) FROM rb.trades t WHERE t.desk_id = current_setting('rb.desk')::int GROUP BY 1, 2;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;
REVOKE EXECUTE ON FUNCTION rb.fill_report() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rb.fill_report() TO rb_user;
GRANT USAGE ON SCHEMA rb TO rb_user;
GRANT INSERT ON rb.trades TO rb_user;
GRANT SELECT ON rb.report_buffer TO rb_user;
GRANT SELECT, INSERT, UPDATE ON rb.limits TO rb_user;
-- SET LOCAL rb.desk = '<desk_id>' precedes all statements
INSERT INTO rb.desks VALUES (1, 'Alpha Bank'), (2, 'Beta Bank');
INSERT INTO rb.trades VALUES (1, 1, 'AT0000000001', 'B', 100), (1, 2, 'AT0000000001', 'B', 50), (2, 1, 'CH0000000009', 'S', 7000000);
INSERT INTO rb.limits VALUES (1, 'AT0000000001', 1000), (2, 'CH0000000009', 9);
--- fix
ALTER FUNCTION rb.fill_report() SET search_path = rb, pg_temp;
