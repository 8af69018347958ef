--: why = "The unique key on the key digest spans all tenants and looks like an existence oracle, but keys are random, made by a definer function only, and nobody can insert a digest of his choice; login by key is a definer function that hands out only what the key's holder owns."
--: class = "existence"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "org_id"
--: context = "SET LOCAL app.org_id = '{tenant}'"
create role app_user login;
create schema core;
create table core.orgs (
  org_id uuid primary key default gen_random_uuid(),
  title text not null
);
create table core.api_keys (
  org_id uuid not null references core.orgs on delete cascade,
  key_id uuid not null default gen_random_uuid(),
  digest bytea not null check (octet_length(digest) = 32),
  note text not null default '',
  revoked_at timestamptz,
  primary key (org_id, key_id),
  constraint one_digest unique (digest)
);
create table core.calls (
  org_id uuid not null,
  call_id uuid not null default gen_random_uuid(),
  key_id uuid not null,
  path text not null check (path like '/%'),
  at timestamptz not null default now(),
  primary key (org_id, call_id),
  foreign key (org_id, key_id) references core.api_keys on delete cascade
);
alter table core.orgs enable row level security;
alter table core.orgs force row level security;
alter table core.api_keys enable row level security;
alter table core.api_keys force row level security;
alter table core.calls enable row level security;
alter table core.calls force row level security;
create policy org on core.orgs for select using (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
create policy org on core.api_keys using (org_id = nullif(current_setting('app.org_id', true), '')::uuid)
  with check (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
create policy org on core.calls using (org_id = nullif(current_setting('app.org_id', true), '')::uuid)
  with check (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
create function core.new_key(p_note text) returns text
language plpgsql security definer set search_path = core, pg_temp as $$
declare
  secret bytea := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
begin
  insert into core.api_keys (org_id, digest, note)
    values (nullif(current_setting('app.org_id', true), '')::uuid, sha256(secret), p_note);
  return encode(secret, 'hex');
end $$;
create function core.org_of_key(p_key bytea) returns uuid
language sql stable security definer set search_path = core, pg_temp as $$
  select k.org_id from core.api_keys k
  where octet_length(p_key) = 32 and k.digest = sha256(p_key) and k.revoked_at is null
$$;
revoke execute on function core.new_key(text), core.org_of_key(bytea) from public;
grant execute on function core.new_key(text), core.org_of_key(bytea) to app_user;
grant usage on schema core to app_user;
grant select on core.orgs to app_user;
grant select, delete on core.api_keys to app_user;
grant update (note, revoked_at) on core.api_keys to app_user;
grant select, insert on core.calls to app_user;
