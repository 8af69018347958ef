--: why = "jobs.claim() (SECURITY DEFINER) takes the oldest waiting job of any tenant with FOR UPDATE SKIP LOCKED and returns its payload; A calling it often enough reads and swallows B's jobs."
--: class = "queue-claim-without-tenant"
--: [[expect]]
--: object = "jobs.claim"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE worker_app LOGIN;
CREATE SCHEMA jobs;
CREATE TYPE jobs.state AS ENUM ('waiting', 'taken', 'done');
CREATE TABLE jobs.tenants (tenant_key uuid PRIMARY KEY, quota int NOT NULL DEFAULT 10 CHECK (quota > 0));
CREATE TABLE jobs.queue (
  tenant_key uuid NOT NULL REFERENCES jobs.tenants, job uuid NOT NULL DEFAULT gen_random_uuid(), kind text NOT NULL CHECK (kind IN ('mail', 'pdf', 'sync')),
  payload jsonb NOT NULL DEFAULT '{}', state jobs.state NOT NULL DEFAULT 'waiting', queued timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_key, job)
);
CREATE TABLE jobs.results (
  tenant_key uuid NOT NULL, job uuid NOT NULL, ok boolean NOT NULL, output text, PRIMARY KEY (tenant_key, job),
  FOREIGN KEY (tenant_key, job) REFERENCES jobs.queue ON DELETE CASCADE
);
ALTER TABLE jobs.queue ENABLE ROW LEVEL SECURITY;
ALTER TABLE jobs.results ENABLE ROW LEVEL SECURITY;
CREATE POLICY t ON jobs.queue USING (tenant_key = current_setting('jobs.tenant')::uuid);
CREATE POLICY t ON jobs.results USING (tenant_key = current_setting('jobs.tenant')::uuid);
CREATE FUNCTION jobs.claim(OUT job uuid, OUT kind text, OUT payload jsonb)
LANGUAGE sql SECURITY DEFINER SET search_path = jobs, pg_temp AS $$
  UPDATE queue q SET state = 'taken'
   WHERE (q.tenant_key, q.job) = (SELECT w.tenant_key, w.job FROM queue w WHERE w.state = 'waiting'
                                  ORDER BY w.queued LIMIT 1 FOR UPDATE SKIP LOCKED)
  RETURNING q.job, q.kind, q.payload
$$;
GRANT USAGE ON SCHEMA jobs TO worker_app;
GRANT SELECT, INSERT ON jobs.queue, jobs.results TO worker_app;
-- workers run SET LOCAL jobs.tenant = '<uuid>' first
INSERT INTO jobs.tenants VALUES ('a1a1a1a1-0000-4000-8000-000000000001'), ('b2b2b2b2-0000-4000-8000-000000000002');
INSERT INTO jobs.queue (tenant_key, kind, payload) VALUES ('a1a1a1a1-0000-4000-8000-000000000001', 'pdf', '{"doc": 1}');
INSERT INTO jobs.queue (tenant_key, kind, payload) VALUES ('b2b2b2b2-0000-4000-8000-000000000002', 'mail', '{"to": "boss@b.example", "body": "we are broke"}');
INSERT INTO jobs.results SELECT tenant_key, job, true, 'preview' FROM jobs.queue;
--- fix
CREATE OR REPLACE FUNCTION jobs.claim(OUT job uuid, OUT kind text, OUT payload jsonb)
LANGUAGE sql SECURITY DEFINER SET search_path = jobs, pg_temp AS $$
  UPDATE queue q SET state = 'taken'
   WHERE (q.tenant_key, q.job) = (SELECT w.tenant_key, w.job FROM queue w WHERE w.state = 'waiting'
                                  AND w.tenant_key = current_setting('jobs.tenant')::uuid
                                  ORDER BY w.queued LIMIT 1 FOR UPDATE SKIP LOCKED)
  RETURNING q.job, q.kind, q.payload
$$;
