--: why = "UPDATE policy USING (true) WITH CHECK (own): UPDATE leads SET workspace_id = <A> reads no column, so the SELECT policy does not apply, and every row of every workspace becomes A's."
--: class = "missing-with-check"
--: [isolation]
--: app_role = "crm"
--: tenant_column = "workspace_id"
--: context = "SET LOCAL crm.workspace = '{tenant}'"
--: [[expect]]
--: object = "public.leads"
--: verb = "update"
--: kind = "leak"
create role crm login;
create function crm_workspace() returns uuid language sql stable as $$ select nullif(current_setting('crm.workspace', true), '')::uuid $$;
create table workspaces (workspace_id uuid primary key default gen_random_uuid(), name text not null);
create table leads (
  lead_id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references workspaces,
  person text not null,
  phone text,
  score int not null default 0 check (score between 0 and 100),
  stage text not null default 'new' check (stage in ('new', 'won', 'lost'))
);
create table calls (
  workspace_id uuid not null references workspaces,
  call_id uuid not null default gen_random_uuid(),
  minutes interval not null default '0',
  transcript text,
  primary key (workspace_id, call_id)
);
alter table workspaces enable row level security, force row level security;
alter table leads enable row level security, force row level security;
alter table calls enable row level security, force row level security;
create policy ws on workspaces for select to crm using (workspace_id = crm_workspace());
create policy ws_select on leads for select to crm using (workspace_id = crm_workspace());
create policy ws_insert on leads for insert to crm with check (workspace_id = crm_workspace());
create policy ws_update on leads for update to crm using (true) with check (workspace_id = crm_workspace());
create policy ws on calls to crm using (workspace_id = crm_workspace());
grant select on workspaces to crm;
grant select, insert, update on leads to crm;
grant select, insert on calls to crm;
--- fix
alter policy ws_update on leads using (workspace_id = crm_workspace());
