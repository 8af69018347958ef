--: why = "The policy uses LIKE and no tenant column, but the prefix ends with a slash, tenant names may hold only letters and digits (no wildcard, no slash), and an empty setting becomes NULL."
--: class = "comparison"
--: [isolation]
--: app_role = "storage_api"
--: tenant_column = "tenant"
--: tenants = ["harbor", "harbor2"]
--: context = "SET LOCAL storage.tenant = '{tenant}'"
create role storage_api login;
create schema storage;
create table storage.tenants (tenant text primary key check (tenant ~ '^[a-z0-9]{3,20}$'), quota_mb int not null default 100 check (quota_mb > 0));
create table storage.objects (
  key text primary key check (key ~ '^[a-z0-9]{3,20}/[^/].*$'),
  bytes bigint not null check (bytes >= 0),
  etag uuid not null default gen_random_uuid()
);
alter table storage.tenants enable row level security, force row level security;
alter table storage.objects enable row level security, force row level security;
create policy t on storage.tenants for select using (tenant = nullif(current_setting('storage.tenant', true), ''));
create policy t on storage.objects using (key like nullif(current_setting('storage.tenant', true), '') || '/%');
grant usage on schema storage to storage_api;
grant select on storage.tenants to storage_api;
grant select, insert, update, delete on storage.objects to storage_api;
insert into storage.tenants values ('harbor', 100), ('harbor2', 500);
insert into storage.objects values ('harbor/logo.png', 900), ('harbor2/payroll.csv', 1200);
