--: why = "The DELETE policy says USING (true), trusting that the SELECT policy filters anyway; DELETE FROM drafts without WHERE reads no column, skips the SELECT policy and removes everybody's rows."
--: class = "policy-too-wide"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "tenant_id"
--: context = "SET LOCAL app.tenant_id = '{tenant}'"
--: [[expect]]
--: object = "public.drafts"
--: verb = "delete"
--: kind = "leak"
create role app_user login;
create table tenants (tenant_id uuid primary key default gen_random_uuid(), name text not null);
create table drafts (
  tenant_id uuid not null references tenants on delete cascade,
  draft_id uuid not null default gen_random_uuid(),
  text text not null,
  revision int not null default 1 check (revision > 0),
  primary key (tenant_id, draft_id)
);
create table attachments (
  tenant_id uuid not null references tenants on delete cascade,
  attachment_id uuid not null default gen_random_uuid(),
  file_name text not null check (file_name !~ '/'),
  bytes bigint not null check (bytes between 0 and 52428800),
  primary key (tenant_id, attachment_id)
);
alter table tenants enable row level security, force row level security;
alter table drafts enable row level security, force row level security;
alter table attachments enable row level security, force row level security;
create policy t on tenants for select using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy r on drafts for select using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy c on drafts for insert with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy u on drafts for update using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy d on drafts for delete using (true);
create policy a on attachments using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
grant select on tenants to app_user;
grant select, insert, update, delete on drafts, attachments to app_user;
--- fix
alter policy d on drafts using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
