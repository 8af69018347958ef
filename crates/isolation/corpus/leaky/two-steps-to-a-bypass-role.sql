--: why = "The app role is NOINHERIT member of harbour_ops, which is member of harbour_report; that one has BYPASSRLS and may read every table: SET ROLE twice over reaches it."
--: class = "role"
--: [[expect]]
--: object = "role:harbour_report"
--: verb = "select"
--: kind = "leak"
create role harbour_report nologin bypassrls;
create role harbour_ops nologin;
create role harbour_app login noinherit;
grant harbour_report to harbour_ops;
grant harbour_ops to harbour_app;
create schema harbour;
create table harbour.ships (
  agency_id uuid not null,
  imo text not null check (imo ~ '^IMO[0-9]{7}$'),
  name text not null,
  flag char(2) not null default 'LR',
  primary key (agency_id, imo)
);
create table harbour.berths (
  agency_id uuid not null,
  booking_id uuid not null default gen_random_uuid(),
  imo text not null,
  quay text not null,
  during tstzrange not null check (not isempty(during)),
  cargo jsonb not null default '[]' check (jsonb_typeof(cargo) = 'array'),
  primary key (agency_id, booking_id),
  foreign key (agency_id, imo) references harbour.ships on delete cascade
);
alter table harbour.ships enable row level security;
alter table harbour.ships force row level security;
alter table harbour.berths enable row level security;
alter table harbour.berths force row level security;
create policy agency on harbour.ships to harbour_app using (agency_id = nullif(current_setting('app.agency_id', true), '')::uuid)
  with check (agency_id = nullif(current_setting('app.agency_id', true), '')::uuid);
create policy agency on harbour.berths to harbour_app using (agency_id = nullif(current_setting('app.agency_id', true), '')::uuid)
  with check (agency_id = nullif(current_setting('app.agency_id', true), '')::uuid);
grant usage on schema harbour to harbour_app, harbour_report;
grant select, insert, update, delete on harbour.ships, harbour.berths to harbour_app;
grant select on harbour.ships, harbour.berths to harbour_report;
--- fix
revoke harbour_report from harbour_ops;
