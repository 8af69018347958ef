--: why = "archive.old_orders is a foreign table that comes back into this database as a superuser, for whom RLS does not hold; a foreign table has no policies of its own."
--: class = "foreign-table"
--: [isolation]
--: app_role = "bakery_app"
--: tenant_column = "bakery_id"
--: tenants = ["1", "2"]
--: context = "SET LOCAL app.bakery_id = '{tenant}'"
--: [[expect]]
--: object = "archive.old_orders"
--: verb = "select"
--: kind = "leak"
create role bakery_app login;
create extension postgres_fdw;
create schema bakery;
create schema archive;
create table bakery.orders (
  bakery_id int not null,
  order_no int not null,
  customer text not null,
  items jsonb not null default '[]',
  day date not null,
  primary key (bakery_id, order_no)
);
alter table bakery.orders enable row level security;
alter table bakery.orders force row level security;
create policy b on bakery.orders using (bakery_id = nullif(current_setting('app.bakery_id', true), '')::int)
  with check (bakery_id = nullif(current_setting('app.bakery_id', true), '')::int);
create server archive_server foreign data wrapper postgres_fdw options (host '/tmp/nowhere', dbname 'app');
create user mapping for bakery_app server archive_server options (user 'postgres', password_required 'false');
create foreign table archive.old_orders (
  bakery_id int not null,
  order_no int not null,
  customer text not null,
  day date not null
) server archive_server options (schema_name 'bakery', table_name 'orders');
grant usage on schema bakery, archive to bakery_app;
grant select, insert, update, delete on bakery.orders to bakery_app;
grant select on archive.old_orders to bakery_app;
insert into bakery.orders values (1, 1, 'Cafe Linde', '[{"roll": 40}]', '2024-12-01'), (2, 1, 'Hotel Post', '[{"rye": 12}]', '2024-12-02');
--- fix
revoke select on archive.old_orders from bakery_app;
