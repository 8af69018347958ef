--: why = "USING (true) stands in a policy TO the worker, a login of its own that the app role cannot become; tables are not FORCEd, but their owner is a NOLOGIN role nobody is a member of."
--: class = "policy-too-wide"
--: [isolation]
--: app_role = "queue_app"
--: tenant_column = "account_id"
--: tenants = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
--: context = ["SET LOCAL q.account = '{tenant}'", "SET LOCAL q.login = '{principal}'"]
--: principals = ["anna", "bruno"]
create role queue_owner nologin;
create role queue_app login;
create role queue_worker login;
create schema q authorization queue_owner;
set role queue_owner;
create table q.jobs (
  account_id uuid not null,
  job_id uuid not null default gen_random_uuid(),
  asked_by text not null,
  kind text not null check (kind in ('render', 'export')),
  payload jsonb not null default '{}',
  state text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed')),
  primary key (account_id, job_id)
);
create table q.results (
  account_id uuid not null,
  job_id uuid not null,
  output bytea,
  primary key (account_id, job_id),
  foreign key (account_id, job_id) references q.jobs on delete cascade
);
alter table q.jobs enable row level security;
alter table q.results enable row level security;
create policy own on q.jobs to queue_app using (account_id = nullif(current_setting('q.account', true), '')::uuid)
  with check (account_id = nullif(current_setting('q.account', true), '')::uuid and asked_by = current_setting('q.login', true) and state = 'queued');
create policy own on q.results for select to queue_app using (account_id = nullif(current_setting('q.account', true), '')::uuid);
create policy all_jobs on q.jobs to queue_worker using (true) with check (true);
create policy all_results on q.results to queue_worker using (true) with check (true);
grant usage on schema q to queue_app, queue_worker;
grant select, insert, delete on q.jobs to queue_app;
grant select on q.results to queue_app;
grant select, update on q.jobs to queue_worker;
grant select, insert on q.results to queue_worker;
reset role;
insert into q.jobs (account_id, asked_by, kind) values ('11111111-1111-4111-8111-111111111111', 'anna', 'render'), ('22222222-2222-4222-8222-222222222222', 'bruno', 'export');
insert into q.results select account_id, job_id, '\x01' from q.jobs;
