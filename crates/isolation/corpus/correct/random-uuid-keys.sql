--: why = "Primary and foreign keys are bare random uuids without the tenant: 122 random bits cannot be guessed, policies hold the rows, and no referential action crosses tables of different owners."
--: class = "existence"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "tenant_id"
--: tenants = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
--: context = "SET LOCAL app.tenant_id = '{tenant}'"
create role app_user login;
create table tenants (tenant_id uuid primary key default gen_random_uuid(), name text not null);
create table albums (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references tenants,
  title text not null
);
create table photos (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references tenants,
  album_id uuid not null references albums,
  taken_at timestamptz,
  exif jsonb not null default '{}'
);
create index on albums (tenant_id);
create index on photos (tenant_id, album_id);
alter table tenants enable row level security, force row level security;
alter table albums enable row level security, force row level security;
alter table photos enable row level security, force row level security;
create policy t on tenants for select using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy t on albums using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy t on photos using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
grant select on tenants to app_user;
grant select, insert, update, delete on albums, photos to app_user;
insert into tenants values ('11111111-1111-4111-8111-111111111111', 'Studio A'), ('22222222-2222-4222-8222-222222222222', 'Studio B');
insert into albums values
  ('5b7d2c90-43f1-4a8e-9c64-0f1e2d3c4b5a', '11111111-1111-4111-8111-111111111111', 'Spring'),
  ('e91c6a38-7d25-4f0b-8b13-a9f8e7d6c5b4', '22222222-2222-4222-8222-222222222222', 'Autumn');
insert into photos (tenant_id, album_id) select tenant_id, id from albums;
