--: why = "fleet.register_car looks for the plate in all companies and its error message quotes company and driver of the other holder."
--: class = "definer-function"
--: [isolation]
--: app_role = "fleet_app"
--: tenant_column = "company_id"
--: context = "SET LOCAL fleet.company = '{tenant}'"
--: [[expect]]
--: object = "fleet.register_car"
--: verb = "execute"
--: kind = "leak"
create role fleet_app login;
create schema fleet;
create table fleet.cars (
  company_id bigint not null,
  plate text not null check (plate = upper(plate) and plate ~ '^[A-Z0-9 -]{3,12}$'),
  driver text not null,
  seats smallint not null default 5,
  added_at timestamptz not null default now(),
  primary key (company_id, plate)
);
create table fleet.trips (
  company_id bigint not null,
  plate text not null,
  started_at timestamptz not null,
  km numeric(8,1) not null check (km > 0),
  tags text[] not null default '{}',
  primary key (company_id, plate, started_at),
  foreign key (company_id, plate) references fleet.cars on delete cascade
);
alter table fleet.cars enable row level security;
alter table fleet.cars force row level security;
alter table fleet.trips enable row level security;
alter table fleet.trips force row level security;
create policy c on fleet.cars for select using (company_id = nullif(current_setting('fleet.company', true), '')::bigint);
create policy c on fleet.trips using (company_id = nullif(current_setting('fleet.company', true), '')::bigint)
  with check (company_id = nullif(current_setting('fleet.company', true), '')::bigint);
create function fleet.register_car(p_plate text, p_driver text) returns void
language plpgsql security definer set search_path = fleet, pg_temp as $$
declare
  me bigint := nullif(current_setting('fleet.company', true), '')::bigint;
  other fleet.cars;
begin
  select * into other from fleet.cars c where c.plate = upper(p_plate);
  if found then
    raise exception 'plate % is in use', upper(p_plate)
      using detail = format('held by company %s since %s, driver %s', other.company_id, other.added_at::date, other.driver);
  end if;
  insert into fleet.cars (company_id, plate, driver) values (me, upper(p_plate), p_driver);
end $$;
grant usage on schema fleet to fleet_app;
grant select on fleet.cars to fleet_app;
grant select, insert, update, delete on fleet.trips to fleet_app;
--- fix
create or replace function fleet.register_car(p_plate text, p_driver text) returns void
language plpgsql security definer set search_path = fleet, pg_temp as $$
declare
  me bigint := nullif(current_setting('fleet.company', true), '')::bigint;
  other fleet.cars;
begin
  select * into other from fleet.cars c where c.plate = upper(p_plate) and c.company_id = me;
  if found then
    raise exception 'plate % is in use', upper(p_plate)
      using detail = format('yours since %s, driver %s', other.added_at::date, other.driver);
  end if;
  insert into fleet.cars (company_id, plate, driver) values (me, upper(p_plate), p_driver);
end $$;
