--: why = "Rows without tenant are templates that everyone reads on purpose; the write policies exclude them, so nobody in a tenant can add, change or remove one."
--: class = "policy"
create role app_user login;
create table public.templates (
  template_id uuid not null default gen_random_uuid() primary key,
  tenant_id uuid,
  name text not null check (btrim(name) <> ''),
  body jsonb not null default '{}',
  unique (tenant_id, template_id)
);
create table public.contracts (
  tenant_id uuid not null,
  contract_id uuid not null default gen_random_uuid(),
  title text not null,
  filled jsonb not null default '{}',
  signed_at timestamptz,
  primary key (tenant_id, contract_id)
);
create index on public.templates (tenant_id);
alter table public.templates enable row level security;
alter table public.templates force row level security;
alter table public.contracts enable row level security;
alter table public.contracts force row level security;
create policy read on public.templates for select
  using (tenant_id is null or tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy add on public.templates for insert
  with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy edit on public.templates for update
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy remove on public.templates for delete
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy own on public.contracts using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
grant select, insert, update, delete on public.templates, public.contracts to app_user;
insert into public.templates (tenant_id, name) values (null, 'Lease, standard'), (null, 'Non-disclosure'),
  ('aaaaaaaa-0000-4000-8000-000000000001', 'Our lease'), ('bbbbbbbb-0000-4000-8000-000000000001', 'Merger term sheet');
insert into public.contracts (tenant_id, title) values ('aaaaaaaa-0000-4000-8000-000000000001', 'Shop 4'), ('bbbbbbbb-0000-4000-8000-000000000001', 'Project Falcon');
