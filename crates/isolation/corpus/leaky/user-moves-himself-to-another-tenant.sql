--: why = "The tenant comes from the caller's row in core.users, whose update policy checks only the user id: UPDATE users SET account_id = … moves the caller into any account."
--: class = "membership-editable"
--: [isolation]
--: app_role = "api"
--: tenant_column = "account_id"
--: principals = ["0c000000-0000-4000-8000-0000000000a1", "0c000000-0000-4000-8000-0000000000b1"]
--: tenants = ["100", "200"]
--: context = "SET LOCAL request.jwt.claims = '{\"sub\": \"{principal}\", \"role\": \"api\"}'"
--: [[expect]]
--: object = "core.users"
--: verb = "update"
--: kind = "leak"
create role api login;
create schema core;
create table core.accounts (account_id bigint primary key, label text not null);
create table core.users (
  user_id uuid primary key default gen_random_uuid(),
  account_id bigint not null references core.accounts,
  display_name text not null,
  email text check (email ~ '^\S+@\S+$'),
  created_at timestamptz not null default now()
);
create function core.uid() returns uuid language sql stable as
  $$ select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
create function core.my_account() returns bigint language sql stable security definer set search_path = '' as
  $$ select u.account_id from core.users u where u.user_id = core.uid() $$;
create table core.contracts (
  account_id bigint not null references core.accounts,
  contract_no int not null check (contract_no > 0),
  partner text not null,
  value_eur numeric(12,2) not null,
  clauses jsonb not null default '[]',
  primary key (account_id, contract_no)
);
alter table core.accounts enable row level security;
alter table core.accounts force row level security;
alter table core.users enable row level security;
alter table core.users force row level security;
alter table core.contracts enable row level security;
alter table core.contracts force row level security;
create policy mine on core.accounts for select using (account_id = core.my_account());
create policy mates on core.users for select using (account_id = core.my_account());
create policy self on core.users for update using (user_id = core.uid()) with check (user_id = core.uid());
create policy mine on core.contracts using (account_id = core.my_account()) with check (account_id = core.my_account());
grant usage on schema core to api;
grant select on core.accounts to api;
grant select, update on core.users to api;
grant select, insert, update, delete on core.contracts to api;
insert into core.accounts values (100, 'Orchard Films'), (200, 'Quarry Sound');
insert into core.users (user_id, account_id, display_name, email) values
  ('0c000000-0000-4000-8000-0000000000a1', 100, 'Ana', 'ana@orchard.test'),
  ('0c000000-0000-4000-8000-0000000000b1', 200, 'Ben', 'ben@quarry.test');
insert into core.contracts (account_id, contract_no, partner, value_eur) values (100, 1, 'Studio Eins', 12000), (200, 1, 'Tape Brothers', 70500);
--- fix
revoke update on core.users from api;
grant update (display_name, email) on core.users to api;
