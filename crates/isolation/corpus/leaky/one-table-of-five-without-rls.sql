--: why = "Four tables of the billing schema have FORCE RLS; payment_attempts was added later and forgotten. Any SELECT (or write) on it reaches all accounts."
--: class = "rls-missing"
--: [isolation]
--: app_role = "billing_app"
--: tenant_column = "account_id"
--: tenants = ["1001", "1002"]
--: context = "SET LOCAL app.account = '{tenant}'"
--: [[expect]]
--: object = "billing.payment_attempts"
--: verb = "select"
--: kind = "leak"
create role billing_app login;
create schema billing;
create domain billing.amount as numeric(12,2) check (value >= 0);
create table billing.accounts (
  account_id bigint primary key,
  legal_name text not null,
  country char(2) not null default 'DE' check (country ~ '^[A-Z]{2}$')
);
create table billing.customers (
  account_id bigint not null references billing.accounts,
  customer_no text not null check (customer_no ~ '^C-[0-9]{4,}$'),
  name text not null,
  email text check (email like '%_@_%'),
  primary key (account_id, customer_no)
);
create table billing.invoices (
  account_id bigint not null,
  invoice_no text not null,
  customer_no text not null,
  net billing.amount not null,
  vat_rate numeric(4,3) not null default 0.19,
  gross numeric(14,2) generated always as (net * (1 + vat_rate)) stored,
  issued_on date not null default current_date,
  primary key (account_id, invoice_no),
  foreign key (account_id, customer_no) references billing.customers
);
create table billing.invoice_lines (
  account_id bigint not null,
  invoice_no text not null,
  line smallint not null check (line > 0),
  label text not null,
  net billing.amount not null,
  primary key (account_id, invoice_no, line),
  foreign key (account_id, invoice_no) references billing.invoices on delete cascade
);
create table billing.payment_attempts (
  account_id bigint not null,
  invoice_no text not null,
  tried_at timestamptz not null default now(),
  iban_last4 char(4) not null,
  outcome text not null check (outcome in ('ok', 'declined', 'timeout')),
  primary key (account_id, invoice_no, tried_at),
  foreign key (account_id, invoice_no) references billing.invoices on delete cascade
);
do $$
declare t text;
begin
  foreach t in array array['accounts', 'customers', 'invoices', 'invoice_lines'] loop
    execute format('alter table billing.%I enable row level security, force row level security', t);
    execute format($p$create policy own_account on billing.%I
      using (account_id = nullif(current_setting('app.account', true), '')::bigint)
      with check (account_id = nullif(current_setting('app.account', true), '')::bigint)$p$, t);
  end loop;
end $$;
grant usage on schema billing to billing_app;
grant select on billing.accounts to billing_app;
grant select, insert, update, delete on billing.customers, billing.invoices, billing.invoice_lines, billing.payment_attempts to billing_app;
insert into billing.accounts values (1001, 'Kettle & Sons', 'DE'), (1002, 'Marsh Optics', 'AT');
insert into billing.customers values (1001, 'C-0001', 'Ines Vogt', 'ines@kettle.example'), (1002, 'C-0001', 'Paul Ortner', 'paul@marsh.example');
insert into billing.invoices (account_id, invoice_no, customer_no, net) values (1001, '2024-1', 'C-0001', 40), (1002, '2024-1', 'C-0001', 910.50);
insert into billing.invoice_lines values (1001, '2024-1', 1, 'Kettle', 40), (1002, '2024-1', 1, 'Lens set', 910.50);
insert into billing.payment_attempts values (1001, '2024-1', '2024-03-01 10:00+00', '1234', 'ok'), (1002, '2024-1', '2024-03-02 11:00+00', '9876', 'declined');
--- fix
alter table billing.payment_attempts enable row level security, force row level security;
create policy own_account on billing.payment_attempts
  using (account_id = nullif(current_setting('app.account', true), '')::bigint)
  with check (account_id = nullif(current_setting('app.account', true), '')::bigint);
