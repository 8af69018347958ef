--: why = "depot.stock_value fixes its search_path, but names the schema ext first, where the app role may create functions: its own current_depot() wins over the real one and runs as the owner."
--: class = "privileges"
--: [isolation]
--: app_role = "depot_app"
--: tenant_column = "depot"
--: tenants = ["D1", "D2"]
--: context = "SET LOCAL depot.code = '{tenant}'"
--: [[expect]]
--: object = "depot.stock_value"
--: verb = "execute"
--: kind = "leak"
create role depot_app login;
create schema depot;
create schema ext;
grant usage, create on schema ext to depot_app;
create domain depot.code as text check (value ~ '^D[0-9]{1,3}$');
create function depot.current_depot() returns text language sql stable as
  $$ select nullif(current_setting('depot.code', true), '') $$;
create table depot.items (
  depot depot.code not null,
  sku text not null,
  qty int not null default 0 check (qty >= 0),
  unit_cost numeric(10,2) not null check (unit_cost >= 0),
  primary key (depot, sku)
);
create table depot.moves (
  depot depot.code not null,
  move_id uuid not null default gen_random_uuid(),
  sku text not null,
  delta int not null check (delta <> 0),
  at timestamptz not null default now(),
  primary key (depot, move_id),
  foreign key (depot, sku) references depot.items
);
alter table depot.items enable row level security;
alter table depot.items force row level security;
alter table depot.moves enable row level security;
alter table depot.moves force row level security;
create policy d on depot.items using (depot = depot.current_depot()) with check (depot = depot.current_depot());
create policy d on depot.moves using (depot = depot.current_depot()) with check (depot = depot.current_depot());
create function depot.stock_value() returns table (sku text, value numeric)
language plpgsql stable security definer set search_path = ext, depot, pg_temp as $$
begin
  return query select i.sku, i.qty * i.unit_cost from depot.items i where i.depot = current_depot();
end $$;
grant usage on schema depot to depot_app;
grant select, insert, update, delete on depot.items to depot_app;
grant select, insert on depot.moves to depot_app;
insert into depot.items values ('D1', 'bolt', 900, 0.07), ('D2', 'turbine', 3, 88000), ('D3', 'nut', 5, 0.02);
--- fix
alter function depot.stock_value() set search_path = depot, pg_temp;
