--: why = "readings is protected, its inheritance child readings_raw (granted for the import) is not; policies are not inherited when the child is named directly."
--: class = "rls-missing"
--: [[expect]]
--: object = "meter.readings_raw"
--: verb = "select"
--: kind = "leak"
create role grid_app login;
create schema meter;
create function meter.org() returns int language sql stable
  as $$ select nullif(current_setting('grid.org', true), '')::int $$;
create table meter.readings (
  org_id int not null,
  meter_code text not null,
  at timestamptz not null,
  kwh numeric(10,3) not null check (kwh >= 0),
  primary key (org_id, meter_code, at)
);
create table meter.readings_raw (
  payload jsonb not null default '{}',
  primary key (org_id, meter_code, at)
) inherits (meter.readings);
create table meter.sites (
  org_id int not null,
  site text not null,
  tags text[] not null default '{}',
  primary key (org_id, site)
);
alter table meter.readings enable row level security, force row level security;
alter table meter.sites enable row level security, force row level security;
create policy org on meter.readings to grid_app using (org_id = meter.org()) with check (org_id = meter.org());
create policy org on meter.sites to grid_app using (org_id = meter.org()) with check (org_id = meter.org());
grant usage on schema meter to grid_app;
grant select, insert, update, delete on meter.readings, meter.sites to grid_app;
grant select, insert on meter.readings_raw to grid_app;
insert into meter.sites values (71, 'Quay 3', '{north}'), (72, 'Mill lane', '{south}');
insert into meter.readings values (71, 'M1', '2025-02-01', 10), (72, 'M1', '2025-02-01', 12);
insert into meter.readings_raw values (71, 'M2', '2025-02-01', 3, '{"fw":"1.2"}'), (72, 'M2', '2025-02-01', 99.5, '{"fw":"1.3"}');
--- fix
alter table meter.readings_raw enable row level security, force row level security;
create policy org on meter.readings_raw to grid_app using (org_id = meter.org()) with check (org_id = meter.org());
