--: why = "The shared product list is readable by all, and a definer trigger writes the last buyers (name and tenant) of each product into its jsonb column."
--: class = "columns"
--: [[expect]]
--: object = "store.products"
--: verb = "select"
--: kind = "leak"
create role store_app login;
create schema store;
create table store.products (
  sku text primary key check (sku ~ '^[A-Z0-9]{4,12}$'),
  title text not null,
  list_price numeric(9,2) not null check (list_price > 0),
  facts jsonb not null default '{"last_buyers": []}'
);
create table store.purchases (
  reseller_id uuid not null,
  purchase_id uuid not null default gen_random_uuid(),
  sku text not null references store.products,
  buyer text not null,
  qty int not null default 1 check (qty > 0),
  primary key (reseller_id, purchase_id)
);
create function store.remember_buyer() returns trigger language plpgsql security definer set search_path = store, pg_temp as $$
begin
  update store.products p
    set facts = jsonb_set(p.facts, '{last_buyers}', coalesce(p.facts -> 'last_buyers', '[]')
      || jsonb_build_object('reseller', new.reseller_id, 'buyer', new.buyer))
    where p.sku = new.sku;
  return null;
end $$;
revoke execute on function store.remember_buyer() from public;
create trigger remember_buyer after insert on store.purchases for each row execute function store.remember_buyer();
alter table store.purchases enable row level security;
alter table store.purchases force row level security;
create policy r on store.purchases using (reseller_id = nullif(current_setting('app.reseller', true), '')::uuid)
  with check (reseller_id = nullif(current_setting('app.reseller', true), '')::uuid);
grant usage on schema store to store_app;
grant select on store.products to store_app;
grant select, insert on store.purchases to store_app;
insert into store.products (sku, title, list_price) values ('LAMP01', 'Desk lamp', 39.90), ('SOFA77', 'Sofa', 899.00);
--- fix
drop trigger remember_buyer on store.purchases;
alter table store.products drop column facts;
