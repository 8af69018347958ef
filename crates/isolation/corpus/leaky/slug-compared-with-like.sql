--: why = "The policy matches slugs by LIKE setting || '%': tenant 'acme' also sees and changes 'acme-labs'."
--: class = "comparison"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "org_slug"
--: tenants = ["acme", "acme-labs"]
--: context = "SET LOCAL app.org = '{tenant}'"
--: [[expect]]
--: object = "public.secrets"
--: verb = "select"
--: kind = "leak"
create role app_user login;
create table orgs (org_slug text primary key check (org_slug ~ '^[a-z][a-z0-9-]{1,40}$'), seats int not null default 5 check (seats > 0));
create table secrets (
  org_slug text not null references orgs,
  name text not null check (name ~ '^[A-Z_]+$'),
  value text not null,
  rotated_at timestamptz,
  primary key (org_slug, name)
);
create table pipelines (
  org_slug text not null references orgs,
  pipeline text not null,
  steps jsonb not null default '[]' check (jsonb_typeof(steps) = 'array'),
  primary key (org_slug, pipeline)
);
alter table orgs enable row level security, force row level security;
alter table secrets enable row level security, force row level security;
alter table pipelines enable row level security, force row level security;
create policy o on orgs for select using (org_slug = nullif(current_setting('app.org', true), ''));
create policy o on secrets using (org_slug like nullif(current_setting('app.org', true), '') || '%');
create policy o on pipelines using (org_slug = nullif(current_setting('app.org', true), ''));
grant select on orgs to app_user;
grant select, insert, update, delete on secrets, pipelines to app_user;
insert into orgs values ('acme', 10), ('acme-labs', 3), ('zenith', 2);
insert into secrets values ('acme', 'DEPLOY_KEY', 'k-1'), ('acme-labs', 'DEPLOY_KEY', 'k-2-labs'), ('zenith', 'DEPLOY_KEY', 'k-3');
insert into pipelines values ('acme', 'main', '[]'), ('acme-labs', 'main', '[]');
--- fix
alter policy o on secrets using (org_slug = nullif(current_setting('app.org', true), ''));
