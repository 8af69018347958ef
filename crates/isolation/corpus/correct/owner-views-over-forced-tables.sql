--: why = "Definer-style views without security_invoker, but their owner is an ordinary role and the tables are FORCEd: the policies (TO public) bind the owner too, by the caller's setting."
--: class = "view"
--: [isolation]
--: app_role = "web"
--: tenant_column = "shop_id"
--: tenants = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
--: context = "SET LOCAL app.shop_id = '{tenant}'"
create role shop_owner nologin;
create role web login;
create schema shop authorization shop_owner;
create schema api authorization shop_owner;
set role shop_owner;
create table shop.products (
  shop_id uuid not null,
  sku text not null,
  cents int not null check (cents >= 0),
  cost_cents int not null check (cost_cents >= 0),
  primary key (shop_id, sku)
);
create table shop.sales (
  shop_id uuid not null,
  sale_id uuid not null default gen_random_uuid(),
  sku text not null,
  qty int not null check (qty > 0),
  primary key (shop_id, sale_id),
  foreign key (shop_id, sku) references shop.products
);
alter table shop.products enable row level security, force row level security;
alter table shop.sales enable row level security, force row level security;
create policy s on shop.products using (shop_id = nullif(current_setting('app.shop_id', true), '')::uuid);
create policy s on shop.sales using (shop_id = nullif(current_setting('app.shop_id', true), '')::uuid);
create view api.products as select shop_id, sku, cents from shop.products;
create view api.margins as
  select p.sku, sum((p.cents - p.cost_cents) * s.qty) as cents from shop.products p join shop.sales s using (shop_id, sku) group by p.sku;
create view api.sales as select shop_id, sale_id, sku, qty from shop.sales;
grant usage on schema api to web;
grant select on api.products, api.margins to web;
grant select, insert, update, delete on api.sales to web;
reset role;
insert into shop.products values ('11111111-1111-4111-8111-111111111111', 'MUG', 900, 300), ('22222222-2222-4222-8222-222222222222', 'HAT', 1900, 777);
insert into shop.sales (shop_id, sku, qty) values ('11111111-1111-4111-8111-111111111111', 'MUG', 3), ('22222222-2222-4222-8222-222222222222', 'HAT', 5);
