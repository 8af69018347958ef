--: why = "save_quote takes a whole row, checks its agency, then updates by the quote number alone and only inserts when nothing was found; numbers repeat between agencies, so foreign quotes are overwritten."
--: class = "composite-argument-update"
--: [isolation]
--: app_role = "quote_app"
--: tenant_column = "agency_no"
--: tenants = ["70", "80"]
--: context = "SET LOCAL quote.agency = '{tenant}'"
--: [[expect]]
--: object = "quote.save_quote"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE quote_owner NOLOGIN;
CREATE ROLE quote_app LOGIN;
CREATE SCHEMA quote AUTHORIZATION quote_owner;
SET ROLE quote_owner;
CREATE TYPE quote.state AS ENUM ('draft', 'sent', 'won', 'lost');
CREATE TABLE quote.agency (agency_no bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE quote.quote (
  agency_no bigint NOT NULL REFERENCES quote.agency, quote_no text NOT NULL CHECK (quote_no ~ '^Q\d{4}$'), customer text NOT NULL, net numeric(12, 2) NOT NULL CHECK (net >= 0), state quote.state NOT NULL,
  PRIMARY KEY (agency_no, quote_no)
);
CREATE TABLE quote.item (agency_no bigint NOT NULL, quote_no text NOT NULL, pos smallint NOT NULL, label text NOT NULL, PRIMARY KEY (agency_no, quote_no, pos), FOREIGN KEY (agency_no, quote_no) REFERENCES quote.quote ON DELETE CASCADE);
ALTER TABLE quote.agency ENABLE ROW LEVEL SECURITY;
ALTER TABLE quote.quote ENABLE ROW LEVEL SECURITY;
ALTER TABLE quote.item ENABLE ROW LEVEL SECURITY;
CREATE POLICY a ON quote.quote FOR SELECT TO quote_app USING (agency_no = nullif(current_setting('quote.agency', true), '')::bigint);
CREATE POLICY a ON quote.item TO quote_app USING (agency_no = nullif(current_setting('quote.agency', true), '')::bigint);
CREATE FUNCTION quote.save_quote(q quote.quote) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF q.agency_no IS DISTINCT FROM nullif(current_setting('quote.agency', true), '')::bigint OR q.agency_no IS NULL THEN
    RAISE insufficient_privilege USING MESSAGE = 'quote of another agency';
  END IF;
  UPDATE quote.quote t SET customer = q.customer, net = q.net, state = q.state WHERE t.quote_no = q.quote_no AND t.state = 'draft';
  IF NOT EXISTS (SELECT 1 FROM quote.quote t WHERE t.agency_no = q.agency_no AND t.quote_no = q.quote_no) THEN
    INSERT INTO quote.quote SELECT q.*;
  END IF;
END $$;
REVOKE ALL ON FUNCTION quote.save_quote(quote.quote) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION quote.save_quote(quote.quote) TO quote_app;
GRANT USAGE ON SCHEMA quote TO quote_app;
GRANT SELECT ON quote.quote TO quote_app;
GRANT SELECT, INSERT, DELETE ON quote.item TO quote_app;
RESET ROLE;
INSERT INTO quote.agency VALUES (70, 'Agens'), (80, 'Zett');
INSERT INTO quote.quote VALUES (70, 'Q0001', 'Apo', 100, 'draft'), (80, 'Q0500', 'Zoll', 9000, 'draft'), (80, 'Q0501', 'Zirkus', 9100, 'sent');
--- fix
CREATE OR REPLACE FUNCTION quote.save_quote(q quote.quote) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF q.agency_no IS DISTINCT FROM nullif(current_setting('quote.agency', true), '')::bigint OR q.agency_no IS NULL THEN
    RAISE insufficient_privilege USING MESSAGE = 'quote of another agency';
  END IF;
  UPDATE quote.quote t SET customer = q.customer, net = q.net, state = q.state WHERE t.agency_no = q.agency_no AND t.quote_no = q.quote_no AND t.state = 'draft';
  IF NOT EXISTS (SELECT 1 FROM quote.quote t WHERE t.agency_no = q.agency_no AND t.quote_no = q.quote_no) THEN
    INSERT INTO quote.quote SELECT q.*;
  END IF;
END $$;
