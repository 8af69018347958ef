--: why = "A SECURITY DEFINER trigger copies every changed patient row into audit.changes, which the app role may read and which has no RLS."
--: class = "trigger"
--: [[expect]]
--: object = "audit.changes"
--: verb = "select"
--: kind = "leak"
create role clinic_app login;
create schema clinic;
create schema audit;
create table clinic.patients (
  clinic_id uuid not null,
  patient_id uuid not null default gen_random_uuid(),
  family_name text not null,
  born date not null check (born > date '1900-01-01'),
  allergies text[] not null default '{}',
  primary key (clinic_id, patient_id)
);
create table clinic.visits (
  clinic_id uuid not null,
  visit_id uuid not null default gen_random_uuid(),
  patient_id uuid not null,
  seen_at timestamptz not null default now(),
  findings jsonb not null default '{}',
  primary key (clinic_id, visit_id),
  foreign key (clinic_id, patient_id) references clinic.patients on delete cascade
);
create table audit.changes (
  change_id uuid primary key default gen_random_uuid(),
  clinic_id uuid not null,
  at timestamptz not null default clock_timestamp(),
  what text not null,
  row_before jsonb,
  row_after jsonb
);
create index on audit.changes (clinic_id, at);
create function audit.note() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into audit.changes (clinic_id, what, row_before, row_after)
  values (coalesce(new.clinic_id, old.clinic_id), tg_op || ' ' || tg_table_name, to_jsonb(old), to_jsonb(new));
  return null;
end $$;
revoke execute on function audit.note() from public;
create trigger note after insert or update or delete on clinic.patients for each row execute function audit.note();
create trigger note after insert or update or delete on clinic.visits for each row execute function audit.note();
alter table clinic.patients enable row level security;
alter table clinic.patients force row level security;
alter table clinic.visits enable row level security;
alter table clinic.visits force row level security;
create policy clinic on clinic.patients using (clinic_id = nullif(current_setting('app.clinic_id', true), '')::uuid)
  with check (clinic_id = nullif(current_setting('app.clinic_id', true), '')::uuid);
create policy clinic on clinic.visits using (clinic_id = nullif(current_setting('app.clinic_id', true), '')::uuid)
  with check (clinic_id = nullif(current_setting('app.clinic_id', true), '')::uuid);
grant usage on schema clinic, audit to clinic_app;
grant select, insert, update, delete on clinic.patients, clinic.visits to clinic_app;
grant select on audit.changes to clinic_app;
--- fix
alter table audit.changes enable row level security;
alter table audit.changes force row level security;
create policy clinic on audit.changes for select using (clinic_id = nullif(current_setting('app.clinic_id', true), '')::uuid);
