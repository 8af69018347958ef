--: why = "Default privileges of water_owner grant SELECT on every table it will create in this schema to PUBLIC; the next table is readable by the app role before anybody thinks of RLS. Today's tables have no such grant."
--: class = "default-privileges"
--: [[expect]]
--: object = "role:water_owner"
--: verb = "select"
--: kind = "warning"
create role water_owner nologin;
create role water_app login;
create schema water authorization water_owner;
set role water_owner;
create table water.connections (
  utility_id uuid not null,
  connection_no int not null,
  street text not null,
  primary key (utility_id, connection_no)
);
create table water.readings (
  utility_id uuid not null,
  connection_no int not null,
  on_day date not null,
  m3 numeric(10,3) not null check (m3 >= 0),
  primary key (utility_id, connection_no, on_day),
  foreign key (utility_id, connection_no) references water.connections on delete cascade
);
alter table water.connections enable row level security;
alter table water.connections force row level security;
alter table water.readings enable row level security;
alter table water.readings force row level security;
create policy u on water.connections using (utility_id = nullif(current_setting('water.utility', true), '')::uuid)
  with check (utility_id = nullif(current_setting('water.utility', true), '')::uuid);
create policy u on water.readings using (utility_id = nullif(current_setting('water.utility', true), '')::uuid)
  with check (utility_id = nullif(current_setting('water.utility', true), '')::uuid);
grant usage on schema water to water_app;
grant select, insert, update, delete on water.connections, water.readings to water_app;
alter default privileges in schema water grant select on tables to public;
reset role;
--- fix
alter default privileges for role water_owner in schema water revoke select on tables from public;
