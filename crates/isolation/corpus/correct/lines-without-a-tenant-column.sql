--: why = "order_lines has no tenant column: its policy asks whether the caller can see the order, and the orders policy applies inside that sub-select. The key is a random uuid."
--: class = "rls-missing"
create role app_user login;
create table orders (
  order_id uuid primary key default gen_random_uuid(),
  merchant_id uuid not null,
  customer text not null
);
create table order_lines (
  order_id uuid not null references orders on delete cascade,
  line int not null check (line > 0),
  article text not null,
  cents int not null check (cents >= 0),
  primary key (order_id, line)
);
create index on orders (merchant_id);
alter table orders enable row level security, force row level security;
alter table order_lines enable row level security, force row level security;
create policy m on orders to app_user using (merchant_id = nullif(current_setting('app.merchant', true), '')::uuid);
create policy by_order on order_lines to app_user
  using (exists (select 1 from orders o where o.order_id = order_lines.order_id))
  with check (exists (select 1 from orders o where o.order_id = order_lines.order_id));
grant select, insert, update, delete on orders, order_lines to app_user;
insert into orders values
  ('3f9a6d21-7c4e-4b18-9e52-d0c1b2a39481', '11111111-1111-4111-8111-111111111111', 'Ava'),
  ('c84e1b07-5d93-4a6f-b7e0-9f8a7b6c5d42', '22222222-2222-4222-8222-222222222222', 'Ben');
insert into order_lines select order_id, 1, 'thing for ' || customer, 500 from orders;
