--: why = "SELECT on pg_catalog.pg_largeobject was granted to the app role (for a size report); the table holds the bytes of all large objects of all tenants."
--: class = "large-object"
--: [isolation]
--: app_role = "report_app"
--: tenant_column = "office"
--: tenants = ["bern", "genf"]
--: context = "SET LOCAL office.name = '{tenant}'"
--: [[expect]]
--: object = "pg_catalog.pg_largeobject"
--: verb = "select"
--: kind = "leak"
create role report_app login;
create schema office;
create table office.files (
  office text not null,
  file_name text not null check (file_name !~ '/'),
  mime text not null default 'application/pdf',
  content oid not null,
  sha256 bytea,
  primary key (office, file_name)
);
alter table office.files enable row level security;
alter table office.files force row level security;
create policy o on office.files for select using (office = nullif(current_setting('office.name', true), ''));
create policy d on office.files for delete using (office = nullif(current_setting('office.name', true), ''));
create function office.put(p_name text, p_body bytea) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into office.files (office, file_name, content)
  values (nullif(current_setting('office.name', true), ''), p_name, lo_from_bytea(0, p_body))
$$;
create function office.get(p_name text) returns bytea
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select lo_get(f.content) from office.files f
  where f.file_name = p_name and f.office = nullif(current_setting('office.name', true), '')
$$;
grant usage on schema office to report_app;
grant select, delete on office.files to report_app;
grant select on pg_catalog.pg_largeobject to report_app;
insert into office.files (office, file_name, content) values
  ('bern', 'lease.pdf', lo_from_bytea(0, '%PDF lease of Bern')), ('genf', 'bail.pdf', lo_from_bytea(0, '%PDF bail de Geneve'));
--- fix
revoke select on pg_catalog.pg_largeobject from report_app;
