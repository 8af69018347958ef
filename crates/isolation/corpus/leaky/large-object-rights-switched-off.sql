--: why = "ALTER ROLE sets lo_compat_privileges for the app login: access rights of large objects are no longer checked, and their ids stand in pg_largeobject_metadata for all to read."
--: class = "large-object"
--: [isolation]
--: app_role = "archive_app"
--: tenant_column = "parish_id"
--: tenants = ["3", "4"]
--: context = "SET LOCAL archive.parish = '{tenant}'"
--: [[expect]]
--: object = "role:archive_app"
--: verb = "select"
--: kind = "leak"
create role archive_app login;
alter role archive_app set lo_compat_privileges = on;
create schema archive;
create table archive.registers (
  parish_id int not null,
  signature text not null check (signature ~ '^[A-Z]+/[0-9]+$'),
  years int4range not null,
  primary key (parish_id, signature)
);
create table archive.scans (
  parish_id int not null,
  signature text not null,
  page int not null check (page > 0),
  body oid not null,
  primary key (parish_id, signature, page),
  foreign key (parish_id, signature) references archive.registers on delete cascade
);
alter table archive.registers enable row level security;
alter table archive.registers force row level security;
alter table archive.scans enable row level security;
alter table archive.scans force row level security;
create policy p on archive.registers using (parish_id = nullif(current_setting('archive.parish', true), '')::int)
  with check (parish_id = nullif(current_setting('archive.parish', true), '')::int);
create policy p on archive.scans for select using (parish_id = nullif(current_setting('archive.parish', true), '')::int);
create function archive.page(p_signature text, p_page int) returns bytea
language sql stable security definer set search_path = '' as $$
  select pg_catalog.lo_get(s.body) from archive.scans s
  where s.signature = p_signature and s.page = p_page
    and s.parish_id = nullif(current_setting('archive.parish', true), '')::int
$$;
grant usage on schema archive to archive_app;
grant select, insert, update on archive.registers to archive_app;
grant select on archive.scans to archive_app;
insert into archive.registers values (3, 'B/1', '[1801,1840)'), (4, 'B/1', '[1799,1830)');
insert into archive.scans values
  (3, 'B/1', 1, lo_from_bytea(0, 'baptisms of Oberdorf, 1801')), (4, 'B/1', 1, lo_from_bytea(0, 'baptisms of Niederau, 1799'));
--- fix
alter role archive_app reset lo_compat_privileges;
