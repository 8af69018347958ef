--: why = "RLS was left off the staging table so that COPY FROM works, and the app may also read it: COPY staging TO STDOUT (or SELECT) shows the rows that other clinics are just importing."
--: class = "copy"
--: [[expect]]
--: object = "intake.staging"
--: verb = "select"
--: kind = "leak"
create role intake_app login;
create schema intake;
create function intake.clinic() returns bigint language sql stable as $$ select nullif(current_setting('intake.clinic', true), '')::bigint $$;
create table intake.patients (
  clinic_id bigint not null,
  insurance_no text not null check (insurance_no ~ '^[A-Z][0-9]{9}$'),
  name text not null,
  primary key (clinic_id, insurance_no)
);
create table intake.lab_values (
  clinic_id bigint not null,
  insurance_no text not null,
  test text not null,
  value numeric(8,3) not null,
  primary key (clinic_id, insurance_no, test),
  foreign key (clinic_id, insurance_no) references intake.patients on delete cascade
);
create table intake.staging (
  clinic_id bigint not null default intake.clinic(),
  line text not null
);
alter table intake.patients enable row level security, force row level security;
alter table intake.lab_values enable row level security, force row level security;
create policy c on intake.patients using (clinic_id = intake.clinic());
create policy c on intake.lab_values using (clinic_id = intake.clinic());
grant usage on schema intake to intake_app;
grant select, insert, update, delete on intake.patients, intake.lab_values to intake_app;
grant insert (line), select on intake.staging to intake_app;
--- fix
revoke select on intake.staging from intake_app;
