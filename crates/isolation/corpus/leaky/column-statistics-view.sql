--: why = "ops.column_values reads pg_statistic with its superuser owner's rights and shows the most common values of every column, of all tenants."
--: class = "statistics"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "tenant_id"
--: tenants = ["11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"]
--: context = "SET LOCAL app.tenant_id = '{tenant}'"
--: [[expect]]
--: object = "ops.column_values"
--: verb = "select"
--: kind = "leak"
create role app_user login;
create schema ops;
create table public.tickets (
  tenant_id uuid not null,
  ticket_id uuid not null default gen_random_uuid(),
  subject text not null,
  reporter text not null,
  priority smallint not null default 3 check (priority between 1 and 5),
  primary key (tenant_id, ticket_id)
);
create table public.replies (
  tenant_id uuid not null,
  ticket_id uuid not null,
  reply_id uuid not null default gen_random_uuid(),
  body text not null,
  primary key (tenant_id, reply_id),
  foreign key (tenant_id, ticket_id) references public.tickets on delete cascade
);
alter table public.tickets enable row level security;
alter table public.tickets force row level security;
alter table public.replies enable row level security;
alter table public.replies force row level security;
create policy tenant on public.tickets using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant on public.replies using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create view ops.column_values as
  select s.starelid::regclass as relation, a.attname, s.stanullfrac, s.stanumbers1 as frequencies, s.stavalues1::text as values
  from pg_catalog.pg_statistic s join pg_catalog.pg_attribute a on a.attrelid = s.starelid and a.attnum = s.staattnum
  where s.starelid >= 16384;
grant select, insert, update, delete on public.tickets, public.replies to app_user;
grant usage on schema ops to app_user;
grant select on ops.column_values to app_user;
insert into public.tickets (tenant_id, subject, reporter)
  select '11111111-0000-4000-8000-000000000001', 'Door squeaks', 'pia@north.test' from generate_series(1, 4);
insert into public.tickets (tenant_id, subject, reporter)
  select '22222222-0000-4000-8000-000000000002', 'Safe code lost', 'karl@south.test' from generate_series(1, 6);
analyze public.tickets;
--- fix
revoke select on ops.column_values from app_user;
