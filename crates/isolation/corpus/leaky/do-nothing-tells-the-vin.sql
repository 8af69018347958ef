--: why = "vin is unique for all garages: INSERT … ON CONFLICT DO NOTHING answers 0 rows when some other garage services that car, 1 row otherwise."
--: class = "existence"
--: [isolation]
--: app_role = "garage_app"
--: tenant_column = "garage_id"
--: context = "set local request.jwt.claims = '{\"sub\": \"{principal}\", \"app_metadata\": {\"garage_id\": \"{tenant}\"}}'"
--: tenants = ["6f9619ff-8b86-4d01-b42d-00cf4fc964f1", "6f9619ff-8b86-4d01-b42d-00cf4fc964f2"]
--: principals = ["anna", "bruno"]
--: [[expect]]
--: object = "public.cars"
--: verb = "existence"
--: kind = "leak"
create role garage_app login;
create function jwt_garage() returns uuid language sql stable as $$
  select nullif(nullif(current_setting('request.jwt.claims', true), '')::json -> 'app_metadata' ->> 'garage_id', '')::uuid
$$;
create table cars (
  garage_id uuid not null default jwt_garage(),
  car_id uuid not null default gen_random_uuid(),
  vin char(17) not null check (vin ~ '^[A-HJ-NPR-Z0-9]{17}$'),
  owner_name text,
  primary key (garage_id, car_id),
  constraint cars_vin unique (vin)
);
create table repairs (
  garage_id uuid not null default jwt_garage(),
  car_id uuid not null,
  done_on date not null,
  work text not null,
  cents int not null check (cents >= 0),
  primary key (garage_id, car_id, done_on, work),
  foreign key (garage_id, car_id) references cars on delete cascade
);
alter table cars enable row level security, force row level security;
alter table repairs enable row level security, force row level security;
create policy g on cars to garage_app using (garage_id = jwt_garage()) with check (garage_id = jwt_garage());
create policy g on repairs to garage_app using (garage_id = jwt_garage()) with check (garage_id = jwt_garage());
grant select, insert, delete on cars, repairs to garage_app;
insert into cars (garage_id, vin, owner_name) values
  ('6f9619ff-8b86-4d01-b42d-00cf4fc964f1', 'WAUZZZ8K9AA000001', 'U. Reed'), ('6f9619ff-8b86-4d01-b42d-00cf4fc964f2', 'WVWZZZ1KZAW000002', 'V. Sand');
--- fix
alter table cars drop constraint cars_vin;
alter table cars add constraint cars_vin unique (garage_id, vin);
