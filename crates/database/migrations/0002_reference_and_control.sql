-- Reference: copied to every node. Control: stays on the coordinator and is read across tenants by one login only.

create table app.plans (
  plan_id text primary key check (plan_id ~ '^[a-z][a-z0-9-]{0,30}$'),
  stored_bytes_limit bigint not null check (stored_bytes_limit > 0),
  file_bytes_limit bigint not null check (file_bytes_limit > 0)
);
comment on table app.plans is 'What a workspace may use. Reference table.';
comment on column app.plans.stored_bytes_limit is 'Bytes of stored and reserved revisions together.';
comment on column app.plans.file_bytes_limit is 'Bytes of one revision.';
insert into app.plans (plan_id, stored_bytes_limit, file_bytes_limit) values
  ('alpha', 5368709120, 104857600);
grant select on app.plans to :"tenant", :"control";

create table app.users (
  user_id uuid primary key,
  email text check (char_length(email) <= 320),
  default_tenant_id uuid,
  created_at timestamptz not null default now()
);
comment on table app.users is 'People, as the issuer names them (the sub of a token). Control table.';
comment on column app.users.default_tenant_id is 'The workspace of a session that has activated none.';
alter table app.users enable row level security;
alter table app.users force row level security;
create policy users_control on app.users to :"control" using (true) with check (true);
create policy users_hook on app.users for select to :"owner" using (true);
grant select, insert, update (email, default_tenant_id) on app.users to :"control";

create table app.user_tenants (
  tenant_id uuid not null,
  user_id uuid not null,
  tenant_name text not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, user_id)
);
comment on table app.user_tenants is
  'The index of memberships by person, written in the same transaction as the membership. Control table.';
create index user_tenants_by_user on app.user_tenants (user_id, created_at, tenant_id);
alter table app.user_tenants enable row level security;
alter table app.user_tenants force row level security;
create policy user_tenants_tenant on app.user_tenants to :"tenant"
  using (tenant_id = app.tenant_id()) with check (tenant_id = app.tenant_id());
create policy user_tenants_control on app.user_tenants for select to :"control" using (true);
create policy user_tenants_hook on app.user_tenants for select to :"owner" using (true);
grant select, insert, delete, update (tenant_name) on app.user_tenants to :"tenant";
grant select on app.user_tenants to :"control";

create table app.session_tenants (
  session_id uuid primary key,
  user_id uuid not null,
  tenant_id uuid not null,
  activated_at timestamptz not null default now()
);
comment on table app.session_tenants is 'The active workspace of a signed-in session. Control table.';
create index session_tenants_by_user on app.session_tenants (user_id);
alter table app.session_tenants enable row level security;
alter table app.session_tenants force row level security;
create policy session_tenants_control on app.session_tenants to :"control" using (true) with check (true);
create policy session_tenants_hook on app.session_tenants for select to :"owner" using (true);
grant select, insert, delete, update (tenant_id, activated_at) on app.session_tenants to :"control";

create table app.invitation_tokens (
  token_hash bytea primary key check (octet_length(token_hash) = 32),
  tenant_id uuid not null,
  invitation_id uuid not null,
  expires_at timestamptz not null
);
comment on table app.invitation_tokens is 'SHA-256 of an invitation''s single-use token, to its workspace. Control table.';
alter table app.invitation_tokens enable row level security;
alter table app.invitation_tokens force row level security;
create policy invitation_tokens_tenant on app.invitation_tokens to :"tenant"
  using (tenant_id = app.tenant_id()) with check (tenant_id = app.tenant_id());
create policy invitation_tokens_control on app.invitation_tokens for select to :"control" using (true);
grant select, insert, delete on app.invitation_tokens to :"tenant";
grant select on app.invitation_tokens to :"control";

create table app.jobs (
  tenant_id uuid not null,
  job_id uuid not null,
  kind text not null check (kind ~ '^[a-z][a-z_]{0,40}$'),
  state text not null default 'queued'
    check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  payload jsonb not null,
  attempts integer not null default 0,
  max_attempts integer not null default 12,
  run_at timestamptz not null default now(),
  fencing_token bigint not null default 0,
  lease_expires_at timestamptz,
  worker text,
  last_error text check (char_length(last_error) <= 500),
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  primary key (tenant_id, job_id)
);
comment on table app.jobs is
  'Work to do, written in the transaction that caused it. Control table: claimed across tenants, finished inside one.';
comment on column app.jobs.fencing_token is 'Rises with every claim; whoever finishes a job must hold the newest.';
create index jobs_ready on app.jobs (run_at, job_id) where state = 'queued';
create index jobs_leases on app.jobs (lease_expires_at) where state = 'running';
create index jobs_unfinished on app.jobs (tenant_id, kind) where state in ('queued', 'running');
create index jobs_finished on app.jobs (finished_at) where finished_at is not null;
alter table app.jobs enable row level security;
alter table app.jobs force row level security;
create policy jobs_tenant on app.jobs to :"tenant"
  using (tenant_id = app.tenant_id()) with check (tenant_id = app.tenant_id());
create policy jobs_control on app.jobs to :"control" using (true) with check (true);
grant select (tenant_id, job_id, kind, state, payload, attempts, max_attempts, fencing_token),
  insert (tenant_id, job_id, kind, payload, run_at),
  update (state, run_at, last_error, finished_at)
  on app.jobs to :"tenant";
grant select, delete, update (state, attempts, run_at, fencing_token, lease_expires_at, worker, last_error, finished_at)
  on app.jobs to :"control";

create table app.object_tombstones (
  tenant_id uuid not null,
  object_key text not null check (octet_length(object_key) <= 1024),
  created_at timestamptz not null default now(),
  keep_until timestamptz not null,
  primary key (tenant_id, object_key)
);
comment on table app.object_tombstones is
  'Objects that must stay deleted while a ticket or a backup could bring them back. Control table.';
create index object_tombstones_due on app.object_tombstones (keep_until);
alter table app.object_tombstones enable row level security;
alter table app.object_tombstones force row level security;
create policy object_tombstones_tenant on app.object_tombstones to :"tenant"
  using (tenant_id = app.tenant_id()) with check (tenant_id = app.tenant_id());
create policy object_tombstones_control on app.object_tombstones to :"control" using (true) with check (true);
grant select, insert on app.object_tombstones to :"tenant";
grant select, delete on app.object_tombstones to :"control";
