--: why = "No tenant setting at all: a definer helper looks up the memberships of the user; the membership table is readable for one's own rows only and the app cannot write it."
--: class = "membership-editable"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "team_id"
--: tenants = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
--: context = "SET LOCAL app.user_id = '{principal}'"
--: principals = ["anna", "bruno"]
create role app_user login;
create schema priv;
create table teams (team_id uuid primary key default gen_random_uuid(), name text not null);
create table memberships (
  team_id uuid not null references teams on delete cascade,
  user_id text not null,
  role text not null default 'reader' check (role in ('reader', 'writer', 'owner')),
  until timestamptz,
  primary key (team_id, user_id)
);
create table boards (
  team_id uuid not null references teams,
  board_id uuid not null default gen_random_uuid(),
  title text not null,
  primary key (team_id, board_id)
);
create table cards (
  team_id uuid not null,
  board_id uuid not null,
  card_id uuid not null default gen_random_uuid(),
  text text not null,
  labels text[] not null default '{}',
  primary key (team_id, board_id, card_id),
  foreign key (team_id, board_id) references boards on delete cascade
);
create function priv.teams_of_me(at_least text[]) returns setof uuid language sql stable security definer
  set search_path = pg_catalog, pg_temp as $$
  select m.team_id from public.memberships m
  where m.user_id = nullif(current_setting('app.user_id', true), '') and m.role = any (at_least) and (m.until is null or m.until > now())
$$;
alter table teams enable row level security, force row level security;
alter table memberships enable row level security, force row level security;
alter table boards enable row level security, force row level security;
alter table cards enable row level security, force row level security;
create policy mine on teams for select using (team_id in (select priv.teams_of_me('{reader,writer,owner}')));
create policy mine on memberships for select using (user_id = nullif(current_setting('app.user_id', true), ''));
create policy readers on boards for select using (team_id in (select priv.teams_of_me('{reader,writer,owner}')));
create policy writers on boards using (team_id in (select priv.teams_of_me('{writer,owner}')));
create policy readers on cards for select using (team_id in (select priv.teams_of_me('{reader,writer,owner}')));
create policy writers on cards using (team_id in (select priv.teams_of_me('{writer,owner}')));
grant usage on schema priv to app_user;
grant select on teams, memberships to app_user;
grant select, insert, update, delete on boards, cards to app_user;
insert into teams values ('11111111-1111-4111-8111-111111111111', 'Red'), ('22222222-2222-4222-8222-222222222222', 'Blue');
insert into memberships values ('11111111-1111-4111-8111-111111111111', 'anna', 'owner'), ('22222222-2222-4222-8222-222222222222', 'bruno', 'writer');
insert into boards values ('11111111-1111-4111-8111-111111111111', 'a7c3b1d2-0000-4000-8000-000000000001', 'Sprint'), ('22222222-2222-4222-8222-222222222222', 'b8d4c2e3-0000-4000-8000-000000000002', 'Roadmap');
insert into cards (team_id, board_id, text) select team_id, board_id, 'card of ' || title from boards;
