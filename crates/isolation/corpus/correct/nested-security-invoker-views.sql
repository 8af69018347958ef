--: why = "Views over views with joins and aggregates, granted to the app: all are security_invoker, so the caller's policies reach through every level."
--: class = "view"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "account_id"
--: context = "SET LOCAL app.account_id = '{tenant}'"
create role app_user login;
create schema core;
create schema reports;
create table core.jobs (
  account_id bigint not null check (account_id > 0),
  job text not null,
  rate_cents int not null check (rate_cents > 0),
  primary key (account_id, job)
);
create table core.hours (
  account_id bigint not null,
  job text not null,
  day date not null,
  hours numeric(4,2) not null check (hours between 0 and 24),
  primary key (account_id, job, day),
  foreign key (account_id, job) references core.jobs
);
alter table core.jobs enable row level security, force row level security;
alter table core.hours enable row level security, force row level security;
create policy a on core.jobs using (account_id = nullif(current_setting('app.account_id', true), '')::bigint);
create policy a on core.hours using (account_id = nullif(current_setting('app.account_id', true), '')::bigint);
create view reports.worked with (security_invoker = true) as
  select account_id, job, date_trunc('month', day)::date as month, sum(hours) as hours from core.hours group by 1, 2, 3;
create view reports.turnover with (security_invoker = on) as
  select w.account_id, w.month, sum(w.hours * j.rate_cents)::bigint as cents
  from reports.worked w join core.jobs j using (account_id, job) group by 1, 2;
create view reports.open_jobs with (security_invoker = 1) as select * from core.jobs where rate_cents < 100000;
grant usage on schema core, reports to app_user;
grant select, insert, update, delete on core.jobs, core.hours to app_user;
grant select on reports.worked, reports.turnover to app_user;
grant select, insert, update, delete on reports.open_jobs to app_user;
