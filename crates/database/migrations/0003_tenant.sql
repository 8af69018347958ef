-- Tenant tables: distributed by tenant_id, which leads every key. A child's key has its parent's as prefix.

create table app.tenants (
  tenant_id uuid primary key,
  name text not null check (char_length(name) between 1 and 200),
  plan_id text not null default 'alpha' references app.plans (plan_id),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  version integer not null default 1,
  deleted_at timestamptz
);
comment on table app.tenants is 'A workspace: the unit of isolation. Tenant table (root).';
alter table app.tenants enable row level security;
alter table app.tenants force row level security;
create policy tenants_tenant on app.tenants to :"tenant"
  using (tenant_id = app.tenant_id()) with check (tenant_id = app.tenant_id());
grant select, insert, update (name, plan_id, updated_at, version, deleted_at) on app.tenants to :"tenant";

create table app.memberships (
  tenant_id uuid not null references app.tenants (tenant_id),
  user_id uuid not null,
  role text not null check (role in ('viewer', 'editor', 'owner')),
  created_at timestamptz not null default now(),
  primary key (tenant_id, user_id)
);
comment on table app.memberships is 'Who may do what in a workspace. Tenant table; the truth that every request checks.';
alter table app.memberships enable row level security;
alter table app.memberships force row level security;
create policy memberships_tenant on app.memberships to :"tenant"
  using (tenant_id = app.tenant_id()) with check (tenant_id = app.tenant_id());
grant select, insert, delete, update (role) on app.memberships to :"tenant";

create table app.invitations (
  tenant_id uuid not null references app.tenants (tenant_id),
  invitation_id uuid not null,
  email text check (char_length(email) <= 320),
  role text not null check (role in ('viewer', 'editor', 'owner')),
  invited_by uuid not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  accepted_by uuid,
  accepted_at timestamptz,
  primary key (tenant_id, invitation_id)
);
comment on table app.invitations is 'Invitations to a workspace; the token is stored hashed, elsewhere. Tenant table.';
alter table app.invitations enable row level security;
alter table app.invitations force row level security;
create policy invitations_tenant on app.invitations to :"tenant"
  using (tenant_id = app.tenant_id()) with check (tenant_id = app.tenant_id());
grant select, insert, delete, update (accepted_by, accepted_at) on app.invitations to :"tenant";

create table app.projects (
  tenant_id uuid not null references app.tenants (tenant_id),
  project_id uuid not null,
  title text not null check (char_length(title) between 1 and 200),
  created_by uuid not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  version integer not null default 1,
  deleted_at timestamptz,
  primary key (tenant_id, project_id)
);
comment on table app.projects is 'A book or series in the making. Tenant table.';
create index projects_newest on app.projects (tenant_id, created_at desc, project_id desc) where deleted_at is null;
alter table app.projects enable row level security;
alter table app.projects force row level security;
create policy projects_tenant on app.projects to :"tenant"
  using (tenant_id = app.tenant_id()) with check (tenant_id = app.tenant_id());
grant select, insert, delete, update (title, updated_at, version, deleted_at) on app.projects to :"tenant";

create table app.manuscripts (
  tenant_id uuid not null,
  project_id uuid not null,
  manuscript_id uuid not null,
  title text not null check (char_length(title) between 1 and 200),
  created_by uuid not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  version integer not null default 1,
  deleted_at timestamptz,
  primary key (tenant_id, project_id, manuscript_id),
  foreign key (tenant_id, project_id) references app.projects (tenant_id, project_id)
);
comment on table app.manuscripts is 'One text of a project, through all its revisions. Tenant table.';
create index manuscripts_newest on app.manuscripts (tenant_id, project_id, created_at desc, manuscript_id desc)
  where deleted_at is null;
alter table app.manuscripts enable row level security;
alter table app.manuscripts force row level security;
create policy manuscripts_tenant on app.manuscripts to :"tenant"
  using (tenant_id = app.tenant_id()) with check (tenant_id = app.tenant_id());
grant select, insert, delete, update (title, updated_at, version, deleted_at) on app.manuscripts to :"tenant";

create table app.revisions (
  tenant_id uuid not null,
  project_id uuid not null,
  manuscript_id uuid not null,
  revision_id uuid not null,
  state text not null default 'pending' check (state in ('pending', 'stored', 'expired', 'deleted')),
  filename text not null check (char_length(filename) between 1 and 255),
  media_type text not null check (char_length(media_type) between 1 and 127),
  bytes bigint not null check (bytes > 0),
  sha256 bytea not null check (octet_length(sha256) = 32),
  object_key text not null check (octet_length(object_key) <= 1024),
  analysis_id uuid not null,
  created_by uuid not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  stored_at timestamptz,
  primary key (tenant_id, project_id, manuscript_id, revision_id),
  foreign key (tenant_id, project_id, manuscript_id)
    references app.manuscripts (tenant_id, project_id, manuscript_id)
);
comment on table app.revisions is 'One uploaded file of a manuscript. Tenant table.';
comment on column app.revisions.bytes is 'Declared by the ticket and signed into it; counted against the plan.';
comment on column app.revisions.analysis_id is 'The analysis that completing the upload starts.';
comment on column app.revisions.expires_at is 'When the upload ticket ends.';
create index revisions_newest on app.revisions
  (tenant_id, project_id, manuscript_id, created_at desc, revision_id desc);
