--: why = "The app role holds pg_execute_server_program (for an image converter); COPY FROM PROGRAM runs in the data directory as the server's own user and reads any tenant's rows from its files."
--: class = "role"
--: [isolation]
--: app_role = "gallery_app"
--: tenant_column = "gallery_id"
--: context = "SET LOCAL gallery.id = '{tenant}'"
--: [[expect]]
--: object = "role:pg_execute_server_program"
--: verb = "select"
--: kind = "leak"
create role gallery_app login;
grant pg_execute_server_program to gallery_app;
create schema gallery;
create table gallery.works (
  gallery_id uuid not null,
  work_id uuid not null default gen_random_uuid(),
  artist text not null,
  title text not null,
  year smallint check (year between 1200 and 2100),
  asking numeric(12,2),
  primary key (gallery_id, work_id)
);
create table gallery.offers (
  gallery_id uuid not null,
  offer_id uuid not null default gen_random_uuid(),
  work_id uuid not null,
  bidder text not null,
  amount numeric(12,2) not null check (amount > 0),
  primary key (gallery_id, offer_id),
  foreign key (gallery_id, work_id) references gallery.works
);
alter table gallery.works enable row level security;
alter table gallery.works force row level security;
alter table gallery.offers enable row level security;
alter table gallery.offers force row level security;
create policy g on gallery.works using (gallery_id = nullif(current_setting('gallery.id', true), '')::uuid)
  with check (gallery_id = nullif(current_setting('gallery.id', true), '')::uuid);
create policy g on gallery.offers using (gallery_id = nullif(current_setting('gallery.id', true), '')::uuid)
  with check (gallery_id = nullif(current_setting('gallery.id', true), '')::uuid);
grant usage on schema gallery to gallery_app;
grant select, insert, update, delete on gallery.works, gallery.offers to gallery_app;
--- fix
revoke pg_execute_server_program from gallery_app;
