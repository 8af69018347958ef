--: why = "ON DELETE SET DEFAULT on (branch_id, team) also resets branch_id to its default, head office: deleting its own team, a branch moves its cases into head office's tenant, where it may write nothing."
--: class = "referential"
--: [isolation]
--: app_role = "branch_app"
--: tenant_column = "branch_id"
--: tenants = ["17", "1"]
--: context = "SET LOCAL app.branch = '{tenant}'"
--: [[expect]]
--: object = "desk.cases"
--: verb = "delete"
--: kind = "leak"
create role branch_app login;
create schema desk;
create table desk.branches (branch_id int primary key, city text not null);
create table desk.teams (
  branch_id int not null references desk.branches,
  team text not null,
  primary key (branch_id, team)
);
create table desk.cases (
  branch_id int not null default 1,
  case_id uuid not null default gen_random_uuid(),
  team text not null default 'inbox',
  summary text not null,
  urgency smallint not null default 2 check (urgency in (1, 2, 3)),
  primary key (branch_id, case_id),
  constraint cases_team foreign key (branch_id, team) references desk.teams on delete set default
);
alter table desk.branches enable row level security, force row level security;
alter table desk.teams enable row level security, force row level security;
alter table desk.cases enable row level security, force row level security;
create policy b on desk.branches for select using (branch_id = nullif(current_setting('app.branch', true), '')::int);
create policy b on desk.teams using (branch_id = nullif(current_setting('app.branch', true), '')::int);
create policy b on desk.cases using (branch_id = nullif(current_setting('app.branch', true), '')::int);
grant usage on schema desk to branch_app;
grant select on desk.branches to branch_app;
grant select, insert, update, delete on desk.teams, desk.cases to branch_app;
insert into desk.branches values (1, 'Head office'), (17, 'Graz');
insert into desk.teams values (1, 'inbox'), (17, 'inbox'), (17, 'field');
insert into desk.cases (branch_id, team, summary) values (1, 'inbox', 'audit'), (17, 'field', 'broken gate');
--- fix
alter table desk.cases drop constraint cases_team;
alter table desk.cases add constraint cases_team foreign key (branch_id, team) references desk.teams on delete set default (team);
