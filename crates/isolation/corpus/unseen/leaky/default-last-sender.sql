--: why = "The DEFAULT of parcel.labels.sender_address calls parcel.last_sender(), SECURITY DEFINER, which returns the most recent address of any customer; A inserts a label without sender and RETURNING shows the address B used last."
--: class = "column-default-definer-function"
--: [[expect]]
--: object = "parcel.last_sender"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE ship_api LOGIN;
CREATE SCHEMA parcel;
CREATE TYPE parcel.size AS ENUM ('S', 'M', 'L');
CREATE TABLE parcel.customers (customer_key text PRIMARY KEY CHECK (customer_key ~ '^ck_'), name text NOT NULL);
CREATE TABLE parcel.labels (
  customer_key text NOT NULL REFERENCES parcel.customers, label_id uuid NOT NULL DEFAULT gen_random_uuid(),
  recipient text NOT NULL, size parcel.size NOT NULL DEFAULT 'S', sender_address text NOT NULL,
  made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (customer_key, label_id)
);
CREATE TABLE parcel.tracking (
  customer_key text NOT NULL, label_id uuid NOT NULL, seq smallint NOT NULL, place text NOT NULL,
  PRIMARY KEY (customer_key, label_id, seq), FOREIGN KEY (customer_key, label_id) REFERENCES parcel.labels
);
CREATE FUNCTION parcel.last_sender() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = parcel, pg_temp
  AS $$ SELECT coalesce((SELECT l.sender_address FROM labels l ORDER BY l.made_at DESC LIMIT 1), 'unknown') $$;
ALTER TABLE parcel.labels ALTER COLUMN sender_address SET DEFAULT parcel.last_sender();
ALTER TABLE parcel.labels ENABLE ROW LEVEL SECURITY;
ALTER TABLE parcel.tracking ENABLE ROW LEVEL SECURITY;
CREATE POLICY k ON parcel.labels USING (customer_key = current_setting('request.jwt.claims', true)::json->>'ck');
CREATE POLICY k ON parcel.tracking USING (customer_key = current_setting('request.jwt.claims', true)::json->>'ck');
GRANT USAGE ON SCHEMA parcel TO ship_api;
GRANT SELECT, INSERT ON parcel.labels TO ship_api;
GRANT SELECT ON parcel.tracking TO ship_api;
INSERT INTO parcel.customers VALUES ('ck_ants', 'Ants'), ('ck_bees', 'Bees');
INSERT INTO parcel.labels (customer_key, recipient, sender_address) VALUES ('ck_ants', 'r1', 'Ant Hill 1');
INSERT INTO parcel.labels (customer_key, recipient, sender_address) VALUES ('ck_bees', 'r2', 'Secret Hive 9');
INSERT INTO parcel.tracking SELECT customer_key, label_id, 1, 'Vienna' FROM parcel.labels;
--- fix
CREATE OR REPLACE FUNCTION parcel.last_sender() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = parcel, pg_temp
  AS $$ SELECT coalesce((SELECT l.sender_address FROM labels l
    WHERE l.customer_key = current_setting('request.jwt.claims', true)::json->>'ck' ORDER BY l.made_at DESC LIMIT 1), 'unknown') $$;
