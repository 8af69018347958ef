--: why = "The ingest table has no RLS (COPY FROM is refused under RLS); a rule drops INSERTs for other tenants, but COPY FROM fires no rules, so COPY plants rows for anyone."
--: class = "copy"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "tenant_id"
--: tenants = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
--: context = "SET LOCAL app.tenant_id = '{tenant}'"
--: [[expect]]
--: object = "public.ingest"
--: verb = "insert"
--: kind = "leak"
create role app_user login;
create function current_tenant() returns uuid language sql stable as $$ select nullif(current_setting('app.tenant_id', true), '')::uuid $$;
create table sensors (
  tenant_id uuid not null,
  sensor text not null,
  unit text not null default 'C' check (unit in ('C', 'K', 'Pa')),
  primary key (tenant_id, sensor)
);
create table ingest (
  tenant_id uuid not null default current_tenant(),
  sensor text not null,
  at timestamptz not null default now(),
  value numeric not null
);
create rule only_own as on insert to ingest
  where new.tenant_id is distinct from current_tenant() do instead nothing;
alter table sensors enable row level security, force row level security;
create policy t on sensors using (tenant_id = current_tenant());
grant select, insert, update, delete on sensors to app_user;
grant insert on ingest to app_user;
insert into sensors values ('11111111-1111-4111-8111-111111111111', 'roof', 'C'), ('22222222-2222-4222-8222-222222222222', 'cellar', 'Pa');
insert into ingest select tenant_id, sensor, '2025-01-01', 1 from sensors where false;
--- fix
revoke insert on ingest from app_user;
grant insert (sensor, at, value) on ingest to app_user;
