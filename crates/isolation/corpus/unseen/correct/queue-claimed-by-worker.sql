--: why = "The worker role claims jobs of all tenants through a definer function with SKIP LOCKED; the app can neither execute it nor become the worker, and sees and enqueues only its own jobs."
--: class = "worker-queue"
CREATE ROLE render_owner NOLOGIN;
CREATE ROLE render_app LOGIN;
CREATE ROLE render_worker LOGIN;
CREATE SCHEMA render AUTHORIZATION render_owner;
SET ROLE render_owner;
CREATE TYPE render.job_state AS ENUM ('queued', 'running', 'done', 'failed');
CREATE TABLE render.studio (studio_id uuid PRIMARY KEY, quota integer NOT NULL CHECK (quota >= 0));
CREATE TABLE render.job (
  studio_id uuid NOT NULL REFERENCES render.studio, job_id uuid NOT NULL DEFAULT gen_random_uuid(),
  scene text NOT NULL, state render.job_state NOT NULL DEFAULT 'queued', output_url text, queued_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (studio_id, job_id)
);
CREATE TABLE render.frame (
  studio_id uuid NOT NULL, job_id uuid NOT NULL, frame_no integer NOT NULL CHECK (frame_no >= 0), png_sha text,
  PRIMARY KEY (studio_id, job_id, frame_no), FOREIGN KEY (studio_id, job_id) REFERENCES render.job ON DELETE CASCADE
);
ALTER TABLE render.studio ENABLE ROW LEVEL SECURITY;
ALTER TABLE render.job ENABLE ROW LEVEL SECURITY;
ALTER TABLE render.frame ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_studio ON render.studio FOR SELECT TO render_app USING (studio_id::text = current_setting('render.studio', true));
CREATE POLICY app_job ON render.job TO render_app USING (studio_id::text = current_setting('render.studio', true));
CREATE POLICY app_frame ON render.frame FOR SELECT TO render_app USING (studio_id::text = current_setting('render.studio', true));
CREATE FUNCTION render.claim(n integer) RETURNS SETOF render.job LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE render.job j SET state = 'running'
   FROM (SELECT studio_id, job_id FROM render.job WHERE state = 'queued' ORDER BY queued_at LIMIT n FOR UPDATE SKIP LOCKED) q
  WHERE (j.studio_id, j.job_id) = (q.studio_id, q.job_id) RETURNING j.* $$;
CREATE FUNCTION render.finish(p_studio uuid, p_job uuid, p_url text) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE render.job SET state = 'done', output_url = p_url WHERE studio_id = p_studio AND job_id = p_job AND state = 'running' $$;
REVOKE ALL ON FUNCTION render.claim(integer), render.finish(uuid, uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION render.claim(integer), render.finish(uuid, uuid, text) TO render_worker;
GRANT USAGE ON SCHEMA render TO render_app, render_worker;
GRANT SELECT ON render.studio, render.job, render.frame TO render_app;
GRANT INSERT (studio_id, scene), DELETE ON render.job TO render_app;
RESET ROLE;
INSERT INTO render.studio VALUES ('01000000-aaaa-4aaa-8aaa-0000000000a1', 5), ('02000000-bbbb-4bbb-8bbb-0000000000b2', 9);
INSERT INTO render.job (studio_id, scene) VALUES ('01000000-aaaa-4aaa-8aaa-0000000000a1', 'apple'), ('02000000-bbbb-4bbb-8bbb-0000000000b2', 'zeppelin');
