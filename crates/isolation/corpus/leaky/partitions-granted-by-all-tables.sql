--: why = "The partitioned table is protected, but GRANT ON ALL TABLES also covered its partitions, which have no RLS of their own; SELECT from a partition shows every clinic."
--: class = "rls-missing"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "clinic_id"
--: context = "SET LOCAL app.clinic_id = '{tenant}'"
--: [[expect]]
--: object = "public.visits_2024"
--: verb = "select"
--: kind = "leak"
--: [[expect]]
--: object = "public.visits_2025"
--: verb = "select"
--: kind = "leak"
create role app_user login;
create table clinics (clinic_id uuid primary key default gen_random_uuid(), name text not null);
create table patients (
  clinic_id uuid not null references clinics,
  patient_id uuid not null default gen_random_uuid(),
  family_name text not null,
  born date check (born > '1900-01-01'),
  primary key (clinic_id, patient_id)
);
create table visits (
  clinic_id uuid not null,
  visit_id uuid not null default gen_random_uuid(),
  patient_id uuid not null,
  seen_at timestamptz not null,
  diagnosis text,
  icd10 text check (icd10 ~ '^[A-Z][0-9]{2}'),
  primary key (clinic_id, visit_id, seen_at),
  foreign key (clinic_id, patient_id) references patients
) partition by range (seen_at);
create table visits_2024 partition of visits for values from ('2024-01-01') to ('2025-01-01');
create table visits_2025 partition of visits for values from ('2025-01-01') to ('2026-01-01');
alter table clinics enable row level security;
alter table clinics force row level security;
alter table patients enable row level security;
alter table patients force row level security;
alter table visits enable row level security;
alter table visits force row level security;
create policy c on clinics using (clinic_id = nullif(current_setting('app.clinic_id', true), '')::uuid);
create policy p on patients using (clinic_id = nullif(current_setting('app.clinic_id', true), '')::uuid);
create policy v on visits using (clinic_id = nullif(current_setting('app.clinic_id', true), '')::uuid);
grant select on all tables in schema public to app_user;
grant insert, update, delete on patients, visits to app_user;
--- fix
revoke all on visits_2024, visits_2025 from app_user;
