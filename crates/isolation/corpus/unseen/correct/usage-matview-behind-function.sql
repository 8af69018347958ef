--: why = "A materialized view and the invoice table mix all tenants, but no application role has a right on them; a definer function without arguments returns the lines of the context tenant and says only whether its own invoice is paid."
--: class = "matview-not-granted"
--: [isolation]
--: app_role = "usage_portal"
--: tenant_column = "subscriber"
--: tenants = ["3f0c9f6e-0d0b-4a6c-9b9e-aaaaaaaaaaa1", "3f0c9f6e-0d0b-4a6c-9b9e-bbbbbbbbbbb2"]
--: context = "SET LOCAL portal.subscriber = '{tenant}'"
CREATE ROLE usage_owner NOLOGIN;
CREATE ROLE usage_portal LOGIN;
CREATE SCHEMA usage_data AUTHORIZATION usage_owner;
SET ROLE usage_owner;
CREATE TABLE usage_data.call_record (
  subscriber uuid NOT NULL, started timestamptz NOT NULL, seconds integer NOT NULL CHECK (seconds >= 0), destination text NOT NULL, PRIMARY KEY (subscriber, started)
);
CREATE TABLE usage_data.invoice (
  subscriber uuid NOT NULL, month date NOT NULL CHECK (extract(day FROM month) = 1), total numeric(10, 2) NOT NULL, paid boolean NOT NULL DEFAULT false, PRIMARY KEY (subscriber, month)
);
ALTER TABLE usage_data.call_record ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON usage_data.call_record FOR SELECT TO usage_portal USING (subscriber = nullif(current_setting('portal.subscriber', true), '')::uuid);
CREATE FUNCTION usage_data.my_months() RETURNS TABLE (month date, minutes numeric) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN QUERY SELECT m.month, m.minutes FROM usage_data.monthly m WHERE m.subscriber = nullif(current_setting('portal.subscriber', true), '')::uuid ORDER BY 1;
END $$;
CREATE FUNCTION usage_data.is_my_invoice_paid(p_month date) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (SELECT 1 FROM usage_data.invoice i
                 WHERE i.subscriber = nullif(current_setting('portal.subscriber', true), '')::uuid AND i.month = p_month AND i.paid) $$;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA usage_data FROM PUBLIC;
GRANT USAGE ON SCHEMA usage_data TO usage_portal;
GRANT SELECT ON usage_data.call_record TO usage_portal;
GRANT EXECUTE ON FUNCTION usage_data.my_months(), usage_data.is_my_invoice_paid(date) TO usage_portal;
RESET ROLE;
INSERT INTO usage_data.call_record VALUES
  ('3f0c9f6e-0d0b-4a6c-9b9e-aaaaaaaaaaa1', '2024-01-05 10:00+00', 120, '+4930'), ('3f0c9f6e-0d0b-4a6c-9b9e-bbbbbbbbbbb2', '2024-01-05 10:00+00', 54000, '+999666');
INSERT INTO usage_data.invoice VALUES
  ('3f0c9f6e-0d0b-4a6c-9b9e-aaaaaaaaaaa1', '2024-01-01', 9.9, true), ('3f0c9f6e-0d0b-4a6c-9b9e-bbbbbbbbbbb2', '2024-01-01', 777, true), ('3f0c9f6e-0d0b-4a6c-9b9e-bbbbbbbbbbb2', '2024-02-01', 778, true);
SET ROLE usage_owner;
CREATE MATERIALIZED VIEW usage_data.monthly AS
  SELECT subscriber, date_trunc('month', started AT TIME ZONE 'UTC')::date AS month, round(sum(seconds) / 60.0, 1) AS minutes FROM usage_data.call_record GROUP BY 1, 2;
RESET ROLE;
