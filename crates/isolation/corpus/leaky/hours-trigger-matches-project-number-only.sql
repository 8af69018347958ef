--: why = "The definer trigger adds the hours to every project with that number; numbers are per org, so an entry of one org changes the budget rows of the others."
--: class = "trigger"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "org_id"
--: tenants = ["501", "502"]
--: context = "SET LOCAL app.org = '{tenant}'"
--: [[expect]]
--: object = "public.add_hours"
--: verb = "update"
--: kind = "leak"
create role app_user login;
create table public.projects (
  org_id int not null,
  project_no int not null check (project_no > 0),
  title text not null,
  hours_used numeric(10,2) not null default 0,
  hours_max numeric(10,2) not null default 100,
  primary key (org_id, project_no)
);
create table public.time_entries (
  org_id int not null,
  entry_id uuid not null default gen_random_uuid(),
  project_no int not null,
  worker text not null default 'n/a',
  day date not null default current_date,
  hours numeric(4,2) not null check (hours > 0 and hours <= 24),
  primary key (org_id, entry_id),
  foreign key (org_id, project_no) references public.projects
);
create function public.add_hours() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update public.projects p set hours_used = p.hours_used + new.hours where p.project_no = new.project_no;
  return new;
end $$;
revoke execute on function public.add_hours() from public;
create trigger add_hours after insert on public.time_entries for each row execute function public.add_hours();
alter table public.projects enable row level security;
alter table public.projects force row level security;
alter table public.time_entries enable row level security;
alter table public.time_entries force row level security;
create policy p_org on public.projects using (org_id = nullif(current_setting('app.org', true), '')::int)
  with check (org_id = nullif(current_setting('app.org', true), '')::int);
create policy t_org on public.time_entries using (org_id = nullif(current_setting('app.org', true), '')::int)
  with check (org_id = nullif(current_setting('app.org', true), '')::int);
grant select, insert on public.projects to app_user;
grant update (title, hours_max) on public.projects to app_user;
grant select, insert on public.time_entries to app_user;
insert into public.projects (org_id, project_no, title) values (501, 1, 'Bridge survey'), (501, 2, 'Dam'), (502, 1, 'Opera roof'), (502, 3, 'Tram depot');
--- fix
create or replace function public.add_hours() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update public.projects p set hours_used = p.hours_used + new.hours
    where p.org_id = new.org_id and p.project_no = new.project_no;
  return new;
end $$;
