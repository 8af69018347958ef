--: why = "The rule on transfers runs with the rights of the table's owner, past RLS, and books on whatever wallet to_wallet names: A's INSERT changes B's balance."
--: class = "view"
--: [isolation]
--: app_role = "bank_app"
--: tenant_column = "org_id"
--: tenants = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
--: context = "SET LOCAL app.org_id = '{tenant}'"
--: [[expect]]
--: object = "coin.transfers"
--: verb = "insert"
--: kind = "leak"
create role bank_app login;
create schema coin;
create table coin.wallets (
  org_id uuid not null,
  wallet_no int not null check (wallet_no between 1 and 999),
  balance bigint not null default 0,
  primary key (org_id, wallet_no)
);
create table coin.transfers (
  org_id uuid not null,
  transfer_id uuid not null default gen_random_uuid(),
  to_wallet int not null,
  cents bigint not null check (cents > 0),
  at timestamptz not null default now(),
  primary key (org_id, transfer_id)
);
alter table coin.wallets enable row level security, force row level security;
alter table coin.transfers enable row level security, force row level security;
create policy org on coin.wallets for select using (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
create policy org on coin.transfers using (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
create rule book as on insert to coin.transfers do also
  update coin.wallets set balance = balance + new.cents where wallet_no = new.to_wallet;
grant usage on schema coin to bank_app;
grant select on coin.wallets to bank_app;
grant select, insert on coin.transfers to bank_app;
insert into coin.wallets values ('11111111-1111-4111-8111-111111111111', 1, 100), ('22222222-2222-4222-8222-222222222222', 1, 5000), ('22222222-2222-4222-8222-222222222222', 2, 70);
--- fix
create or replace rule book as on insert to coin.transfers do also
  update coin.wallets set balance = balance + new.cents where org_id = new.org_id and wallet_no = new.to_wallet;
