--: why = "dba.histogram is SECURITY DEFINER over pg_stats; run as a superuser, pg_stats hides nothing, and the histogram bounds are values of all tenants."
--: class = "statistics"
--: [[expect]]
--: object = "dba.histogram"
--: verb = "execute"
--: kind = "leak"
create role energy_app login;
create schema energy;
create schema dba;
create table energy.meters (
  utility_id int not null,
  meter_no text not null check (meter_no ~ '^[A-Z0-9-]{3,20}$'),
  address text not null,
  primary key (utility_id, meter_no)
);
create table energy.readings (
  utility_id int not null,
  meter_no text not null,
  day date not null,
  kwh numeric(12,3) not null check (kwh >= 0),
  primary key (utility_id, meter_no, day),
  foreign key (utility_id, meter_no) references energy.meters on delete cascade
);
alter table energy.meters enable row level security;
alter table energy.meters force row level security;
alter table energy.readings enable row level security;
alter table energy.readings force row level security;
create policy u on energy.meters using (utility_id = nullif(current_setting('app.utility', true), '')::int)
  with check (utility_id = nullif(current_setting('app.utility', true), '')::int);
create policy u on energy.readings using (utility_id = nullif(current_setting('app.utility', true), '')::int)
  with check (utility_id = nullif(current_setting('app.utility', true), '')::int);
create function dba.histogram(p_schema name, p_table name) returns table (attname name, bounds text, common text)
language sql stable security definer set search_path = '' as $$
  select s.attname, s.histogram_bounds::text, s.most_common_vals::text from pg_catalog.pg_stats s
  where s.schemaname = p_schema and s.tablename = p_table and s.schemaname = 'energy'
$$;
grant usage on schema energy, dba to energy_app;
grant select, insert, update, delete on energy.meters, energy.readings to energy_app;
insert into energy.meters select 1, 'NORD-' || n, 'Nordweg ' || n from generate_series(1, 8) n;
insert into energy.meters select 2, 'SUED-' || n, 'Suedring ' || n from generate_series(1, 8) n;
analyze energy.meters;
--- fix
revoke execute on function dba.histogram from public;
