--: why = "app.clinic() falls back to the clinic marked as default when the setting is missing, so a connection without context reads and writes a real clinic's rows."
--: class = "stale-context"
--: [isolation]
--: app_role = "vet_app"
--: tenant_column = "clinic_id"
--: tenants = ["2", "1"]
--: context = "SET LOCAL vet.clinic = '{tenant}'"
--: [[expect]]
--: object = "vet.clinic"
--: verb = "select"
--: kind = "leak"
create role vet_app login;
create schema vet;
create table vet.clinics (
  clinic_id int primary key,
  name text not null,
  is_default boolean not null default false
);
create unique index one_default on vet.clinics (is_default) where is_default;
create function vet.clinic() returns int language sql stable security definer set search_path = '' as $$
  select coalesce(nullif(current_setting('vet.clinic', true), '')::int,
                  (select c.clinic_id from vet.clinics c where c.is_default))
$$;
create table vet.animals (
  clinic_id int not null references vet.clinics,
  chip char(15) not null check (chip ~ '^[0-9]{15}$'),
  species text not null check (species in ('dog', 'cat', 'horse', 'other')),
  name text not null,
  owner_phone text,
  primary key (clinic_id, chip)
);
create table vet.treatments (
  clinic_id int not null,
  chip char(15) not null,
  on_day date not null default current_date,
  drug text not null,
  mg numeric(8,2) check (mg > 0),
  primary key (clinic_id, chip, on_day, drug),
  foreign key (clinic_id, chip) references vet.animals on delete cascade
);
alter table vet.clinics enable row level security;
alter table vet.clinics force row level security;
alter table vet.animals enable row level security;
alter table vet.animals force row level security;
alter table vet.treatments enable row level security;
alter table vet.treatments force row level security;
create policy c on vet.clinics for select using (clinic_id = vet.clinic());
create policy c on vet.animals using (clinic_id = vet.clinic()) with check (clinic_id = vet.clinic());
create policy c on vet.treatments using (clinic_id = vet.clinic()) with check (clinic_id = vet.clinic());
grant usage on schema vet to vet_app;
grant select on vet.clinics to vet_app;
grant select, insert, update, delete on vet.animals, vet.treatments to vet_app;
insert into vet.clinics values (1, 'Dr Huber', true), (2, 'Dr Lang', false);
insert into vet.animals values (1, '276000000000001', 'dog', 'Rex', '0171 555'), (2, '276000000000002', 'cat', 'Mia', '0172 777');
insert into vet.treatments values (1, '276000000000001', '2025-01-07', 'meloxicam', 4.5);
--- fix
create or replace function vet.clinic() returns int language sql stable security definer set search_path = '' as $$
  select nullif(current_setting('vet.clinic', true), '')::int
$$;
