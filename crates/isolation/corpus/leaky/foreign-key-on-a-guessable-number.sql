--: why = "readings.meter_no refers to meters by number alone: inserting a reading succeeds for numbers that some utility has and fails for others."
--: class = "existence"
--: [isolation]
--: app_role = "utility_app"
--: tenant_column = "utility_id"
--: tenants = ["1", "2"]
--: context = "SELECT util.enter({tenant})"
--: [[expect]]
--: object = "util.readings"
--: verb = "existence"
--: kind = "leak"
create role utility_app login;
create schema util;
create function util.enter(u int) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform set_config('util.id', u::text, true);
end $$;
create function util.me() returns int language sql stable as $$ select nullif(current_setting('util.id', true), '')::int $$;
-- meters are entered by the installers' system, the app only reads them
create table util.meters (
  utility_id int not null,
  meter_no int not null check (meter_no between 100000 and 999999),
  street text not null,
  primary key (utility_id, meter_no),
  unique (meter_no)
);
create table util.readings (
  utility_id int not null,
  reading_id uuid not null default gen_random_uuid(),
  meter_no int not null,
  kwh numeric(12,1) not null check (kwh >= 0),
  read_on date not null default current_date,
  primary key (utility_id, reading_id),
  constraint readings_meter foreign key (meter_no) references util.meters (meter_no)
);
alter table util.meters enable row level security, force row level security;
alter table util.readings enable row level security, force row level security;
create policy u on util.meters for select using (utility_id = util.me());
create policy u on util.readings using (utility_id = util.me()) with check (utility_id = util.me());
grant usage on schema util to utility_app;
grant select on util.meters to utility_app;
grant select, insert, update, delete on util.readings to utility_app;
insert into util.meters values (1, 100001, 'Canal St 1'), (1, 100002, 'Canal St 2'), (2, 482913, 'Hill Rd 9');
insert into util.readings (utility_id, meter_no, kwh) values (1, 100001, 12.5), (2, 482913, 880);
--- fix
alter table util.readings drop constraint readings_meter;
alter table util.readings add constraint readings_meter foreign key (utility_id, meter_no) references util.meters;
