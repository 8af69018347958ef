--: why = "Each account numbers its invoices with a sequence of its own and the app role may use all of them: it reads and advances the numbers of another account."
--: class = "sequence"
--: [isolation]
--: app_role = "billing_app"
--: tenant_column = "account_id"
--: tenants = ["10", "20"]
--: context = "SET LOCAL billing.account = '{tenant}'"
--: [[expect]]
--: object = "billing.no_20"
--: verb = "select"
--: kind = "leak"
create role billing_app login;
create schema billing;
create table billing.accounts (account_id int primary key, firm text not null);
create sequence billing.no_10;
create sequence billing.no_20 start 4000;
create table billing.invoices (
  account_id int not null references billing.accounts,
  invoice_no bigint not null,
  debtor text not null,
  net numeric(12,2) not null,
  vat numeric(12,2) generated always as (round(net * 0.19, 2)) stored,
  issued date not null default current_date,
  primary key (account_id, invoice_no)
);
alter table billing.accounts enable row level security;
alter table billing.accounts force row level security;
alter table billing.invoices enable row level security;
alter table billing.invoices force row level security;
create policy a on billing.accounts for select using (account_id = nullif(current_setting('billing.account', true), '')::int);
create policy a on billing.invoices using (account_id = nullif(current_setting('billing.account', true), '')::int)
  with check (account_id = nullif(current_setting('billing.account', true), '')::int);
grant usage on schema billing to billing_app;
grant select on billing.accounts to billing_app;
grant select, insert on billing.invoices to billing_app;
grant usage, select on all sequences in schema billing to billing_app;
insert into billing.accounts values (10, 'Holzbau Zell'), (20, 'Optik Brand');
insert into billing.invoices (account_id, invoice_no, debtor, net) values
  (10, nextval('billing.no_10'), 'Gemeinde Zell', 5400), (20, nextval('billing.no_20'), 'Frau Sand', 389.90);
--- fix
revoke all on all sequences in schema billing from billing_app;
create function billing.next_no() returns bigint language sql security definer set search_path = '' as $$
  select pg_catalog.nextval(('billing.no_' || nullif(current_setting('billing.account', true), '')::int)::regclass)
$$;
revoke execute on function billing.next_no() from public;
grant execute on function billing.next_no() to billing_app;
