--: why = "The app role owns ext.current_shop(), which every policy calls, and may create in its schema: CREATE OR REPLACE makes the helper answer another shop and opens that shop's rows."
--: class = "role"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "shop_id"
--: context = "SET LOCAL app.shop_id = '{tenant}'"
--: [[expect]]
--: object = "ext.current_shop"
--: verb = "execute"
--: kind = "leak"
create role app_user login;
create schema app;
create schema ext;                                -- deploys of the app put their helpers here
create function ext.current_shop() returns bigint language sql stable as
  $$ select nullif(current_setting('app.shop_id', true), '')::bigint $$;
create table app.customers (
  shop_id bigint not null,
  customer_id uuid not null default gen_random_uuid(),
  name text not null,
  phone text check (phone ~ '^\+?[0-9 ]{5,20}$'),
  primary key (shop_id, customer_id)
);
create table app.repairs (
  shop_id bigint not null,
  repair_no int not null check (repair_no > 0),
  customer_id uuid not null,
  device text not null,
  quote numeric(9,2),
  status text not null default 'open' check (status in ('open', 'quoted', 'done', 'scrapped')),
  primary key (shop_id, repair_no),
  foreign key (shop_id, customer_id) references app.customers on delete cascade
);
alter table app.customers enable row level security;
alter table app.customers force row level security;
alter table app.repairs enable row level security;
alter table app.repairs force row level security;
create policy shop on app.customers using (shop_id = ext.current_shop()) with check (shop_id = ext.current_shop());
create policy shop on app.repairs using (shop_id = ext.current_shop()) with check (shop_id = ext.current_shop());
grant usage on schema app to app_user;
grant usage, create on schema ext to app_user;
grant select, insert, update, delete on app.customers, app.repairs to app_user;
alter function ext.current_shop() owner to app_user;
--- fix
alter function ext.current_shop() owner to current_user;
