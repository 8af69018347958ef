--: why = "hr.payslip_import has no RLS, and SELECT on it was granted to PUBLIC: the app role reads it although no grant names that role."
--: class = "role"
--: [[expect]]
--: object = "hr.payslip_import"
--: verb = "select"
--: kind = "leak"
create role hr_web nologin;
create role hr_gateway login noinherit;
grant hr_web to hr_gateway;
create schema hr;
create table hr.staff (
  employer_id bigint not null,
  staff_no int not null,
  name text not null,
  email text check (email like '%_@_%'),
  primary key (employer_id, staff_no)
);
create table hr.leave_days (
  employer_id bigint not null,
  staff_no int not null,
  day date not null,
  reason text not null default 'holiday' check (reason in ('holiday', 'sick', 'parental')),
  primary key (employer_id, staff_no, day),
  foreign key (employer_id, staff_no) references hr.staff on delete cascade
);
create table hr.payslip_import (
  employer_id bigint not null,
  staff_no int not null,
  month date not null check (extract(day from month) = 1),
  net numeric(10,2) not null,
  raw jsonb,
  primary key (employer_id, staff_no, month)
);
alter table hr.staff enable row level security;
alter table hr.staff force row level security;
alter table hr.leave_days enable row level security;
alter table hr.leave_days force row level security;
create policy e on hr.staff using (employer_id = nullif(current_setting('hr.employer', true), '')::bigint)
  with check (employer_id = nullif(current_setting('hr.employer', true), '')::bigint);
create policy e on hr.leave_days using (employer_id = nullif(current_setting('hr.employer', true), '')::bigint)
  with check (employer_id = nullif(current_setting('hr.employer', true), '')::bigint);
grant usage on schema hr to hr_web;
grant select, insert, update, delete on hr.staff, hr.leave_days to hr_web;
grant select on hr.payslip_import to public;
--- fix
revoke select on hr.payslip_import from public;
