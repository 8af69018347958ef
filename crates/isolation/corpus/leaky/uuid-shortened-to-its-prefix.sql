--: why = "The policy compares only the first eight digits of time-ordered uuids: workspaces created within the same minute have equal prefixes and read each other."
--: class = "comparison"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "workspace_id"
--: tenants = ["018f3a2b-0001-7000-8000-0000000000aa", "018f3a2b-7d00-7000-8000-0000000000bb"]
--: context = "SET LOCAL app.workspace_id = '{tenant}'"
--: [[expect]]
--: object = "wiki.pages"
--: verb = "select"
--: kind = "leak"
create role app_user login;
create schema wiki;
create table wiki.workspaces (workspace_id uuid primary key, name text not null);
create table wiki.spaces (
  workspace_id uuid not null references wiki.workspaces,
  space text not null check (space ~ '^[A-Z]{2,6}$'),
  primary key (workspace_id, space)
);
create table wiki.pages (
  workspace_id uuid not null,
  space text not null,
  slug text not null,
  body text not null default '',
  search tsvector generated always as (to_tsvector('simple', body)) stored,
  primary key (workspace_id, space, slug),
  foreign key (workspace_id, space) references wiki.spaces on delete cascade
);
alter table wiki.workspaces enable row level security, force row level security;
alter table wiki.spaces enable row level security, force row level security;
alter table wiki.pages enable row level security, force row level security;
create policy w on wiki.workspaces for select using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
create policy w on wiki.spaces using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
create policy w on wiki.pages
  using (left(workspace_id::text, 8) = left(nullif(current_setting('app.workspace_id', true), ''), 8))
  with check (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
grant usage on schema wiki to app_user;
grant select on wiki.workspaces to app_user;
grant select, insert, update, delete on wiki.spaces, wiki.pages to app_user;
insert into wiki.workspaces values ('018f3a2b-0001-7000-8000-0000000000aa', 'Atlas'), ('018f3a2b-7d00-7000-8000-0000000000bb', 'Borea');
insert into wiki.spaces select workspace_id, 'HR' from wiki.workspaces;
insert into wiki.pages values ('018f3a2b-0001-7000-8000-0000000000aa', 'HR', 'welcome', 'hello'), ('018f3a2b-7d00-7000-8000-0000000000bb', 'HR', 'salaries', 'confidential bands');
--- fix
alter policy w on wiki.pages using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
