--: why = "A permissive policy opens the table when app.maintenance is 'on'; any session may set that, it is not the tenant context."
--: class = "policy"
--: [[expect]]
--: object = "public.loans"
--: verb = "select"
--: kind = "leak"
create role app_user login;
create table public.members (
  tenant_id int not null,
  member_no int not null,
  name text not null,
  joined date not null default current_date,
  primary key (tenant_id, member_no)
);
create table public.loans (
  tenant_id int not null,
  loan_id uuid not null default gen_random_uuid(),
  member_no int not null,
  tool text not null,
  due date not null,
  fee numeric(6,2) generated always as (case when tool like 'saw%' then 4.00 else 2.50 end) stored,
  primary key (tenant_id, loan_id),
  foreign key (tenant_id, member_no) references public.members
);
alter table public.members enable row level security;
alter table public.members force row level security;
alter table public.loans enable row level security;
alter table public.loans force row level security;
create policy tenant on public.members using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::int)
  with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::int);
create policy tenant on public.loans using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::int)
  with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::int);
create policy night_job on public.loans for select using (current_setting('app.maintenance', true) = 'on');
grant select, insert, update, delete on public.members, public.loans to app_user;
insert into public.members values (1, 1, 'Ole'), (2, 1, 'Britt');
insert into public.loans (tenant_id, member_no, tool, due) values (1, 1, 'drill', '2025-05-01'), (2, 1, 'saw bench', '2025-05-09');
--- fix
drop policy night_job on public.loans;
