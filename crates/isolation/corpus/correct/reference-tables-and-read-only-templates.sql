--: why = "Countries and plans have no RLS at all and rows with a NULL clinic are seen by everyone: shared, the same for all, and the app may not write any of them."
--: class = "rls-missing"
create role app_user login;
create table countries (code char(2) primary key, name text not null unique, eu boolean not null);
create table plans (plan text primary key, monthly_cents int not null check (monthly_cents >= 0));
create table clinics (
  clinic_id uuid primary key default gen_random_uuid(),
  slug text not null unique,
  plan text not null references plans,
  country char(2) not null references countries
);
create table form_templates (
  template_id uuid primary key default gen_random_uuid(),
  clinic_id uuid references clinics,
  title text not null,
  fields jsonb not null default '[]' check (jsonb_typeof(fields) = 'array')
);
create table patients (
  clinic_id uuid not null references clinics,
  patient_id uuid not null default gen_random_uuid(),
  name text not null,
  nationality char(2) references countries,
  primary key (clinic_id, patient_id)
);
alter table clinics enable row level security, force row level security;
alter table form_templates enable row level security, force row level security;
alter table patients enable row level security, force row level security;
create policy own on clinics for select using (clinic_id = nullif(current_setting('app.clinic', true), '')::uuid);
create policy shared_or_own on form_templates for select
  using (clinic_id is null or clinic_id = nullif(current_setting('app.clinic', true), '')::uuid);
create policy own on form_templates using (clinic_id = nullif(current_setting('app.clinic', true), '')::uuid);
create policy own on patients using (clinic_id = nullif(current_setting('app.clinic', true), '')::uuid);
grant select on countries, plans, clinics to app_user;
grant select, insert, update, delete on form_templates, patients to app_user;
insert into countries values ('DE', 'Germany', true), ('NO', 'Norway', false);
insert into plans values ('free', 0), ('pro', 4900);
insert into clinics values ('11111111-1111-4111-8111-111111111111', 'elm', 'free', 'DE'), ('22222222-2222-4222-8222-222222222222', 'oak', 'pro', 'NO');
insert into form_templates (clinic_id, title) values (null, 'Anamnesis'), ('11111111-1111-4111-8111-111111111111', 'Allergy'), ('22222222-2222-4222-8222-222222222222', 'Trial X');
insert into patients (clinic_id, name, nationality) values ('11111111-1111-4111-8111-111111111111', 'P1', 'DE'), ('22222222-2222-4222-8222-222222222222', 'P2', 'NO');
