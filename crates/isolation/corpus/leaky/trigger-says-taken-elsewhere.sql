--: why = "The definer trigger refuses a licence number that any school has registered, with an error of its own: two inserts tell a number in use at another school from an unused one."
--: class = "existence"
--: [[expect]]
--: object = "driving.refuse_double"
--: verb = "existence"
--: kind = "leak"
create role driving_app login;
create schema driving;
create table driving.schools (school text primary key check (school ~ '^[a-z]{2,12}$'), town text not null);
create table driving.learners (
  school text not null references driving.schools,
  learner_id uuid not null default gen_random_uuid(),
  licence_no text not null check (licence_no ~ '^L[0-9]{6}$'),
  name text not null,
  lessons int not null default 0 check (lessons >= 0),
  primary key (school, learner_id),
  unique (school, licence_no)
);
create table driving.exams (
  school text not null,
  learner_id uuid not null,
  taken_on date not null,
  passed boolean,
  primary key (school, learner_id, taken_on),
  foreign key (school, learner_id) references driving.learners on delete cascade
);
alter table driving.schools enable row level security, force row level security;
alter table driving.learners enable row level security, force row level security;
alter table driving.exams enable row level security, force row level security;
create policy s on driving.schools for select using (school = nullif(current_setting('driving.school', true), ''));
create policy s on driving.learners using (school = nullif(current_setting('driving.school', true), ''));
create policy s on driving.exams using (school = nullif(current_setting('driving.school', true), ''));
create function driving.refuse_double() returns trigger language plpgsql security definer set search_path = driving, pg_temp as $$
begin
  if exists (select 1 from driving.learners l where l.licence_no = new.licence_no and l.learner_id <> new.learner_id) then
    raise exception 'licence number already registered' using errcode = 'P0409';
  end if;
  return new;
end $$;
revoke execute on function driving.refuse_double() from public;
create trigger refuse_double before insert or update of licence_no on driving.learners
  for each row execute function driving.refuse_double();
grant usage on schema driving to driving_app;
grant select on driving.schools to driving_app;
grant select, insert, update, delete on driving.learners, driving.exams to driving_app;
insert into driving.schools values ('kerb', 'Leeds'), ('clutch', 'York');
insert into driving.learners (school, licence_no, name) values ('kerb', 'L100001', 'Pam'), ('clutch', 'L200002', 'Ted');
--- fix
create or replace function driving.refuse_double() returns trigger language plpgsql security definer set search_path = driving, pg_temp as $$
begin
  if exists (select 1 from driving.learners l where l.school = new.school and l.school = nullif(current_setting('driving.school', true), '')
               and l.licence_no = new.licence_no and l.learner_id <> new.learner_id) then
    raise exception 'licence number already registered' using errcode = 'P0409';
  end if;
  return new;
end $$;
