--: why = "handle is unique across clubs. INSERT … ON CONFLICT (handle) DO UPDATE fails with a policy error when another club holds the handle and succeeds when nobody does."
--: class = "existence"
--: [isolation]
--: app_role = "fan_app"
--: tenant_column = "club_id"
--: tenants = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
--: context = "SET LOCAL app.club_id = '{tenant}'"
--: [[expect]]
--: object = "public.fans"
--: verb = "existence"
--: kind = "leak"
create role fan_app login;
create table clubs (club_id uuid primary key, name text not null);
create table fans (
  club_id uuid not null references clubs,
  fan_id uuid not null default gen_random_uuid(),
  handle text not null check (handle ~ '^[a-z0-9_]{3,30}$'),
  bio text not null default '',
  primary key (club_id, fan_id),
  constraint fans_handle unique (handle)
);
create table tickets (
  club_id uuid not null,
  fan_id uuid not null,
  match_day date not null,
  seat text not null,
  primary key (club_id, match_day, seat),
  foreign key (club_id, fan_id) references fans on delete cascade
);
alter table clubs enable row level security, force row level security;
alter table fans enable row level security, force row level security;
alter table tickets enable row level security, force row level security;
create policy own on clubs for select using (club_id = nullif(current_setting('app.club_id', true), '')::uuid);
create policy own on fans using (club_id = nullif(current_setting('app.club_id', true), '')::uuid);
create policy own on tickets using (club_id = nullif(current_setting('app.club_id', true), '')::uuid);
grant select on clubs to fan_app;
grant select, insert, update, delete on fans, tickets to fan_app;
insert into clubs values ('11111111-1111-4111-8111-111111111111', 'Lions'), ('22222222-2222-4222-8222-222222222222', 'Tigers');
insert into fans (club_id, handle) values ('11111111-1111-4111-8111-111111111111', 'mane_man'), ('22222222-2222-4222-8222-222222222222', 'stripes');
--- fix
alter table fans drop constraint fans_handle;
alter table fans add constraint fans_handle unique (club_id, handle);
