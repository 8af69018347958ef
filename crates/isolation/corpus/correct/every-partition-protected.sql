--: why = "Partitions (hash, then range) are granted directly, but each has RLS forced and the same policy; the default partition has no grant."
--: class = "rls-missing"
create role ingest_app login;
create schema ev;
create function ev.tenant() returns uuid language sql stable as $$ select nullif(current_setting('ev.tenant', true), '')::uuid $$;
create table ev.events (
  tenant_id uuid not null,
  event_id uuid not null default gen_random_uuid(),
  at timestamptz not null default now(),
  kind text not null,
  data jsonb not null default '{}',
  primary key (tenant_id, event_id, at)
) partition by hash (tenant_id);
create table ev.events_0 partition of ev.events for values with (modulus 2, remainder 0);
create table ev.events_1 partition of ev.events for values with (modulus 2, remainder 1) partition by range (at);
create table ev.events_1_2025 partition of ev.events_1 for values from ('2025-01-01') to ('2026-01-01');
create table ev.events_1_rest partition of ev.events_1 default;
do $$
declare t text;
begin
  foreach t in array array['events', 'events_0', 'events_1', 'events_1_2025', 'events_1_rest'] loop
    execute format('alter table ev.%I enable row level security, force row level security', t);
    if t <> 'events_1_rest' then
      execute format('create policy tenant on ev.%I using (tenant_id = ev.tenant()) with check (tenant_id = ev.tenant())', t);
      execute format('grant select, insert, update, delete on ev.%I to ingest_app', t);
    end if;
  end loop;
end $$;
grant usage on schema ev to ingest_app;
insert into ev.events (tenant_id, at, kind) select t::uuid, a::timestamptz, 'click'
  from unnest(array['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222']) t, unnest(array['2025-02-02 00:00+00', '2024-02-02 00:00+00']) a;
