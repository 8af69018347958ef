--: why = "open_share() returns another tenant's document to anyone, also without a context: only for a 256-bit token of which the table keeps a hash, before its expiry. That is what a share link is."
--: class = "definer-function"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "tenant_id"
--: tenants = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
--: context = "SET LOCAL app.tenant_id = '{tenant}'"
create role app_user login;
create table documents (
  tenant_id uuid not null,
  document_id uuid not null default gen_random_uuid(),
  title text not null,
  body text not null default '',
  primary key (tenant_id, document_id)
);
create table shares (
  tenant_id uuid not null,
  share_id uuid not null default gen_random_uuid(),
  document_id uuid not null,
  token_sha256 bytea not null check (octet_length(token_sha256) = 32),
  expires_at timestamptz not null default now() + interval '7 days',
  primary key (tenant_id, share_id),
  foreign key (tenant_id, document_id) references documents on delete cascade
);
create index on shares (token_sha256);
alter table documents enable row level security, force row level security;
alter table shares enable row level security, force row level security;
create policy t on documents using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy t on shares using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create function open_share(token text) returns table (title text, body text) language sql stable security definer
  set search_path = pg_catalog, pg_temp as $$
  select d.title, d.body
  from public.shares s join public.documents d on d.tenant_id = s.tenant_id and d.document_id = s.document_id
  where length(token) = 64 and s.token_sha256 = sha256(convert_to(token, 'UTF8')) and s.expires_at > now()
$$;
revoke execute on function open_share(text) from public;
grant execute on function open_share(text) to app_user;
grant select, insert, update, delete on documents, shares to app_user;
insert into documents values
  ('11111111-1111-4111-8111-111111111111', 'd0c00000-0000-4000-8000-00000000000a', 'Minutes', 'of A'),
  ('22222222-2222-4222-8222-222222222222', 'd0c00000-0000-4000-8000-00000000000b', 'Offer', 'of B');
insert into shares (tenant_id, document_id, token_sha256)
  select tenant_id, document_id, sha256(convert_to(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'UTF8')) from documents;
