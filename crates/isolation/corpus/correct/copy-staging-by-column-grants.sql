--: why = "The staging table has no RLS so that COPY FROM works. The app may only insert, and only into the payload column: the tenant comes from the default, a missing one fails, nothing can be read."
--: class = "copy"
--: [isolation]
--: app_role = "loader"
--: tenant_column = "tenant_id"
--: tenants = ["3", "4"]
--: context = "SET LOCAL load.tenant = '{tenant}'"
create role loader login;
create schema load;
create function load.tenant() returns bigint language sql stable as $$ select nullif(current_setting('load.tenant', true), '')::bigint $$;
create table load.items (
  tenant_id bigint not null,
  ean text not null check (ean ~ '^[0-9]{13}$'),
  name text not null,
  primary key (tenant_id, ean)
);
create table load.staging (
  tenant_id bigint not null default load.tenant(),
  line jsonb not null,
  loaded_at timestamptz not null default clock_timestamp()
);
alter table load.items enable row level security, force row level security;
create policy t on load.items using (tenant_id = load.tenant());
create function load.apply() returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare n bigint; me bigint := load.tenant();
begin
  if me is null then raise exception 'no tenant' using errcode = '42501'; end if;
  with gone as (delete from load.staging s where s.tenant_id = me returning s.line)
  insert into load.items (tenant_id, ean, name) select distinct on (line ->> 'ean') me, line ->> 'ean', line ->> 'name' from gone
    on conflict (tenant_id, ean) do update set name = excluded.name;
  get diagnostics n = row_count;
  return n;
end $$;
revoke execute on function load.apply() from public;
grant execute on function load.apply() to loader;
grant usage on schema load to loader;
grant select, delete on load.items to loader;
grant insert (line) on load.staging to loader;
insert into load.items values (3, '4000000000003', 'Soap'), (4, '4000000000004', 'Glue');
insert into load.staging (tenant_id, line) values (4, '{"ean": "4000000000011", "name": "Tape"}');
