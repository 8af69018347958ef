--: why = "gradebook belongs to the app role and is ENABLEd but not FORCEd: its owner is not subject to the policy and reads every school."
--: class = "rls-not-forced"
--: [isolation]
--: app_role = "school_app"
--: tenant_column = "school_id"
--: context = "SET LOCAL app.school_id = '{tenant}'"
--: [[expect]]
--: object = "public.gradebook"
--: verb = "select"
--: kind = "leak"
create role school_owner nologin;
create role school_app login;
create table schools (school_id uuid primary key default gen_random_uuid(), name text not null);
create table pupils (
  school_id uuid not null references schools,
  pupil_id uuid not null default gen_random_uuid(),
  full_name text not null check (length(full_name) between 2 and 200),
  form text not null check (form ~ '^[0-9]{1,2}[a-f]$'),
  primary key (school_id, pupil_id)
);
create table gradebook (
  school_id uuid not null,
  pupil_id uuid not null,
  subject text not null,
  term text not null check (term in ('autumn', 'spring', 'summer')),
  mark numeric(3,1) check (mark between 1 and 6),
  remark text,
  primary key (school_id, pupil_id, subject, term),
  foreign key (school_id, pupil_id) references pupils on delete cascade
);
alter table schools owner to school_owner;
alter table pupils owner to school_owner;
alter table gradebook owner to school_app;
alter table schools enable row level security, force row level security;
alter table pupils enable row level security, force row level security;
alter table gradebook enable row level security;
create policy school on schools for select using (school_id = nullif(current_setting('app.school_id', true), '')::uuid);
create policy school on pupils using (school_id = nullif(current_setting('app.school_id', true), '')::uuid)
  with check (school_id = nullif(current_setting('app.school_id', true), '')::uuid);
create policy school on gradebook using (school_id = nullif(current_setting('app.school_id', true), '')::uuid)
  with check (school_id = nullif(current_setting('app.school_id', true), '')::uuid);
grant select on schools to school_app;
grant select, insert, update, delete on pupils, gradebook to school_app;
--- fix
alter table gradebook owner to school_owner;
alter table gradebook force row level security;
grant select, insert, update, delete on gradebook to school_app;
