--: why = "A partial expression index keeps active card numbers unique over all clubs after normalising them; inserting a guessed number as active tells whether another club uses it, inserting it in another state does not."
--: class = "partial-expression-unique-index"
--: [isolation]
--: app_role = "club_app"
--: tenant_column = "club_id"
--: tenants = ["12", "34"]
--: context = "SET LOCAL club.id = '{tenant}'"
--: [[expect]]
--: object = "club.membership"
--: verb = "existence"
--: kind = "leak"
CREATE ROLE club_owner NOLOGIN;
CREATE ROLE club_app LOGIN;
CREATE SCHEMA club AUTHORIZATION club_owner;
SET ROLE club_owner;
CREATE TYPE club.member_state AS ENUM ('applied', 'active', 'left');
CREATE FUNCTION club.norm(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper(regexp_replace($1, '[^0-9A-Za-z]', '', 'g')) $$;
CREATE TABLE club.person (club_id integer NOT NULL, person_no integer NOT NULL, name text NOT NULL, PRIMARY KEY (club_id, person_no));
CREATE TABLE club.membership (
  club_id integer NOT NULL, person_no integer NOT NULL, card_no text NOT NULL CHECK (length(card_no) BETWEEN 6 AND 20), state club.member_state NOT NULL DEFAULT 'applied',
  PRIMARY KEY (club_id, person_no), FOREIGN KEY (club_id, person_no) REFERENCES club.person ON DELETE CASCADE
);
CREATE UNIQUE INDEX membership_card ON club.membership (club.norm(card_no)) WHERE state = 'active';
CREATE TABLE club.fee (club_id integer NOT NULL, person_no integer NOT NULL, year smallint NOT NULL, eur numeric(6, 2) NOT NULL, PRIMARY KEY (club_id, person_no, year), FOREIGN KEY (club_id, person_no) REFERENCES club.membership);
ALTER TABLE club.person ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE club.membership ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE club.fee ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY c ON club.person USING (club_id = nullif(current_setting('club.id', true), '')::integer);
CREATE POLICY c ON club.membership USING (club_id = nullif(current_setting('club.id', true), '')::integer);
CREATE POLICY c ON club.fee USING (club_id = nullif(current_setting('club.id', true), '')::integer);
GRANT USAGE ON SCHEMA club TO club_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA club TO club_app;
RESET ROLE;
INSERT INTO club.person VALUES (12, 1, 'Anne'), (12, 2, 'Aron'), (34, 1, 'Zane');
INSERT INTO club.membership VALUES (12, 1, 'DE-100-001', 'active'), (34, 1, 'DE-900-777', 'active');
--- fix
DROP INDEX club.membership_card;
CREATE UNIQUE INDEX membership_card ON club.membership (club_id, club.norm(card_no)) WHERE state = 'active';
