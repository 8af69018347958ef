--: why = "reset_import() is a definer function callable by everyone who may use the app role; it truncates the staging table of all agencies instead of deleting the caller's rows."
--: class = "truncate"
--: [isolation]
--: app_role = "travel_app"
--: tenant_column = "agency"
--: tenants = ["north", "south"]
--: context = "SET LOCAL travel.agency = '{tenant}'"
--: [[expect]]
--: object = "travel.reset_import"
--: verb = "execute"
--: kind = "leak"
create role travel_app login;
create schema travel;
create table travel.import_rows (
  agency text not null check (agency ~ '^[a-z]{3,20}$'),
  row_no int not null check (row_no > 0),
  cells text[] not null,
  primary key (agency, row_no)
);
create table travel.trips (
  agency text not null check (agency ~ '^[a-z]{3,20}$'),
  trip_id uuid not null default gen_random_uuid(),
  destination text not null,
  days int not null check (days > 0),
  primary key (agency, trip_id)
);
alter table travel.import_rows enable row level security, force row level security;
alter table travel.trips enable row level security, force row level security;
create policy a on travel.import_rows using (agency = nullif(current_setting('travel.agency', true), ''));
create policy a on travel.trips using (agency = nullif(current_setting('travel.agency', true), ''));
create function travel.reset_import() returns void language plpgsql security definer set search_path = travel, pg_temp as $$
begin
  truncate travel.import_rows;
end $$;
revoke execute on function travel.reset_import() from public;
grant execute on function travel.reset_import() to travel_app;
grant usage on schema travel to travel_app;
grant select, insert on travel.import_rows to travel_app;
grant select, insert, update, delete on travel.trips to travel_app;
insert into travel.import_rows values ('north', 1, '{Oslo,4}'), ('south', 1, '{Rome,9}'), ('south', 2, '{Bari,3}');
insert into travel.trips (agency, destination, days) values ('north', 'Oslo', 4), ('south', 'Rome', 9);
--- fix
create or replace function travel.reset_import() returns void language plpgsql security definer set search_path = travel, pg_temp as $$
begin
  delete from travel.import_rows where agency = nullif(current_setting('travel.agency', true), '');
end $$;
