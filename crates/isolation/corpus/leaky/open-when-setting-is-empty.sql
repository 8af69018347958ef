--: why = "strpos(key, '') is 1: on a reused connection whose setting is '' the policy matches every organisation. Set or never set, it behaves (keys have a fixed width)."
--: class = "policy-too-wide"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "org_key"
--: tenants = ["qhtzkwma", "bvnplory"]
--: context = "SET LOCAL app.org = '{tenant}'"
--: [[expect]]
--: object = "public.api_tokens"
--: verb = "select"
--: kind = "leak"
create role app_user login;
create domain org_key as char(8) check (value ~ '^[a-z]{8}$');
create table orgs (org_key org_key primary key, display_name text not null);
create table api_tokens (
  org_key org_key not null references orgs,
  token_id uuid not null default gen_random_uuid(),
  label text not null,
  sha256 bytea not null check (octet_length(sha256) = 32),
  scopes text[] not null default '{read}',
  expires_at timestamptz,
  primary key (org_key, token_id)
);
create table webhooks (
  org_key org_key not null references orgs,
  hook_id uuid not null default gen_random_uuid(),
  url text not null check (url ~ '^https://'),
  primary key (org_key, hook_id)
);
alter table orgs enable row level security, force row level security;
alter table api_tokens enable row level security, force row level security;
alter table webhooks enable row level security, force row level security;
create policy org on orgs for select using (org_key = nullif(current_setting('app.org', true), ''));
create policy org on api_tokens
  using (strpos(org_key::text, current_setting('app.org', true)) = 1)
  with check (org_key = nullif(current_setting('app.org', true), ''));
create policy org on webhooks using (org_key = nullif(current_setting('app.org', true), ''));
grant select on orgs to app_user;
grant select, insert, delete on api_tokens, webhooks to app_user;
insert into orgs values ('qhtzkwma', 'Quill House'), ('bvnplory', 'Bevin Lory');
insert into api_tokens (org_key, label, sha256) select org_key, 'ci of ' || display_name, sha256(convert_to(org_key, 'UTF8')) from orgs;
insert into webhooks (org_key, url) select org_key, 'https://hooks.example/' || org_key from orgs;
--- fix
alter policy org on api_tokens using (org_key = nullif(current_setting('app.org', true), ''));
