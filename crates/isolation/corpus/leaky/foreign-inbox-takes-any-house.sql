--: why = "The foreign table relay.outgoing writes to estate.messages as a superuser; the app role may insert through it and plants messages in any agency."
--: class = "foreign-table"
--: [isolation]
--: app_role = "estate_app"
--: tenant_column = "agency"
--: tenants = ["kern", "lux"]
--: context = "SET LOCAL estate.agency = '{tenant}'"
--: [[expect]]
--: object = "relay.outgoing"
--: verb = "insert"
--: kind = "leak"
create role estate_app login;
create extension postgres_fdw;
create schema estate;
create schema relay;
create table estate.flats (
  agency text not null,
  flat_no int not null,
  street text not null,
  rent numeric(8,2) check (rent > 0),
  primary key (agency, flat_no)
);
create table estate.messages (
  agency text not null,
  message_id uuid not null default gen_random_uuid(),
  sender text not null check (sender ~ '@'),
  body text not null,
  primary key (agency, message_id)
);
alter table estate.flats enable row level security;
alter table estate.flats force row level security;
alter table estate.messages enable row level security;
alter table estate.messages force row level security;
create policy a on estate.flats using (agency = nullif(current_setting('estate.agency', true), ''))
  with check (agency = nullif(current_setting('estate.agency', true), ''));
create policy a on estate.messages for select using (agency = nullif(current_setting('estate.agency', true), ''));
create server relay_server foreign data wrapper postgres_fdw options (host '/tmp/nowhere', dbname 'app');
create user mapping for estate_app server relay_server options (user 'postgres', password_required 'false');
create foreign table relay.outgoing (
  agency text not null,
  message_id uuid not null default gen_random_uuid(),
  sender text not null,
  body text not null
) server relay_server options (schema_name 'estate', table_name 'messages');
grant usage on schema estate to estate_app;
grant usage on schema relay to estate_app;
grant select, insert, update, delete on estate.flats to estate_app;
grant select on estate.messages to estate_app;
grant insert on relay.outgoing to estate_app;
--- fix
revoke insert on relay.outgoing from estate_app;
