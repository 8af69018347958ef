--: why = "The UPDATE policy is right but the INSERT policy compares the setting with itself (a typo), so MERGE … WHEN NOT MATCHED (or INSERT) writes stock of any other shop."
--: class = "missing-with-check"
--: [[expect]]
--: object = "shop.stock"
--: verb = "insert"
--: kind = "leak"
create role shop_app login;
create schema shop;
create table shop.stock (
  shop_id int not null check (shop_id > 0),
  sku text not null check (sku ~ '^[A-Z]{2}-[0-9]+$'),
  qty int not null default 0 check (qty >= 0),
  counted_at timestamptz not null default now(),
  primary key (shop_id, sku)
);
create table shop.deliveries (
  shop_id int not null check (shop_id > 0),
  slip text not null,
  lines jsonb not null default '[]' check (jsonb_typeof(lines) = 'array'),
  primary key (shop_id, slip)
);
alter table shop.stock enable row level security, force row level security;
alter table shop.deliveries enable row level security, force row level security;
create policy s on shop.stock for select using (shop_id = nullif(current_setting('app.shop_id', true), '')::int);
create policy i on shop.stock for insert
  with check (current_setting('app.shop_id', true)::int = nullif(current_setting('app.shop_id', true), '')::int);
create policy u on shop.stock for update using (shop_id = nullif(current_setting('app.shop_id', true), '')::int);
create policy d on shop.deliveries using (shop_id = nullif(current_setting('app.shop_id', true), '')::int);
grant usage on schema shop to shop_app;
grant select, insert, update on shop.stock to shop_app;
grant select, insert on shop.deliveries to shop_app;
insert into shop.stock values (5, 'AB-1', 10, '2025-01-01'), (6, 'AB-1', 77, '2025-01-01');
insert into shop.deliveries values (5, 'D1', '[{"sku":"AB-1"}]'), (6, 'D1', '[]');
--- fix
alter policy i on shop.stock with check (shop_id = nullif(current_setting('app.shop_id', true), '')::int);
