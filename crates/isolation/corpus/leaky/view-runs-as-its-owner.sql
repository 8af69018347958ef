--: why = "order_totals joins protected tables but is a definer-style view of a superuser: its owner is not filtered, so it sums up every account."
--: class = "view"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "account_id"
--: context = "SET LOCAL app.account_id = '{tenant}'"
--: [[expect]]
--: object = "public.order_totals"
--: verb = "select"
--: kind = "leak"
create role app_user login;
create table accounts (account_id uuid primary key default gen_random_uuid(), name text not null);
create table orders (
  account_id uuid not null references accounts,
  order_id uuid not null default gen_random_uuid(),
  placed_at timestamptz not null default now(),
  status text not null default 'open' check (status in ('open', 'paid', 'void')),
  primary key (account_id, order_id)
);
create table order_lines (
  account_id uuid not null,
  order_id uuid not null,
  line int not null check (line > 0),
  article text not null,
  qty int not null check (qty > 0),
  unit_cents int not null check (unit_cents >= 0),
  cents bigint generated always as (qty::bigint * unit_cents) stored,
  primary key (account_id, order_id, line),
  foreign key (account_id, order_id) references orders on delete cascade
);
alter table accounts enable row level security, force row level security;
alter table orders enable row level security, force row level security;
alter table order_lines enable row level security, force row level security;
create policy a on accounts for select using (account_id = nullif(current_setting('app.account_id', true), '')::uuid);
create policy a on orders using (account_id = nullif(current_setting('app.account_id', true), '')::uuid);
create policy a on order_lines using (account_id = nullif(current_setting('app.account_id', true), '')::uuid);
create view open_orders with (security_invoker = true, security_barrier = true) as
  select * from orders where status = 'open';
create view order_totals as
  select o.account_id, o.order_id, o.placed_at, count(*) as lines, sum(l.cents) as cents
  from orders o join order_lines l using (account_id, order_id)
  group by o.account_id, o.order_id, o.placed_at;
grant select on accounts, open_orders, order_totals to app_user;
grant select, insert, update, delete on orders, order_lines to app_user;
--- fix
alter view order_totals set (security_invoker = true);
