--: why = "Overlap is forbidden by exclusion constraints whose first element is the hotel, both for bookings and for the valid-time price table, so a conflict can only be with rows of the own hotel."
--: class = "exclusion-with-tenant"
--: [isolation]
--: app_role = "hotel_app"
--: tenant_column = "hotel"
--: tenants = ["9001", "9002"]
--: context = "SET LOCAL hotel.id = '{tenant}'"
CREATE EXTENSION btree_gist;
CREATE ROLE hotel_owner NOLOGIN;
CREATE ROLE hotel_app LOGIN;
CREATE SCHEMA hotel AUTHORIZATION hotel_owner;
SET ROLE hotel_owner;
CREATE FUNCTION hotel.id() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT nullif(current_setting('hotel.id', true), '')::bigint $$;
CREATE TABLE hotel.room (hotel bigint NOT NULL, room integer NOT NULL, beds smallint NOT NULL CHECK (beds BETWEEN 1 AND 6), PRIMARY KEY (hotel, room));
CREATE TABLE hotel.booking (
  hotel bigint NOT NULL, booking_no integer NOT NULL, room integer NOT NULL, stay daterange NOT NULL CHECK (NOT isempty(stay)), guest text NOT NULL,
  PRIMARY KEY (hotel, booking_no),
  FOREIGN KEY (hotel, room) REFERENCES hotel.room ON DELETE CASCADE,
  CONSTRAINT no_double_booking EXCLUDE USING gist (hotel WITH =, room WITH =, stay WITH &&)
);
CREATE TABLE hotel.price (
  hotel bigint NOT NULL, beds smallint NOT NULL, valid daterange NOT NULL, eur numeric(7, 2) NOT NULL CHECK (eur > 0),
  CONSTRAINT one_price_at_a_time EXCLUDE USING gist (hotel WITH =, beds WITH =, valid WITH &&)
);
ALTER TABLE hotel.room ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE hotel.booking ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE hotel.price ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY h ON hotel.room USING (hotel = hotel.id());
CREATE POLICY h ON hotel.booking USING (hotel = hotel.id());
CREATE POLICY h ON hotel.price USING (hotel = hotel.id());
GRANT USAGE ON SCHEMA hotel TO hotel_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA hotel TO hotel_app;
RESET ROLE;
INSERT INTO hotel.room VALUES (9001, 1, 2), (9002, 1, 2);
INSERT INTO hotel.booking VALUES (9001, 1, 1, '[2024-05-01,2024-05-03)', 'Mr Ash'), (9002, 1, 1, '[2024-06-01,2024-06-09)', 'Ms Zorn');
INSERT INTO hotel.price VALUES (9001, 2, '[2024-01-01,2025-01-01)', 80), (9002, 2, '[2024-01-01,2025-01-01)', 199);
