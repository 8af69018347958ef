--: why = "Small integer ids look guessable, but every key and foreign key starts with the tenant, SET NULL names its column, and cascades stay inside the tenant."
--: class = "referential"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "org_id"
--: tenants = ["1", "2"]
--: context = "SET LOCAL app.org_id = '{tenant}'"
create role app_user login;
create table orgs (org_id int primary key, name text not null);
create table projects (
  org_id int not null references orgs on delete cascade,
  project_no int not null check (project_no > 0),
  title text not null,
  primary key (org_id, project_no),
  unique (org_id, title)
);
create table milestones (
  org_id int not null,
  project_no int not null,
  n smallint not null,
  due date,
  primary key (org_id, project_no, n),
  foreign key (org_id, project_no) references projects on delete cascade on update cascade
);
create table tasks (
  org_id int not null,
  task_no int not null check (task_no > 0),
  project_no int,
  parent_no int,
  state text not null default 'todo' check (state in ('todo', 'doing', 'done')),
  text text not null,
  primary key (org_id, task_no),
  foreign key (org_id, project_no) references projects on delete set null (project_no),
  foreign key (org_id, parent_no) references tasks on delete cascade
);
alter table orgs enable row level security, force row level security;
alter table projects enable row level security, force row level security;
alter table milestones enable row level security, force row level security;
alter table tasks enable row level security, force row level security;
create policy o on orgs for select using (org_id = nullif(current_setting('app.org_id', true), '')::int);
create policy o on projects using (org_id = nullif(current_setting('app.org_id', true), '')::int);
create policy o on milestones using (org_id = nullif(current_setting('app.org_id', true), '')::int);
create policy o on tasks using (org_id = nullif(current_setting('app.org_id', true), '')::int);
grant select on orgs to app_user;
grant select, insert, update, delete on projects, milestones, tasks to app_user;
insert into orgs values (1, 'Lathe Ltd'), (2, 'Forge GmbH');
insert into projects values (1, 1, 'Shed'), (2, 1, 'Shed'), (2, 2, 'Tower');
insert into milestones values (1, 1, 1, '2025-05-01'), (2, 1, 1, '2025-06-01');
insert into tasks values (1, 1, 1, null, 'todo', 'nails'), (2, 1, 1, null, 'doing', 'beams'), (2, 2, 1, 1, 'todo', 'weld');
