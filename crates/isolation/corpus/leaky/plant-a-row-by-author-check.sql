--: why = "The INSERT policy checks only that the author is the current user; INSERT or MERGE with another company's id plants purchase orders there."
--: class = "missing-with-check"
--: [isolation]
--: app_role = "erp_app"
--: tenant_column = "company_id"
--: tenants = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
--: context = ["SET LOCAL erp.company = '{tenant}'", "SET LOCAL erp.login = '{principal}'"]
--: principals = ["anna", "bruno"]
--: [[expect]]
--: object = "erp.purchase_orders"
--: verb = "insert"
--: kind = "leak"
create role erp_app login;
create schema erp;
create function erp.company() returns uuid language sql stable as $$ select nullif(current_setting('erp.company', true), '')::uuid $$;
create function erp.login() returns text language sql stable as $$ select nullif(current_setting('erp.login', true), '') $$;
create table erp.companies (company_id uuid primary key, name text not null);
create table erp.suppliers (
  company_id uuid not null references erp.companies,
  supplier_code text not null,
  rating smallint check (rating between 1 and 5),
  primary key (company_id, supplier_code)
);
create table erp.purchase_orders (
  company_id uuid not null references erp.companies,
  po_id uuid not null default gen_random_uuid(),
  author text not null,
  total numeric(12,2) not null check (total > 0),
  currency char(3) not null default 'EUR' check (currency ~ '^[A-Z]{3}$'),
  memo text,
  primary key (company_id, po_id)
);
alter table erp.companies enable row level security, force row level security;
alter table erp.suppliers enable row level security, force row level security;
alter table erp.purchase_orders enable row level security, force row level security;
create policy own on erp.companies for select using (company_id = erp.company());
create policy own on erp.suppliers using (company_id = erp.company());
create policy po_read on erp.purchase_orders for select using (company_id = erp.company());
create policy po_insert on erp.purchase_orders for insert with check (author = erp.login());
create policy po_update on erp.purchase_orders for update using (company_id = erp.company() and author = erp.login());
grant usage on schema erp to erp_app;
grant select on erp.companies to erp_app;
grant select, insert, update, delete on erp.suppliers to erp_app;
grant select, insert, update on erp.purchase_orders to erp_app;
insert into erp.companies values ('11111111-1111-4111-8111-111111111111', 'Cog Works'), ('22222222-2222-4222-8222-222222222222', 'Bolt House');
insert into erp.purchase_orders (company_id, author, total) values
  ('11111111-1111-4111-8111-111111111111', 'anna', 12), ('22222222-2222-4222-8222-222222222222', 'bruno', 99);
insert into erp.suppliers values ('11111111-1111-4111-8111-111111111111', 'S1', 4), ('22222222-2222-4222-8222-222222222222', 'S1', 2);
--- fix
alter policy po_insert on erp.purchase_orders with check (company_id = erp.company() and author = erp.login());
