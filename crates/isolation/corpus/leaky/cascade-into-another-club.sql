--: why = "pairings of one club refer to teams of another by team_id alone, ON DELETE CASCADE: deleting its own team, a club deletes the other club's pairings, past RLS."
--: class = "referential"
--: [isolation]
--: app_role = "league_app"
--: tenant_column = "club_id"
--: tenants = ["c1000000-0000-4000-8000-00000000000a", "c2000000-0000-4000-8000-00000000000b"]
--: context = "SET LOCAL app.club_id = '{tenant}'"
--: [[expect]]
--: object = "league.pairings"
--: verb = "delete"
--: kind = "leak"
create role league_app login;
create schema league;
create table league.teams (
  club_id uuid not null,
  team_id uuid primary key default gen_random_uuid(),
  name text not null,
  division smallint not null check (division between 1 and 9)
);
create table league.pairings (
  club_id uuid not null,
  pairing_id uuid not null default gen_random_uuid(),
  opponent_team uuid not null,
  round smallint not null check (round > 0),
  notes text,
  primary key (club_id, pairing_id),
  constraint pairings_opponent foreign key (opponent_team) references league.teams on delete cascade
);
create table league.fines (
  club_id uuid not null,
  fine_id uuid not null default gen_random_uuid(),
  cents int not null check (cents > 0),
  primary key (club_id, fine_id)
);
alter table league.teams enable row level security, force row level security;
alter table league.pairings enable row level security, force row level security;
alter table league.fines enable row level security, force row level security;
create policy c on league.teams using (club_id = nullif(current_setting('app.club_id', true), '')::uuid);
create policy c on league.pairings using (club_id = nullif(current_setting('app.club_id', true), '')::uuid);
create policy c on league.fines for select using (club_id = nullif(current_setting('app.club_id', true), '')::uuid);
grant usage on schema league to league_app;
grant select, insert, update, delete on league.teams, league.pairings to league_app;
grant select on league.fines to league_app;
insert into league.teams values
  ('c1000000-0000-4000-8000-00000000000a', '7e3d5f0a-91f2-4b57-9d0f-0c6f2f6b1a01', 'Rookies', 2),
  ('c2000000-0000-4000-8000-00000000000b', 'd41f7c1e-3a52-4e0b-8a27-5b1f3a9c7e02', 'Queens', 2);
insert into league.pairings (club_id, opponent_team, round, notes) values
  ('c1000000-0000-4000-8000-00000000000a', 'd41f7c1e-3a52-4e0b-8a27-5b1f3a9c7e02', 1, 'home'),
  ('c2000000-0000-4000-8000-00000000000b', '7e3d5f0a-91f2-4b57-9d0f-0c6f2f6b1a01', 1, 'away, board 3 is weak');
--- fix
alter table league.pairings drop constraint pairings_opponent;
