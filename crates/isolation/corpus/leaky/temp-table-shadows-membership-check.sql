--: why = "school.report_card sets search_path = school, but a temporary table is still searched first: a caller who creates pg_temp.teaches with a foreign school passes the check and reads its marks."
--: class = "definer-function"
--: [isolation]
--: app_role = "school_app"
--: tenant_column = "school_id"
--: context = ["SET LOCAL app.school_id = '{tenant}'", "SET LOCAL app.user_name = '{principal}'"]
--: principals = ["anna", "bruno"]
--: tenants = ["oak", "elm"]
--: [[expect]]
--: object = "school.report_card"
--: verb = "execute"
--: kind = "leak"
create role school_app nologin;
create role school_pool login noinherit;
grant school_app to school_pool;
create schema school;
create table school.schools (school_id text primary key check (school_id ~ '^[a-z]{2,20}$'), title text not null);
create table school.teaches (
  school_id text not null references school.schools,
  user_name text not null,
  since date not null default current_date,
  primary key (school_id, user_name)
);
create table school.marks (
  school_id text not null references school.schools,
  pupil_no int not null,
  subject text not null check (subject in ('maths', 'latin', 'art')),
  term smallint not null check (term in (1, 2)),
  mark numeric(2,1) not null check (mark between 1 and 6),
  remark text,
  primary key (school_id, pupil_no, subject, term)
);
alter table school.schools enable row level security;
alter table school.schools force row level security;
alter table school.teaches enable row level security;
alter table school.teaches force row level security;
alter table school.marks enable row level security;
alter table school.marks force row level security;
create policy s on school.schools for select using (school_id = nullif(current_setting('app.school_id', true), ''));
create policy s on school.teaches for select using (school_id = nullif(current_setting('app.school_id', true), ''));
create policy s on school.marks using (school_id = nullif(current_setting('app.school_id', true), ''))
  with check (school_id = nullif(current_setting('app.school_id', true), ''));
-- a teacher of two schools may print both
create function school.report_card(p_school text, p_pupil int)
returns table (subject text, term smallint, mark numeric, remark text)
language plpgsql security definer set search_path = school as $$
begin
  if not exists (select from teaches t where t.school_id = p_school
                 and t.user_name = nullif(current_setting('app.user_name', true), '')) then
    raise exception 'not a teacher of this school' using errcode = '42501';
  end if;
  return query select m.subject, m.term, m.mark, m.remark from school.marks m
    where m.school_id = p_school and m.pupil_no = p_pupil;
end $$;
revoke execute on function school.report_card from public;
grant usage on schema school to school_app;
grant execute on function school.report_card to school_app;
grant select on school.schools, school.teaches to school_app;
grant select, insert, update, delete on school.marks to school_app;
insert into school.schools values ('oak', 'Oak Lane Primary'), ('elm', 'Elm Street Primary');
insert into school.teaches (school_id, user_name) values ('oak', 'anna'), ('elm', 'bruno');
insert into school.marks values ('oak', 1, 'maths', 1, 2.0, 'steady'), ('oak', 2, 'art', 1, 1.5, null),
  ('elm', 1, 'latin', 1, 4.5, 'often late'), ('elm', 1, 'art', 1, 3.0, 'improving');
--- fix
alter function school.report_card set search_path = school, pg_temp;
