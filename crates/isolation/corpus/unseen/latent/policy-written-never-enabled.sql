--: why = "The payout table has a tenant policy but row security was never switched on; the app has no right on it yet, and the first GRANT will open all tenants."
--: class = "policy-without-enable"
--: [isolation]
--: app_role = "gig_app"
--: tenant_column = "agency_id"
--: tenants = ["1", "2"]
--: context = "SET LOCAL gig.agency = '{tenant}'"
--: [[expect]]
--: object = "gig.payout"
--: verb = "select"
--: kind = "warning"
CREATE ROLE gig_app LOGIN;
CREATE SCHEMA gig;
CREATE TABLE gig.worker (agency_id bigint NOT NULL, worker_no integer NOT NULL, name text NOT NULL, PRIMARY KEY (agency_id, worker_no));
CREATE TABLE gig.shift (
  agency_id bigint NOT NULL, worker_no integer NOT NULL, during tstzrange NOT NULL, client text NOT NULL,
  PRIMARY KEY (agency_id, worker_no, during), FOREIGN KEY (agency_id, worker_no) REFERENCES gig.worker ON DELETE CASCADE
);
CREATE TABLE gig.payout (
  agency_id bigint NOT NULL, worker_no integer NOT NULL, week date NOT NULL CHECK (extract(isodow FROM week) = 1), cents bigint NOT NULL CHECK (cents >= 0), iban text NOT NULL,
  PRIMARY KEY (agency_id, worker_no, week), FOREIGN KEY (agency_id, worker_no) REFERENCES gig.worker
);
ALTER TABLE gig.worker ENABLE ROW LEVEL SECURITY;
ALTER TABLE gig.shift ENABLE ROW LEVEL SECURITY;
CREATE POLICY agency ON gig.worker USING (agency_id = nullif(current_setting('gig.agency', true), '')::bigint);
CREATE POLICY agency ON gig.shift USING (agency_id = nullif(current_setting('gig.agency', true), '')::bigint);
CREATE POLICY agency ON gig.payout USING (agency_id = nullif(current_setting('gig.agency', true), '')::bigint);
GRANT USAGE ON SCHEMA gig TO gig_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON gig.worker, gig.shift TO gig_app;
INSERT INTO gig.worker VALUES (1, 1, 'Aron'), (2, 1, 'Zita');
INSERT INTO gig.shift VALUES (1, 1, '[2024-01-01 08:00+00,2024-01-01 16:00+00)', 'Bakery'), (2, 1, '[2024-01-01 08:00+00,2024-01-01 16:00+00)', 'Zoo');
INSERT INTO gig.payout VALUES (1, 1, '2024-01-01', 9000, 'DE01A'), (2, 1, '2024-01-01', 9900, 'DE99Z');
--- fix
ALTER TABLE gig.payout ENABLE ROW LEVEL SECURITY;
