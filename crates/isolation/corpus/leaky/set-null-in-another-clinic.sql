--: why = "referrals.from_doctor references doctors by doctor_id alone, ON DELETE SET NULL: a clinic that deletes its own doctor rewrites another clinic's referrals."
--: class = "referential"
--: [[expect]]
--: object = "public.referrals"
--: verb = "delete"
--: kind = "leak"
create role med_app login;
create function med_clinic() returns uuid language sql stable as $$ select nullif(current_setting('med.clinic', true), '')::uuid $$;
create table doctors (
  clinic_id uuid not null,
  doctor_id uuid not null default gen_random_uuid(),
  name text not null,
  speciality text not null default 'general',
  primary key (clinic_id, doctor_id),
  unique (doctor_id)
);
create table referrals (
  clinic_id uuid not null,
  referral_id uuid not null default gen_random_uuid(),
  patient text not null,
  from_doctor uuid,
  received date not null default current_date,
  primary key (clinic_id, referral_id),
  constraint referrals_doctor foreign key (from_doctor) references doctors (doctor_id) on delete set null
);
create table rooms (
  clinic_id uuid not null,
  room text not null,
  equipment text[] not null default '{}',
  primary key (clinic_id, room)
);
alter table doctors enable row level security, force row level security;
alter table referrals enable row level security, force row level security;
alter table rooms enable row level security, force row level security;
create policy c on doctors to med_app using (clinic_id = med_clinic()) with check (clinic_id = med_clinic());
create policy c on referrals to med_app using (clinic_id = med_clinic()) with check (clinic_id = med_clinic());
create policy c on rooms to med_app using (clinic_id = med_clinic()) with check (clinic_id = med_clinic());
grant select, insert, update, delete on doctors, referrals, rooms to med_app;
insert into doctors values
  ('5a1d0000-0000-4000-8000-00000000000a', '0b6e63f4-5a52-4f7e-a2b1-3f0e93c4d101', 'Dr. Ember', 'skin'),
  ('5a1d0000-0000-4000-8000-00000000000b', '9c1f2d7a-6e0b-4c35-b8a9-77d1c2e4f202', 'Dr. Frost', 'eyes');
insert into referrals (clinic_id, patient, from_doctor) values
  ('5a1d0000-0000-4000-8000-00000000000a', 'P. One', '9c1f2d7a-6e0b-4c35-b8a9-77d1c2e4f202'),
  ('5a1d0000-0000-4000-8000-00000000000b', 'P. Two', '0b6e63f4-5a52-4f7e-a2b1-3f0e93c4d101');
--- fix
alter table referrals drop constraint referrals_doctor;