alter table app.revisions enable row level security;
alter table app.revisions force row level security;
create policy revisions_tenant on app.revisions to :"tenant"
  using (tenant_id = app.tenant_id()) with check (tenant_id = app.tenant_id());
grant select, insert, delete, update (state, stored_at) on app.revisions to :"tenant";

create table app.analyses (
  tenant_id uuid not null,
  project_id uuid not null,
  analysis_id uuid not null,
  manuscript_id uuid not null,
  revision_id uuid not null,
  state text not null default 'queued'
    check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  progress integer not null default 0 check (progress between 0 and 100),
  result jsonb,
  problem jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  finished_at timestamptz,
  version integer not null default 1,
  deleted_at timestamptz,
  primary key (tenant_id, project_id, analysis_id),
  foreign key (tenant_id, project_id) references app.projects (tenant_id, project_id),
  foreign key (tenant_id, project_id, manuscript_id, revision_id)
    references app.revisions (tenant_id, project_id, manuscript_id, revision_id)
);
comment on table app.analyses is 'What the worker found in a revision; the job of the same id does the work. Tenant table.';
create index analyses_newest on app.analyses (tenant_id, project_id, created_at desc, analysis_id desc)
  where deleted_at is null;
create index analyses_by_revision on app.analyses (tenant_id, project_id, manuscript_id, revision_id);
alter table app.analyses enable row level security;
alter table app.analyses force row level security;
create policy analyses_tenant on app.analyses to :"tenant"
  using (tenant_id = app.tenant_id()) with check (tenant_id = app.tenant_id());
grant select, insert, delete,
  update (state, progress, result, problem, updated_at, finished_at, version, deleted_at)
  on app.analyses to :"tenant";

create table app.tenant_usage (
  tenant_id uuid primary key references app.tenants (tenant_id),
  stored_bytes bigint not null default 0 check (stored_bytes >= 0),
  reserved_bytes bigint not null default 0 check (reserved_bytes >= 0)
);
comment on table app.tenant_usage is 'One narrow counter row a workspace, updated last in its transaction. Tenant table.';
alter table app.tenant_usage enable row level security;
alter table app.tenant_usage force row level security;
create policy tenant_usage_tenant on app.tenant_usage to :"tenant"
  using (tenant_id = app.tenant_id()) with check (tenant_id = app.tenant_id());
grant select, insert, update (stored_bytes, reserved_bytes) on app.tenant_usage to :"tenant";

create table app.idempotency_keys (
  tenant_id uuid not null references app.tenants (tenant_id),
  user_id uuid not null,
  key text not null check (char_length(key) between 1 and 200),
  request_hash bytea not null check (octet_length(request_hash) = 32),
  resource_id uuid not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, user_id, key)
);
comment on table app.idempotency_keys is 'Which request made which resource, for 24 hours. Tenant table.';
alter table app.idempotency_keys enable row level security;
alter table app.idempotency_keys force row level security;
create policy idempotency_keys_tenant on app.idempotency_keys to :"tenant"
  using (tenant_id = app.tenant_id()) with check (tenant_id = app.tenant_id());
grant select, insert, delete on app.idempotency_keys to :"tenant";

-- Logs of events: written and read, never changed.

create table app.usage_events (
  tenant_id uuid not null references app.tenants (tenant_id),
  event_id uuid not null,
  kind text not null check (kind ~ '^[a-z][a-z_.]{0,60}$'),
  quantity bigint not null,
  subject_id uuid,
  created_at timestamptz not null default now(),
  primary key (tenant_id, event_id)
);
comment on table app.usage_events is 'What was used, to be billed or charted. Tenant table, append only.';
comment on column app.usage_events.quantity is 'In the unit of the kind: bytes for *.bytes, words for *.words, else a count.';

create table app.billing_events (
  tenant_id uuid not null references app.tenants (tenant_id),
  event_id uuid not null,
  kind text not null check (kind ~ '^[a-z][a-z_.]{0,60}$'),
  amount_minor bigint not null,
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  created_at timestamptz not null default now(),
  primary key (tenant_id, event_id)
);
comment on table app.billing_events is 'Money owed and paid. Tenant table, append only.';
comment on column app.billing_events.amount_minor is 'In the currency''s minor unit (cents).';

create table app.audit_events (
  tenant_id uuid not null references app.tenants (tenant_id),
  event_id uuid not null,
  actor_id uuid,
  action text not null check (action ~ '^[a-z][a-z_.]{0,60}$'),
  subject_id uuid,
  created_at timestamptz not null default now(),
  primary key (tenant_id, event_id)
);
comment on table app.audit_events is 'Who changed what. Tenant table, append only.';
comment on column app.audit_events.actor_id is 'The person; NULL for the system.';

alter table app.usage_events enable row level security;
alter table app.usage_events force row level security;
create policy usage_events_tenant on app.usage_events to :"tenant"
  using (tenant_id = app.tenant_id()) with check (tenant_id = app.tenant_id());
alter table app.billing_events enable row level security;
alter table app.billing_events force row level security;
create policy billing_events_tenant on app.billing_events to :"tenant"
  using (tenant_id = app.tenant_id()) with check (tenant_id = app.tenant_id());
alter table app.audit_events enable row level security;
alter table app.audit_events force row level security;
create policy audit_events_tenant on app.audit_events to :"tenant"
  using (tenant_id = app.tenant_id()) with check (tenant_id = app.tenant_id());
grant select, insert on app.usage_events, app.billing_events, app.audit_events to :"tenant";
