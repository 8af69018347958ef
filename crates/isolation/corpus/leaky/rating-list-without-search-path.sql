--: why = "club.rating_list is SECURITY DEFINER with no search_path of its own and calls current_club() unqualified: the caller puts a schema he may create in first and supplies his own current_club()."
--: class = "definer-function"
--: [isolation]
--: app_role = "club_web"
--: tenant_column = "club_id"
--: tenants = ["1", "2"]
--: context = "SET LOCAL club.id = '{tenant}'"
--: [[expect]]
--: object = "club.rating_list"
--: verb = "execute"
--: kind = "leak"
create role club_web login;
create schema club;
create schema worksheets;                         -- ad-hoc reports of the club secretaries
grant usage, create on schema worksheets to club_web;
create function club.current_club() returns int language sql stable as
  $$ select nullif(current_setting('club.id', true), '')::int $$;
create table club.players (
  club_id int not null,
  player_no int not null,
  name text not null,
  rating int check (rating between 100 and 3200),
  primary key (club_id, player_no)
);
create table club.games (
  club_id int not null,
  game_no int not null,
  white int not null,
  black int not null check (black <> white),
  outcome text check (outcome in ('1-0', '0-1', '1/2')),
  pgn text not null default '',
  primary key (club_id, game_no),
  foreign key (club_id, white) references club.players,
  foreign key (club_id, black) references club.players
);
alter table club.players enable row level security;
alter table club.players force row level security;
alter table club.games enable row level security;
alter table club.games force row level security;
create policy mine on club.players using (club_id = club.current_club()) with check (club_id = club.current_club());
create policy mine on club.games using (club_id = club.current_club()) with check (club_id = club.current_club());
set search_path = club;
create function club.rating_list() returns table (rank bigint, name text, rating int)
language sql stable security definer as $$
  select rank() over (order by p.rating desc nulls last), p.name, p.rating
  from club.players p where p.club_id = current_club()
$$;
reset search_path;
alter role club_web set search_path = club;
grant usage on schema club to club_web;
grant select, insert, update, delete on club.players, club.games to club_web;
insert into club.players values (1, 1, 'Nora Turm', 1840), (1, 2, 'Jan Feld', 1610), (2, 1, 'Vera Laufer', 2105);
--- fix
alter function club.rating_list() set search_path = club, pg_temp;
