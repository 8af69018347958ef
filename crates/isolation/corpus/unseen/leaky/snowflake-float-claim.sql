--: why = "The policy on chat.messages casts the JWT claim to double precision, so the bigint guild id is compared as a float; ids above 2^53 that differ in the last digits are equal, and guild A reads guild B's messages."
--: class = "lossy-float-comparison"
--: [[expect]]
--: object = "chat.messages"
--: verb = "select"
--: kind = "leak"
CREATE ROLE chat_gateway LOGIN;
CREATE SCHEMA chat;
CREATE DOMAIN chat.snowflake AS bigint CHECK (VALUE > 4194304);
CREATE TABLE chat.guilds (guild_id chat.snowflake PRIMARY KEY, title text NOT NULL, owner_handle text NOT NULL);
CREATE TABLE chat.channels (
  guild_id chat.snowflake NOT NULL REFERENCES chat.guilds,
  slug text NOT NULL CHECK (slug ~ '^[a-z0-9-]+$'),
  topic text,
  PRIMARY KEY (guild_id, slug)
);
CREATE TABLE chat.messages (
  guild_id chat.snowflake NOT NULL,
  msg_id uuid NOT NULL DEFAULT gen_random_uuid(),
  slug text NOT NULL,
  author text NOT NULL,
  content text NOT NULL CHECK (char_length(content) <= 2000),
  sent_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (guild_id, msg_id),
  FOREIGN KEY (guild_id, slug) REFERENCES chat.channels ON DELETE CASCADE
);
CREATE TABLE chat.reactions (
  guild_id chat.snowflake NOT NULL, msg_id uuid NOT NULL, emoji text NOT NULL, n int NOT NULL DEFAULT 1 CHECK (n > 0),
  PRIMARY KEY (guild_id, msg_id, emoji),
  FOREIGN KEY (guild_id, msg_id) REFERENCES chat.messages ON DELETE CASCADE
);
CREATE FUNCTION chat.claim(k text) RETURNS text LANGUAGE sql STABLE
  AS $$ SELECT current_setting('request.jwt.claims', true)::json ->> k $$;
ALTER TABLE chat.channels ENABLE ROW LEVEL SECURITY;
ALTER TABLE chat.messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE chat.reactions ENABLE ROW LEVEL SECURITY;
CREATE POLICY g ON chat.channels USING (guild_id = chat.claim('guild_id')::bigint);
CREATE POLICY g ON chat.messages USING (guild_id = chat.claim('guild_id')::double precision)
  WITH CHECK (guild_id = chat.claim('guild_id')::bigint);
CREATE POLICY g ON chat.reactions USING (guild_id = chat.claim('guild_id')::bigint);
GRANT USAGE ON SCHEMA chat TO chat_gateway;
GRANT SELECT, INSERT ON chat.messages TO chat_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat.channels, chat.reactions TO chat_gateway;
INSERT INTO chat.guilds VALUES (801234567890123777, 'Otters', 'ann#1'), (801234567890123778, 'Badgers', 'bob#2');
INSERT INTO chat.channels VALUES (801234567890123777, 'general', 'hi'), (801234567890123778, 'staff', 'private');
INSERT INTO chat.messages (guild_id, slug, author, content) VALUES
  (801234567890123777, 'general', 'ann', 'hello otters'), (801234567890123778, 'staff', 'bob', 'we fire Carl on Monday');
INSERT INTO chat.reactions SELECT guild_id, msg_id, 'thumbsup', 1 FROM chat.messages;
--- fix
ALTER POLICY g ON chat.messages USING (guild_id = chat.claim('guild_id')::bigint);
