--: why = "The deferred constraint trigger on space.reservations is SECURITY DEFINER, compares desks by label over all sites' tenants and names the other holder in its error; A reserves a like-named desk and the message at SET CONSTRAINTS/COMMIT tells B's customer."
--: class = "constraint-trigger-error-message"
--: [[expect]]
--: object = "space.no_overlap"
--: verb = "existence"
--: kind = "leak"
CREATE ROLE cowork_app LOGIN;
CREATE SCHEMA space;
CREATE TABLE space.operators (operator_id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE space.desks (
  operator_id int NOT NULL REFERENCES space.operators, label text NOT NULL CHECK (label ~ '^[A-Z][0-9]+$'), standing boolean NOT NULL DEFAULT false,
  PRIMARY KEY (operator_id, label)
);
CREATE TABLE space.reservations (
  operator_id int NOT NULL, resv uuid NOT NULL DEFAULT gen_random_uuid(), label text NOT NULL, on_day date NOT NULL, customer text NOT NULL,
  PRIMARY KEY (operator_id, resv), FOREIGN KEY (operator_id, label) REFERENCES space.desks
);
CREATE TABLE space.passes (
  operator_id int NOT NULL REFERENCES space.operators, pass_no int NOT NULL, holder text NOT NULL, days int NOT NULL CHECK (days > 0),
  PRIMARY KEY (operator_id, pass_no)
);
ALTER TABLE space.desks ENABLE ROW LEVEL SECURITY;
ALTER TABLE space.reservations ENABLE ROW LEVEL SECURITY;
ALTER TABLE space.passes ENABLE ROW LEVEL SECURITY;
CREATE POLICY o ON space.desks USING (operator_id = current_setting('space.operator')::int);
CREATE POLICY o ON space.reservations USING (operator_id = current_setting('space.operator')::int);
CREATE POLICY o ON space.passes USING (operator_id = current_setting('space.operator')::int);
CREATE FUNCTION space.no_overlap() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = space, pg_temp AS $$
DECLARE who text;
BEGIN
  SELECT r.customer INTO who FROM reservations r
   WHERE r.label = NEW.label AND r.on_day = NEW.on_day AND r.resv <> NEW.resv LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'desk % on % is already taken by %', NEW.label, NEW.on_day, who USING ERRCODE = 'exclusion_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER no_overlap AFTER INSERT OR UPDATE ON space.reservations
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION space.no_overlap();
GRANT USAGE ON SCHEMA space TO cowork_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON space.desks, space.reservations, space.passes TO cowork_app;
-- context: SET LOCAL space.operator = '<operator_id>'
INSERT INTO space.operators VALUES (1, 'Hub'), (2, 'Loft');
INSERT INTO space.desks VALUES (1, 'A1'), (1, 'A2'), (2, 'A1');
INSERT INTO space.reservations (operator_id, label, on_day, customer) VALUES (1, 'A2', '2030-06-01', 'Ivo'), (2, 'A1', '2030-06-01', 'Secret Startup');
INSERT INTO space.passes VALUES (1, 1, 'Ivo', 10), (2, 1, 'Sue', 20);
--- fix
CREATE OR REPLACE FUNCTION space.no_overlap() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = space, pg_temp AS $$
DECLARE who text;
BEGIN
  SELECT r.customer INTO who FROM reservations r
   WHERE r.operator_id = NEW.operator_id AND r.label = NEW.label AND r.on_day = NEW.on_day AND r.resv <> NEW.resv LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'desk % on % is already taken by %', NEW.label, NEW.on_day, who USING ERRCODE = 'exclusion_violation';
  END IF;
  RETURN NULL;
END $$;
