--: why = "The BEFORE INSERT trigger runs before WITH CHECK and looks up plan and seat count of NEW.workspace; its error message tells them of a workspace that is not the caller's."
--: class = "trigger"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "workspace"
--: tenants = ["acme", "birch"]
--: context = "SET LOCAL app.workspace = '{tenant}'"
--: [[expect]]
--: object = "app.check_seats"
--: verb = "insert"
--: kind = "leak"
create role app_user login;
create schema app;
create type app.plan as enum ('free', 'team', 'enterprise');
create table app.workspaces (
  workspace text primary key check (workspace ~ '^[a-z][a-z0-9-]{1,30}$'),
  plan app.plan not null default 'free',
  seats int not null default 3 check (seats >= 0),
  contact text not null
);
create table app.members (
  workspace text not null references app.workspaces,
  email text not null check (position('@' in email) > 1),
  role text not null default 'editor' check (role in ('owner', 'editor', 'viewer')),
  primary key (workspace, email)
);
create function app.check_seats() returns trigger language plpgsql security definer set search_path = app, pg_temp as $$
declare
  w app.workspaces;
  n bigint;
begin
  select * into w from app.workspaces where workspaces.workspace = new.workspace;
  select count(*) into n from app.members m where m.workspace = new.workspace;
  if n >= w.seats then
    raise exception 'plan % allows % seats and % are taken, ask %', w.plan, w.seats, n, w.contact;
  end if;
  return new;
end $$;
revoke execute on function app.check_seats() from public;
create trigger check_seats before insert on app.members for each row execute function app.check_seats();
alter table app.workspaces enable row level security;
alter table app.workspaces force row level security;
alter table app.members enable row level security;
alter table app.members force row level security;
create policy own on app.workspaces for select using (workspace = nullif(current_setting('app.workspace', true), ''));
create policy own on app.members using (workspace = nullif(current_setting('app.workspace', true), ''))
  with check (workspace = nullif(current_setting('app.workspace', true), ''));
grant usage on schema app to app_user;
grant select on app.workspaces to app_user;
grant select, insert, update, delete on app.members to app_user;
insert into app.workspaces values ('acme', 'team', 5, 'boss@acme.test'), ('birch', 'enterprise', 2, 'cfo@birch.test');
insert into app.members (workspace, email, role) values ('acme', 'boss@acme.test', 'owner'),
  ('birch', 'cfo@birch.test', 'owner'), ('birch', 'lee@birch.test', 'editor');
--- fix
create or replace function app.check_seats() returns trigger language plpgsql security definer set search_path = app, pg_temp as $$
declare
  w app.workspaces;
  n bigint;
begin
  if new.workspace is distinct from nullif(current_setting('app.workspace', true), '') then
    return new;                                   -- the policy refuses it
  end if;
  select * into w from app.workspaces where workspaces.workspace = new.workspace;
  select count(*) into n from app.members m where m.workspace = new.workspace;
  if n >= w.seats then
    raise exception 'plan % allows % seats and % are taken, ask %', w.plan, w.seats, n, w.contact;
  end if;
  return new;
end $$;
