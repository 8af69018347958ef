--: why = "All tables belong to the login of the database administrator r_vogt; radio.logs alone lacks FORCE, so she sees and changes every tenant's rows there without noticing."
--: class = "rls-not-forced"
--: [isolation]
--: app_role = "radio_app"
--: tenant_column = "station"
--: tenants = ["kfjord", "kpeak"]
--: context = "SET LOCAL radio.station = '{tenant}'"
--: [[expect]]
--: object = "radio.logs"
--: verb = "select"
--: kind = "warning"
create role r_vogt login;
create role radio_app login;
create schema radio authorization r_vogt;
set role r_vogt;
create table radio.shows (
  station text not null,
  slot text not null check (slot ~ '^(mon|tue|wed|thu|fri|sat|sun)-[0-9]{2}$'),
  host text not null,
  primary key (station, slot)
);
create table radio.logs (
  station text not null,
  log_id uuid not null default gen_random_uuid(),
  slot text not null,
  caller text,
  said text not null,
  at timestamptz not null default now(),
  primary key (station, log_id),
  foreign key (station, slot) references radio.shows on delete cascade
);
alter table radio.shows enable row level security;
alter table radio.shows force row level security;
alter table radio.logs enable row level security;
create policy s on radio.shows using (station = nullif(current_setting('radio.station', true), ''))
  with check (station = nullif(current_setting('radio.station', true), ''));
create policy s on radio.logs using (station = nullif(current_setting('radio.station', true), ''))
  with check (station = nullif(current_setting('radio.station', true), ''));
grant usage on schema radio to radio_app;
grant select, insert, update, delete on radio.shows, radio.logs to radio_app;
reset role;
--- fix
alter table radio.logs force row level security;
