--: why = "Users may update their own profile including is_admin; the policies let an admin see all gyms, so one update opens every tenant."
--: class = "membership-editable"
--: [isolation]
--: app_role = "gym_api"
--: tenant_column = "gym_id"
--: tenants = ["1", "2"]
--: principals = ["u-1001", "u-2001"]
--: context = ["SET LOCAL app.gym_id = '{tenant}'", "SET LOCAL app.user_id = '{principal}'"]
--: [[expect]]
--: object = "gym.profiles"
--: verb = "update"
--: kind = "leak"
create role gym_api login;
create schema gym;
create table gym.profiles (
  gym_id smallint not null,
  user_id text not null check (user_id ~ '^u-[0-9]{4}$'),
  nickname text not null,
  is_admin boolean not null default false,
  prefs jsonb not null default '{}' check (jsonb_typeof(prefs) = 'object'),
  primary key (gym_id, user_id)
);
create function gym.here() returns smallint language sql stable as
  $$ select nullif(current_setting('app.gym_id', true), '')::smallint $$;
create function gym.is_admin() returns boolean language sql stable security definer set search_path = '' as
  $$ select coalesce(bool_or(p.is_admin), false) from gym.profiles p
     where p.user_id = nullif(current_setting('app.user_id', true), '') and p.gym_id = gym.here() $$;
create table gym.checkins (
  gym_id smallint not null,
  user_id text not null,
  at timestamptz not null default now(),
  weight_kg numeric(5,1) check (weight_kg between 20 and 400),
  primary key (gym_id, user_id, at),
  foreign key (gym_id, user_id) references gym.profiles on delete cascade
);
alter table gym.profiles enable row level security;
alter table gym.profiles force row level security;
alter table gym.checkins enable row level security;
alter table gym.checkins force row level security;
create policy see on gym.profiles for select using (gym_id = gym.here());
create policy edit on gym.profiles for update
  using (gym_id = gym.here() and user_id = nullif(current_setting('app.user_id', true), ''))
  with check (gym_id = gym.here() and user_id = nullif(current_setting('app.user_id', true), ''));
create policy see on gym.checkins for select using (gym_id = gym.here() or gym.is_admin());
create policy log on gym.checkins for insert with check (gym_id = gym.here());
grant usage on schema gym to gym_api;
grant select, update on gym.profiles to gym_api;
grant select, insert on gym.checkins to gym_api;
insert into gym.profiles (gym_id, user_id, nickname) values (1, 'u-1001', 'Squat'), (1, 'u-1002', 'Row'), (2, 'u-2001', 'Plank'), (2, 'u-2002', 'Lunge');
insert into gym.checkins (gym_id, user_id, weight_kg) values (1, 'u-1001', 71.5), (2, 'u-2001', 99.4), (2, 'u-2002', 64.0);
--- fix
revoke update on gym.profiles from gym_api;
grant update (nickname, prefs) on gym.profiles to gym_api;
