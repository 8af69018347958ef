--: why = "Tenant keys are case-sensitive short ids ('kQ7x' and 'Kq7X' are two customers), the policy compares lower(): customers whose ids differ in case share one view."
--: class = "comparison"
--: [[expect]]
--: object = "public.links"
--: verb = "select"
--: kind = "leak"
create role short_app login;
create table customers (
  customer_key text primary key check (customer_key ~ '^[A-Za-z0-9]{4,12}$'),
  name text not null
);
create table links (
  customer_key text not null references customers,
  path text not null check (path ~ '^/[a-z0-9/-]*$'),
  target text not null check (target ~ '^https?://'),
  hits bigint not null default 0,
  primary key (customer_key, path)
);
create table domains (
  customer_key text not null references customers,
  host text not null check (host = lower(host)),
  verified boolean not null default false,
  primary key (customer_key, host)
);
alter table customers enable row level security, force row level security;
alter table links enable row level security, force row level security;
alter table domains enable row level security, force row level security;
create policy c on customers for select using (customer_key = nullif(current_setting('app.customer', true), ''));
create policy c on links using (lower(customer_key) = lower(nullif(current_setting('app.customer', true), '')));
create policy c on domains using (customer_key = nullif(current_setting('app.customer', true), ''));
grant select on customers to short_app;
grant select, insert, update, delete on links, domains to short_app;
--- fix
alter policy c on links using (customer_key = nullif(current_setting('app.customer', true), ''));
