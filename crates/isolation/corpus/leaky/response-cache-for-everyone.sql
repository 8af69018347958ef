--: why = "app.response_cache keeps rendered answers of all tenants under 'tenant:path' keys, without RLS, readable and writable by the app role: one tenant reads or poisons the pages of another."
--: class = "derived"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "tenant_id"
--: context = "SET LOCAL app.tenant_id = '{tenant}'"
--: tenants = ["1", "2"]
--: [[expect]]
--: object = "app.response_cache"
--: verb = "select"
--: kind = "leak"
create role app_user login;
create schema app;
create table app.posts (
  tenant_id bigint not null,
  slug text not null,
  body text not null,
  published_at timestamptz,
  primary key (tenant_id, slug)
);
create unlogged table app.response_cache (
  cache_key text primary key check (cache_key ~ '^[0-9]+:/'),
  body text not null,
  expires timestamptz not null default now() + interval '10 minutes'
);
alter table app.posts enable row level security;
alter table app.posts force row level security;
create policy t on app.posts using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint)
  with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
grant usage on schema app to app_user;
grant select, insert, update, delete on app.posts, app.response_cache to app_user;
insert into app.posts values (1, 'hello', 'Hello from one', now()), (2, 'draft', 'Numbers of Q3', null);
insert into app.response_cache (cache_key, body) values ('1:/hello', '<p>Hello from one</p>'), ('2:/draft', '<p>Numbers of Q3</p>');
--- fix
alter table app.response_cache enable row level security;
alter table app.response_cache force row level security;
create policy t on app.response_cache using (split_part(cache_key, ':', 1) = nullif(current_setting('app.tenant_id', true), ''))
  with check (split_part(cache_key, ':', 1) = nullif(current_setting('app.tenant_id', true), ''));
