--: why = "The app role holds TRUNCATE on cart_items (for its nightly clean-up); TRUNCATE asks no policy and empties the carts of all shops."
--: class = "truncate"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "shop_id"
--: context = "SET LOCAL app.shop_id = '{tenant}'"
--: [[expect]]
--: object = "public.cart_items"
--: verb = "truncate"
--: kind = "leak"
create role app_user login;
create table shops (shop_id uuid primary key default gen_random_uuid(), name text not null);
create table carts (
  shop_id uuid not null references shops,
  cart_id uuid not null default gen_random_uuid(),
  opened timestamptz not null default now(),
  primary key (shop_id, cart_id)
);
create table cart_items (
  shop_id uuid not null,
  cart_id uuid not null,
  sku text not null,
  qty int not null default 1 check (qty between 1 and 99),
  primary key (shop_id, cart_id, sku),
  foreign key (shop_id, cart_id) references carts on delete cascade
);
alter table shops enable row level security, force row level security;
alter table carts enable row level security, force row level security;
alter table cart_items enable row level security, force row level security;
create policy s on shops for select using (shop_id = nullif(current_setting('app.shop_id', true), '')::uuid);
create policy s on carts using (shop_id = nullif(current_setting('app.shop_id', true), '')::uuid);
create policy s on cart_items using (shop_id = nullif(current_setting('app.shop_id', true), '')::uuid);
grant select on shops to app_user;
grant select, insert, update, delete on carts to app_user;
grant select, insert, update, delete, truncate on cart_items to app_user;
--- fix
revoke truncate on cart_items from app_user;
