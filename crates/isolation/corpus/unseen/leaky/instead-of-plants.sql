--: why = "The INSTEAD OF INSERT trigger of forum.my_posts is SECURITY DEFINER and copies NEW.community into the base table unchecked; community A inserts through the view with community = B and plants a post there."
--: class = "instead-of-trigger-plants"
--: [isolation]
--: app_role = "forum_web"
--: tenant_column = "community"
--: tenants = ["aquarists", "bakers"]
--: context = "SET LOCAL forum.community = '{tenant}'"
--: [[expect]]
--: object = "forum.my_posts_ins"
--: verb = "insert"
--: kind = "leak"
CREATE ROLE forum_web LOGIN;
CREATE SCHEMA forum;
CREATE TABLE forum.communities (community text PRIMARY KEY, motto text);
CREATE TABLE forum.threads (
  community text NOT NULL REFERENCES forum.communities, thread int NOT NULL, subject text NOT NULL CHECK (subject <> ''),
  PRIMARY KEY (community, thread)
);
CREATE TABLE forum.posts (
  community text NOT NULL, post_id uuid NOT NULL DEFAULT gen_random_uuid(), thread int NOT NULL, author text NOT NULL, body text NOT NULL,
  posted timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (community, post_id), FOREIGN KEY (community, thread) REFERENCES forum.threads
);
ALTER TABLE forum.threads ENABLE ROW LEVEL SECURITY;
ALTER TABLE forum.posts ENABLE ROW LEVEL SECURITY;
CREATE POLICY c ON forum.threads USING (community = current_setting('forum.community'));
CREATE POLICY c ON forum.posts FOR SELECT USING (community = current_setting('forum.community'));
CREATE VIEW forum.my_posts WITH (security_invoker = true) AS
  SELECT p.community, p.thread, t.subject, p.author, p.body FROM forum.posts p JOIN forum.threads t USING (community, thread);
CREATE FUNCTION forum.my_posts_ins() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = forum, pg_temp AS $$
BEGIN
  NEW.community := coalesce(NEW.community, current_setting('forum.community'));
  INSERT INTO posts (community, thread, author, body) VALUES (NEW.community, NEW.thread, NEW.author, NEW.body);
  RETURN NEW;
END $$;
CREATE TRIGGER ins INSTEAD OF INSERT ON forum.my_posts FOR EACH ROW EXECUTE FUNCTION forum.my_posts_ins();
GRANT USAGE ON SCHEMA forum TO forum_web;
GRANT SELECT, INSERT ON forum.threads TO forum_web;
GRANT SELECT ON forum.posts TO forum_web;
GRANT SELECT, INSERT ON forum.my_posts TO forum_web;
INSERT INTO forum.communities VALUES ('aquarists', 'keep calm'), ('bakers', 'rise');
INSERT INTO forum.threads VALUES ('aquarists', 1, 'Guppies'), ('bakers', 1, 'Rye');
INSERT INTO forum.posts (community, thread, author, body) VALUES ('aquarists', 1, 'amy', 'hi'), ('bakers', 1, 'ben', 'yo');
--- fix
CREATE OR REPLACE FUNCTION forum.my_posts_ins() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = forum, pg_temp AS $$
BEGIN
  NEW.community := current_setting('forum.community');
  INSERT INTO posts (community, thread, author, body) VALUES (NEW.community, NEW.thread, NEW.author, NEW.body);
  RETURN NEW;
END $$;
