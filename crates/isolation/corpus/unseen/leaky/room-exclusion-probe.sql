--: why = "The exclusion constraint on rooms.bookings compares only room_label and the time range, so hotel A gets exclusion_violation when (and only when) hotel B has a booking of an equally named room at that time: B's occupancy can be read off."
--: class = "exclusion-constraint-existence"
--: [isolation]
--: app_role = "booker"
--: tenant_column = "hotel"
--: tenants = ["ALP", "BEL"]
--: context = "SET LOCAL app.hotel = '{tenant}'"
--: [[expect]]
--: object = "rooms.bookings"
--: verb = "existence"
--: kind = "leak"
CREATE ROLE booker LOGIN;
CREATE EXTENSION btree_gist;
CREATE SCHEMA rooms;
CREATE DOMAIN rooms.hotel_code AS text CHECK (VALUE ~ '^[A-Z]{3}$');
CREATE TABLE rooms.hotels (code rooms.hotel_code PRIMARY KEY, stars int NOT NULL CHECK (stars BETWEEN 1 AND 5));
CREATE TABLE rooms.rooms (
  hotel rooms.hotel_code NOT NULL REFERENCES rooms.hotels,
  room_label text NOT NULL, beds int NOT NULL CHECK (beds > 0),
  PRIMARY KEY (hotel, room_label)
);
CREATE TABLE rooms.guests (
  hotel rooms.hotel_code NOT NULL REFERENCES rooms.hotels,
  guest_no int NOT NULL, name text NOT NULL, vip boolean NOT NULL DEFAULT false,
  PRIMARY KEY (hotel, guest_no)
);
CREATE TABLE rooms.bookings (
  hotel rooms.hotel_code NOT NULL,
  booking_ref uuid NOT NULL DEFAULT gen_random_uuid(),
  room_label text NOT NULL,
  guest_no int NOT NULL,
  stay daterange NOT NULL CHECK (NOT isempty(stay) AND NOT lower_inf(stay) AND NOT upper_inf(stay)),
  cancelled boolean NOT NULL DEFAULT false,
  PRIMARY KEY (hotel, booking_ref),
  FOREIGN KEY (hotel, room_label) REFERENCES rooms.rooms,
  FOREIGN KEY (hotel, guest_no) REFERENCES rooms.guests,
  CONSTRAINT no_double EXCLUDE USING gist (room_label WITH =, stay WITH &&) WHERE (NOT cancelled)
);
ALTER TABLE rooms.rooms ENABLE ROW LEVEL SECURITY;
ALTER TABLE rooms.guests ENABLE ROW LEVEL SECURITY;
ALTER TABLE rooms.bookings ENABLE ROW LEVEL SECURITY;
CREATE POLICY h ON rooms.rooms USING (hotel = current_setting('app.hotel'));
CREATE POLICY h ON rooms.guests USING (hotel = current_setting('app.hotel'));
CREATE POLICY h ON rooms.bookings USING (hotel = current_setting('app.hotel'));
GRANT USAGE ON SCHEMA rooms TO booker;
GRANT SELECT, INSERT, UPDATE ON rooms.rooms, rooms.guests, rooms.bookings TO booker;
INSERT INTO rooms.hotels VALUES ('ALP', 3), ('BEL', 5);
INSERT INTO rooms.rooms VALUES ('ALP', '101', 2), ('ALP', '102', 1), ('BEL', '101', 2);
INSERT INTO rooms.guests VALUES ('ALP', 1, 'Mr. Frei', false), ('BEL', 1, 'Ms. Star', true);
INSERT INTO rooms.bookings (hotel, room_label, guest_no, stay) VALUES
  ('ALP', '102', 1, '[2030-01-01,2030-01-05)'), ('BEL', '101', 1, '[2030-02-10,2030-02-14)');
--- fix
ALTER TABLE rooms.bookings DROP CONSTRAINT no_double;
ALTER TABLE rooms.bookings ADD CONSTRAINT no_double
  EXCLUDE USING gist ((hotel::text) WITH =, room_label WITH =, stay WITH &&) WHERE (NOT cancelled);
