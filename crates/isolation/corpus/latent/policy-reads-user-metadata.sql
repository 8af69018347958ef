--: why = "The policy of care.diaries takes the home from user_metadata, which the signed-in user edits himself at the identity provider; the other tables read app_metadata."
--: class = "claims"
--: [isolation]
--: app_role = "authenticated"
--: tenant_column = "home_id"
--: tenants = ["aaaaaaaa-0000-4000-8000-00000000000a", "bbbbbbbb-0000-4000-8000-00000000000b"]
--: context = "SET LOCAL request.jwt.claims = '{\"sub\": \"7f000000-0000-4000-8000-000000000001\", \"app_metadata\": {\"home_id\": \"{tenant}\"}, \"user_metadata\": {\"home_id\": \"{tenant}\"}}'"
--: [[expect]]
--: object = "care.diaries"
--: verb = "select"
--: kind = "warning"
create role authenticated nologin;
create role care_gateway login noinherit;
grant authenticated to care_gateway;
create schema care;
create function care.claims() returns jsonb language sql stable as
  $$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb $$;
create table care.residents (
  home_id uuid not null,
  resident_id uuid not null default gen_random_uuid(),
  name text not null,
  level smallint not null check (level between 1 and 5),
  primary key (home_id, resident_id)
);
create table care.diaries (
  home_id uuid not null,
  entry_id uuid not null default gen_random_uuid(),
  resident_id uuid not null,
  written timestamptz not null default now(),
  body text not null,
  primary key (home_id, entry_id),
  foreign key (home_id, resident_id) references care.residents on delete cascade
);
alter table care.residents enable row level security;
alter table care.residents force row level security;
alter table care.diaries enable row level security;
alter table care.diaries force row level security;
create policy home on care.residents to authenticated using (home_id = (care.claims() -> 'app_metadata' ->> 'home_id')::uuid)
  with check (home_id = (care.claims() -> 'app_metadata' ->> 'home_id')::uuid);
create policy home on care.diaries to authenticated using (home_id = (care.claims() -> 'user_metadata' ->> 'home_id')::uuid)
  with check (home_id = (care.claims() -> 'user_metadata' ->> 'home_id')::uuid);
grant usage on schema care to authenticated;
grant select, insert, update, delete on care.residents, care.diaries to authenticated;
--- fix
alter policy home on care.diaries using (home_id = (care.claims() -> 'app_metadata' ->> 'home_id')::uuid)
  with check (home_id = (care.claims() -> 'app_metadata' ->> 'home_id')::uuid);
