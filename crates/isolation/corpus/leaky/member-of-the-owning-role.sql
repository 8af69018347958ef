--: why = "club_ddl owns the tables (ENABLE only) and was granted to the app role for migrations; members of an owner skip the policies and may switch RLS off."
--: class = "rls-not-forced"
--: [[expect]]
--: object = "role:club_ddl"
--: verb = "select"
--: kind = "leak"
create role club_ddl nologin;
create role club_app login;
create schema chess authorization club_ddl;
set role club_ddl;
create table chess.players (
  club_id uuid not null,
  player_id uuid not null default gen_random_uuid(),
  name text not null,
  elo int not null default 1000 check (elo between 100 and 3200),
  primary key (club_id, player_id)
);
create table chess.games (
  club_id uuid not null,
  game_id uuid not null default gen_random_uuid(),
  white uuid not null,
  black uuid not null check (black <> white),
  moves text[] not null default '{}',
  result text check (result in ('1-0', '0-1', '1/2')),
  primary key (club_id, game_id),
  foreign key (club_id, white) references chess.players,
  foreign key (club_id, black) references chess.players
);
alter table chess.players enable row level security;
alter table chess.games enable row level security;
create policy club on chess.players using (club_id = nullif(current_setting('app.club', true), '')::uuid);
create policy club on chess.games using (club_id = nullif(current_setting('app.club', true), '')::uuid);
grant usage on schema chess to club_app;
grant select, insert, update, delete on chess.players, chess.games to club_app;
reset role;
grant club_ddl to club_app;
insert into chess.players (club_id, player_id, name, elo) values
  ('aaaaaaaa-0000-4000-8000-000000000001', 'a1000000-0000-4000-8000-000000000001', 'Ana Rook', 1510),
  ('aaaaaaaa-0000-4000-8000-000000000001', 'a1000000-0000-4000-8000-000000000002', 'Bo Knight', 1490),
  ('bbbbbbbb-0000-4000-8000-000000000002', 'b2000000-0000-4000-8000-000000000001', 'Cy Bishop', 1720),
  ('bbbbbbbb-0000-4000-8000-000000000002', 'b2000000-0000-4000-8000-000000000002', 'Di Queen', 1705);
insert into chess.games (club_id, white, black, moves, result) values
  ('aaaaaaaa-0000-4000-8000-000000000001', 'a1000000-0000-4000-8000-000000000001', 'a1000000-0000-4000-8000-000000000002', '{e4,e5}', '1-0'),
  ('bbbbbbbb-0000-4000-8000-000000000002', 'b2000000-0000-4000-8000-000000000001', 'b2000000-0000-4000-8000-000000000002', '{d4,Nf6}', '1/2');
--- fix
revoke club_ddl from club_app;
