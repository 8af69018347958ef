--: why = "Three definer functions run as payroll_owner, a plain role, and rely on FORCE; payslips alone is not FORCEd, so the owner's function returns all companies' payslips."
--: class = "rls-not-forced"
--: [isolation]
--: app_role = "payroll_app"
--: tenant_column = "company_id"
--: tenants = ["10", "20"]
--: context = "SELECT payroll.enter('{tenant}')"
--: [[expect]]
--: object = "payroll.payslips"
--: verb = "select"
--: kind = "leak"
create role payroll_owner nologin;
create role payroll_app login;
create schema payroll authorization payroll_owner;
set role payroll_owner;
create table payroll.employees (
  company_id int not null,
  staff_no text not null,
  name text not null,
  iban text check (iban ~ '^[A-Z]{2}[0-9]{2}'),
  hired date not null default current_date,
  left_on date check (left_on >= hired),
  primary key (company_id, staff_no)
);
create table payroll.payslips (
  company_id int not null,
  staff_no text not null,
  month date not null check (extract(day from month) = 1),
  gross_cents bigint not null check (gross_cents > 0),
  primary key (company_id, staff_no, month),
  foreign key (company_id, staff_no) references payroll.employees
);
create table payroll.bonuses (
  company_id int not null,
  staff_no text not null,
  reason text not null,
  cents bigint not null,
  primary key (company_id, staff_no, reason),
  foreign key (company_id, staff_no) references payroll.employees
);
create function payroll.enter(c text) returns void language plpgsql set search_path = pg_catalog, pg_temp
  as $$ begin perform set_config('payroll.company', c, true); end $$;
create function payroll.company() returns int language sql stable
  as $$ select nullif(current_setting('payroll.company', true), '')::int $$;
alter table payroll.employees enable row level security, force row level security;
alter table payroll.payslips enable row level security;
alter table payroll.bonuses enable row level security, force row level security;
create policy own on payroll.employees using (company_id = payroll.company());
create policy own on payroll.payslips using (company_id = payroll.company());
create policy own on payroll.bonuses using (company_id = payroll.company());
-- narrow read surface: the app has no right on the tables themselves
create function payroll.staff() returns setof payroll.employees language sql stable security definer
  set search_path = payroll, pg_temp as $$ select * from employees order by staff_no $$;
create function payroll.slips(m date) returns setof payroll.payslips language sql stable security definer
  set search_path = payroll, pg_temp as $$ select * from payslips where month = m order by staff_no $$;
create function payroll.bonus_total() returns bigint language sql stable security definer
  set search_path = payroll, pg_temp as $$ select coalesce(sum(cents), 0)::bigint from bonuses $$;
revoke execute on all functions in schema payroll from public;
grant usage on schema payroll to payroll_app;
grant execute on all functions in schema payroll to payroll_app;
reset role;
insert into payroll.employees values (10, 'E1', 'Tilda Brook', 'DE02', '2020-01-01'), (20, 'E1', 'Omar Feld', 'AT61', '2021-05-01');
insert into payroll.payslips values (10, 'E1', '2025-01-01', 310000), (20, 'E1', '2025-01-01', 777700);
insert into payroll.bonuses values (10, 'E1', 'jubilee', 5000), (20, 'E1', 'patent', 25000);
--- fix
alter table payroll.payslips force row level security;
