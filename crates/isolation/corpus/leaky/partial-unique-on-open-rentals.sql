--: why = "Only one open rental per number plate, across all fleets: the partial unique index lacks fleet_id, so an INSERT tells whether another fleet has that car out right now."
--: class = "existence"
--: [[expect]]
--: object = "fleet.rentals"
--: verb = "existence"
--: kind = "leak"
create role fleet_app login;
create schema fleet;
create function fleet.id() returns int language sql stable as $$ select nullif(current_setting('fleet.id', true), '')::int $$;
create table fleet.drivers (
  fleet_id int not null check (fleet_id > 0),
  driver_id uuid not null default gen_random_uuid(),
  name text not null,
  licence_until date not null,
  primary key (fleet_id, driver_id)
);
create table fleet.rentals (
  fleet_id int not null check (fleet_id > 0),
  rental_id uuid not null default gen_random_uuid(),
  plate text not null check (plate ~ '^[A-Z]{1,3}-[A-Z0-9]{1,8}$'),
  driver_id uuid,
  taken_at timestamptz not null default now(),
  returned_at timestamptz check (returned_at > taken_at),
  primary key (fleet_id, rental_id),
  foreign key (fleet_id, driver_id) references fleet.drivers
);
create unique index rentals_one_open on fleet.rentals (plate) where returned_at is null;
alter table fleet.drivers enable row level security, force row level security;
alter table fleet.rentals enable row level security, force row level security;
create policy f on fleet.drivers to fleet_app using (fleet_id = fleet.id());
create policy f on fleet.rentals to fleet_app using (fleet_id = fleet.id());
grant usage on schema fleet to fleet_app;
grant select, insert, update, delete on fleet.drivers, fleet.rentals to fleet_app;
insert into fleet.drivers (fleet_id, name, licence_until) values (1, 'Jo', '2030-01-01'), (2, 'Al', '2031-01-01');
insert into fleet.rentals (fleet_id, plate) values (1, 'W-1234'), (2, 'G-777X');
insert into fleet.rentals (fleet_id, plate, taken_at, returned_at) values (2, 'G-888X', '2025-01-01', '2025-01-02');
--- fix
drop index fleet.rentals_one_open;
create unique index rentals_one_open on fleet.rentals (fleet_id, plate) where returned_at is null;
