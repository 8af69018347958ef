--: why = "The pictures are large objects owned by the app role; their oids can be listed in pg_largeobject_metadata and lo_get knows no tenant, so the row policy on xray.images protects only the oid."
--: class = "large-object"
--: [isolation]
--: app_role = "xray_app"
--: tenant_column = "practice_id"
--: tenants = ["aaaa1111-0000-4000-8000-000000000001", "bbbb2222-0000-4000-8000-000000000002"]
--: context = "SET LOCAL app.practice = '{tenant}'"
--: [[expect]]
--: object = "xray.images"
--: verb = "select"
--: kind = "leak"
create role xray_app login;
create schema xray;
create table xray.patients (
  practice_id uuid not null,
  patient_id uuid not null default gen_random_uuid(),
  name text not null,
  primary key (practice_id, patient_id)
);
create table xray.images (
  practice_id uuid not null,
  image_id uuid not null default gen_random_uuid(),
  patient_id uuid not null,
  region text not null check (region in ('jaw', 'hand', 'chest')),
  picture oid not null,
  taken date not null default current_date,
  primary key (practice_id, image_id),
  foreign key (practice_id, patient_id) references xray.patients on delete cascade
);
alter table xray.patients enable row level security;
alter table xray.patients force row level security;
alter table xray.images enable row level security;
alter table xray.images force row level security;
create policy p on xray.patients using (practice_id = nullif(current_setting('app.practice', true), '')::uuid)
  with check (practice_id = nullif(current_setting('app.practice', true), '')::uuid);
create policy p on xray.images using (practice_id = nullif(current_setting('app.practice', true), '')::uuid)
  with check (practice_id = nullif(current_setting('app.practice', true), '')::uuid);
grant usage on schema xray to xray_app;
grant select, insert, update, delete on xray.patients, xray.images to xray_app;
select lo_from_bytea(71001, 'jaw of Mr Adler'), lo_from_bytea(71002, 'hand of Ms Birk');
alter large object 71001 owner to xray_app;
alter large object 71002 owner to xray_app;
insert into xray.patients values ('aaaa1111-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-00000000000a', 'Adler'),
  ('bbbb2222-0000-4000-8000-000000000002', 'b0000000-0000-4000-8000-00000000000b', 'Birk');
insert into xray.images (practice_id, patient_id, region, picture) values
  ('aaaa1111-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-00000000000a', 'jaw', 71001),
  ('bbbb2222-0000-4000-8000-000000000002', 'b0000000-0000-4000-8000-00000000000b', 'hand', 71002);
--- fix
alter table xray.images add column bytes bytea;
update xray.images set bytes = lo_get(picture);
select lo_unlink(picture) from xray.images;
alter table xray.images drop column picture, alter column bytes set not null;
