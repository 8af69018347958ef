--: why = "There is no setting at all: every branch is a database role and the policies compare a name column with current_user; the login is NOINHERIT and has no rights of its own."
--: class = "role"
--: [isolation]
--: app_role = "teller_gate"
--: tenant_column = "branch_role"
--: tenants = ["branch_aarau", "branch_basel"]
--: principals = ["branch_aarau", "branch_basel"]
--: context = "SET LOCAL ROLE {principal}"
create role teller_gate login noinherit;
create role branches nologin;
create role branch_aarau nologin;
create role branch_basel nologin;
grant branches to branch_aarau, branch_basel;
grant branch_aarau, branch_basel to teller_gate;
create schema bank;
create table bank.customers (
  branch_role name not null default current_user,
  customer_no int not null,
  full_name text not null,
  risk smallint not null default 1 check (risk between 1 and 5),
  primary key (branch_role, customer_no)
);
create table bank.accounts (
  branch_role name not null default current_user,
  iban text not null check (iban ~ '^CH[0-9]{19}$'),
  customer_no int not null,
  balance numeric(14,2) not null default 0,
  primary key (branch_role, iban),
  foreign key (branch_role, customer_no) references bank.customers
);
create table bank.rates (
  currency char(3) primary key,
  chf numeric(10,5) not null
);
alter table bank.customers enable row level security;
alter table bank.customers force row level security;
alter table bank.accounts enable row level security;
alter table bank.accounts force row level security;
create policy own on bank.customers to branches using (branch_role = current_user) with check (branch_role = current_user);
create policy own on bank.accounts to branches using (branch_role = current_user) with check (branch_role = current_user);
grant usage on schema bank to branches;
grant select, insert, update, delete on bank.customers, bank.accounts to branches;
grant select on bank.rates to branches;
insert into bank.customers (branch_role, customer_no, full_name) values ('branch_aarau', 1, 'Reto Frei'), ('branch_basel', 1, 'Lea Munz');
insert into bank.accounts values ('branch_aarau', 'CH0000000000000000001', 1, 150.00), ('branch_basel', 'CH0000000000000000002', 1, 99000.00);
insert into bank.rates values ('EUR', 0.93500), ('USD', 0.88120);
