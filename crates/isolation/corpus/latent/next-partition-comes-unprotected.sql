--: why = "metro.add_month makes the next partition, grants it to the app role by name and forgets RLS on it; today's partition is protected, the one that the monthly job makes will not be."
--: class = "partition"
--: [isolation]
--: app_role = "metro_app"
--: tenant_column = "operator_id"
--: tenants = ["1", "2"]
--: context = "SET LOCAL metro.operator = '{tenant}'"
--: [[expect]]
--: object = "metro.add_month"
--: verb = "execute"
--: kind = "warning"
create role metro_app login;
create schema metro;
create table metro.lines (
  operator_id int not null,
  line text not null,
  colour text not null check (colour ~ '^#[0-9a-f]{6}$'),
  primary key (operator_id, line)
);
create table metro.taps (
  operator_id int not null,
  tap_id uuid not null default gen_random_uuid(),
  line text not null,
  card_hash bytea not null,
  at timestamptz not null,
  primary key (operator_id, tap_id, at),
  foreign key (operator_id, line) references metro.lines
) partition by range (at);
create table metro.taps_2025_01 partition of metro.taps for values from ('2025-01-01 00:00+00') to ('2025-02-01 00:00+00');
alter table metro.lines enable row level security;
alter table metro.lines force row level security;
alter table metro.taps enable row level security;
alter table metro.taps force row level security;
alter table metro.taps_2025_01 enable row level security;
alter table metro.taps_2025_01 force row level security;
create policy o on metro.lines using (operator_id = nullif(current_setting('metro.operator', true), '')::int)
  with check (operator_id = nullif(current_setting('metro.operator', true), '')::int);
create policy o on metro.taps using (operator_id = nullif(current_setting('metro.operator', true), '')::int)
  with check (operator_id = nullif(current_setting('metro.operator', true), '')::int);
create policy o on metro.taps_2025_01 using (operator_id = nullif(current_setting('metro.operator', true), '')::int)
  with check (operator_id = nullif(current_setting('metro.operator', true), '')::int);
create function metro.add_month(p_first date) returns void language plpgsql set search_path = metro, pg_temp as $$
declare
  part text := 'taps_' || to_char(p_first, 'YYYY_MM');
begin
  execute format('create table metro.%I partition of metro.taps for values from (%L) to (%L)',
    part, p_first::timestamptz, (p_first + interval '1 month')::timestamptz);
  execute format('grant select, insert on metro.%I to metro_app', part);
end $$;
revoke execute on function metro.add_month(date) from public;
grant usage on schema metro to metro_app;
grant select, insert, update, delete on metro.lines to metro_app;
grant select, insert on metro.taps, metro.taps_2025_01 to metro_app;
--- fix
create or replace function metro.add_month(p_first date) returns void language plpgsql set search_path = metro, pg_temp as $$
declare
  part text := 'taps_' || to_char(p_first, 'YYYY_MM');
begin
  execute format('create table metro.%I partition of metro.taps for values from (%L) to (%L)',
    part, p_first::timestamptz, (p_first + interval '1 month')::timestamptz);
  execute format('alter table metro.%I enable row level security', part);
  execute format('alter table metro.%I force row level security', part);
  execute format('create policy o on metro.%I using (operator_id = nullif(current_setting(%L, true), %L)::int)
    with check (operator_id = nullif(current_setting(%2$L, true), %3$L)::int)', part, 'metro.operator', '');
  execute format('grant select, insert on metro.%I to metro_app', part);
end $$;
