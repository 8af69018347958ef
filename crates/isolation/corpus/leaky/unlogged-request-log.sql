--: why = "The unlogged request log has no RLS although it carries the workspace and request bodies; the app may read it for its own debug page and so reads all workspaces."
--: class = "rls-missing"
--: [[expect]]
--: object = "public.request_log"
--: verb = "select"
--: kind = "leak"
create role web login;
create table workspace (
  workspace_id text primary key check (workspace_id ~ '^ws_[a-z0-9]{6,}$'),
  plan text not null default 'free' check (plan in ('free', 'team'))
);
create table board (
  workspace_id text not null references workspace,
  board_id uuid not null default gen_random_uuid(),
  title text not null,
  settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
  primary key (workspace_id, board_id)
);
create unlogged table request_log (
  workspace_id text not null,
  at timestamptz not null default clock_timestamp(),
  method text not null check (method in ('GET', 'POST', 'PATCH', 'DELETE')),
  path text not null,
  body jsonb
);
create index on request_log (workspace_id, at);
alter table workspace enable row level security;
alter table workspace force row level security;
alter table board enable row level security;
alter table board force row level security;
create policy ws on workspace for select using (workspace_id = nullif(current_setting('app.workspace', true), ''));
create policy ws on board using (workspace_id = nullif(current_setting('app.workspace', true), ''));
grant select on workspace to web;
grant select, insert, update, delete on board to web;
grant select, insert on request_log to web;
--- fix
alter table request_log enable row level security, force row level security;
create policy ws on request_log using (workspace_id = nullif(current_setting('app.workspace', true), ''));
