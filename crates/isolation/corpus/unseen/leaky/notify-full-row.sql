--: why = "The trigger on orders sends the whole new row with pg_notify on the single channel 'orders'; any session of the app role may LISTEN on it, so A receives B's orders with name and phone."
--: class = "notify-payload-cross-tenant"
--: [[expect]]
--: object = "resto.announce_order"
--: verb = "listen"
--: kind = "leak"
CREATE ROLE kitchen LOGIN;
CREATE SCHEMA resto;
CREATE TABLE resto.restaurants (resto_id int PRIMARY KEY, title text NOT NULL, push_key uuid NOT NULL DEFAULT gen_random_uuid());
CREATE TABLE resto.dishes (
  resto_id int NOT NULL REFERENCES resto.restaurants, dish text NOT NULL, price numeric(6,2) NOT NULL CHECK (price > 0), PRIMARY KEY (resto_id, dish)
);
CREATE TABLE resto.orders (
  resto_id int NOT NULL, order_id uuid NOT NULL DEFAULT gen_random_uuid(), dish text NOT NULL, guest text NOT NULL, phone text NOT NULL,
  PRIMARY KEY (resto_id, order_id), FOREIGN KEY (resto_id, dish) REFERENCES resto.dishes
);
ALTER TABLE resto.restaurants ENABLE ROW LEVEL SECURITY;
ALTER TABLE resto.dishes ENABLE ROW LEVEL SECURITY;
ALTER TABLE resto.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY r ON resto.restaurants FOR SELECT USING (resto_id = current_setting('resto.id')::int);
CREATE POLICY r ON resto.dishes USING (resto_id = current_setting('resto.id')::int);
CREATE POLICY r ON resto.orders USING (resto_id = current_setting('resto.id')::int);
CREATE FUNCTION resto.announce_order() RETURNS trigger LANGUAGE plpgsql SET search_path = resto, pg_temp AS $$
BEGIN
  PERFORM pg_notify('orders', row_to_json(NEW)::text);
  RETURN NEW;
END $$;
CREATE TRIGGER announce AFTER INSERT ON resto.orders FOR EACH ROW EXECUTE FUNCTION resto.announce_order();
GRANT USAGE ON SCHEMA resto TO kitchen;
GRANT SELECT ON resto.restaurants TO kitchen;
GRANT SELECT, INSERT, UPDATE ON resto.dishes TO kitchen;
GRANT SELECT, INSERT ON resto.orders TO kitchen;
-- each transaction: SET LOCAL resto.id = '<resto_id>'
INSERT INTO resto.restaurants VALUES (1, 'Aroma'), (2, 'Bistro');
INSERT INTO resto.dishes VALUES (1, 'Soup', 5), (2, 'Steak', 30);
INSERT INTO resto.orders (resto_id, dish, guest, phone) VALUES (1, 'Soup', 'Al', '0664-1'), (2, 'Steak', 'Bo', '0664-2');
--- fix
-- one unguessable channel per restaurant; the key is in a row that only that restaurant can read
CREATE OR REPLACE FUNCTION resto.announce_order() RETURNS trigger LANGUAGE plpgsql SET search_path = resto, pg_temp AS $$
BEGIN
  PERFORM pg_notify('orders-' || r.push_key, row_to_json(NEW)::text) FROM restaurants r WHERE r.resto_id = NEW.resto_id;
  RETURN NEW;
END $$;
