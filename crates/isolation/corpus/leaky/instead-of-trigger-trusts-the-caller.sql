--: why = "The view shows own bookings only, but its INSTEAD OF trigger function is a definer function that writes NEW.hotel_id as given: INSERT INTO the view plants bookings in any hotel."
--: class = "view"
--: [[expect]]
--: object = "hotel.save_booking"
--: verb = "insert"
--: kind = "leak"
create role front_desk login;
create schema hotel;
create function hotel.me() returns text language sql stable as $$ select nullif(current_setting('hotel.code', true), '') $$;
create table hotel.bookings (
  hotel_id text not null check (hotel_id ~ '^[A-Z]{3}$'),
  booking_id uuid not null default gen_random_uuid(),
  guest text not null,
  stay daterange not null check (not isempty(stay)),
  primary key (hotel_id, booking_id)
);
create table hotel.rooms (
  hotel_id text not null check (hotel_id ~ '^[A-Z]{3}$'),
  room text not null,
  beds smallint not null default 2 check (beds between 1 and 6),
  primary key (hotel_id, room)
);
alter table hotel.bookings enable row level security, force row level security;
alter table hotel.rooms enable row level security, force row level security;
create policy h on hotel.bookings using (hotel_id = hotel.me());
create policy h on hotel.rooms using (hotel_id = hotel.me());
create view hotel.booking_form with (security_invoker = true) as
  select hotel_id, booking_id, guest, lower(stay) as arrives, upper(stay) as leaves from hotel.bookings;
create function hotel.save_booking() returns trigger language plpgsql security definer set search_path = hotel, pg_temp as $$
begin
  insert into hotel.bookings (hotel_id, booking_id, guest, stay)
    values (new.hotel_id, coalesce(new.booking_id, gen_random_uuid()), new.guest, daterange(new.arrives, new.leaves));
  return new;
end $$;
create trigger save instead of insert on hotel.booking_form for each row execute function hotel.save_booking();
grant usage on schema hotel to front_desk;
grant select on hotel.bookings to front_desk;
grant select, insert, update, delete on hotel.rooms to front_desk;
grant select, insert on hotel.booking_form to front_desk;
insert into hotel.rooms values ('OSL', '101', 2), ('BER', '101', 1);
insert into hotel.bookings (hotel_id, guest, stay) values ('OSL', 'K. Lie', '[2025-06-01,2025-06-03)'), ('BER', 'T. Arndt', '[2025-06-01,2025-06-03)');
--- fix
create or replace function hotel.save_booking() returns trigger language plpgsql security definer set search_path = hotel, pg_temp as $$
begin
  if new.hotel_id is distinct from hotel.me() or new.hotel_id is null then
    raise exception 'not your hotel' using errcode = '42501';
  end if;
  insert into hotel.bookings (hotel_id, booking_id, guest, stay)
    values (new.hotel_id, coalesce(new.booking_id, gen_random_uuid()), new.guest, daterange(new.arrives, new.leaves));
  return new;
end $$;
