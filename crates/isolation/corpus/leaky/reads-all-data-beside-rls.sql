--: why = "The app role is member of pg_read_all_data for 'convenience'; the clearing table of the cashiers has no RLS and no grant, and is readable all the same."
--: class = "role"
--: [isolation]
--: app_role = "shop_app"
--: tenant_column = "store_id"
--: tenants = ["10", "20"]
--: context = "SET LOCAL shop.store_id = '{tenant}'"
--: [[expect]]
--: object = "role:pg_read_all_data"
--: verb = "select"
--: kind = "leak"
create role shop_app login;
grant pg_read_all_data to shop_app;
create schema shop;
create schema clearing;
create table shop.articles (
  store_id int not null,
  sku text not null check (sku ~ '^[A-Z]{3}-[0-9]{3}$'),
  label text not null,
  price numeric(9,2) not null check (price > 0),
  primary key (store_id, sku)
);
create table shop.receipts (
  store_id int not null,
  receipt_no int not null check (receipt_no > 0),
  at timestamptz not null default now(),
  lines jsonb not null,
  primary key (store_id, receipt_no)
);
create table clearing.card_batches (               -- for the night job only
  store_id int not null,
  batch_day date not null,
  merchant text not null,
  amount numeric(12,2) not null,
  primary key (store_id, batch_day)
);
alter table shop.articles enable row level security;
alter table shop.articles force row level security;
alter table shop.receipts enable row level security;
alter table shop.receipts force row level security;
create policy store on shop.articles using (store_id = nullif(current_setting('shop.store_id', true), '')::int)
  with check (store_id = nullif(current_setting('shop.store_id', true), '')::int);
create policy store on shop.receipts using (store_id = nullif(current_setting('shop.store_id', true), '')::int)
  with check (store_id = nullif(current_setting('shop.store_id', true), '')::int);
grant usage on schema shop to shop_app;
grant select, insert, update, delete on shop.articles, shop.receipts to shop_app;
insert into shop.articles values (10, 'TEA-001', 'Assam', 6.50), (20, 'COF-001', 'Yirgacheffe', 9.90);
insert into clearing.card_batches values (10, '2025-02-01', 'M-4411', 812.20), (20, '2025-02-01', 'M-9077', 1904.75);
--- fix
revoke pg_read_all_data from shop_app;
