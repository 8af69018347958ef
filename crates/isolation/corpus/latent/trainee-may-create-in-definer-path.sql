--: why = "fund.balance_of runs as a superuser with the schema tools first in its search_path, and the login trainee may create there: he can put a function in front of the real one. The app role cannot create anywhere."
--: class = "definer-function"
--: [isolation]
--: app_role = "fund_app"
--: tenant_column = "fund_id"
--: tenants = ["11", "12"]
--: context = "SET LOCAL fund.id = '{tenant}'"
--: [[expect]]
--: object = "fund.balance_of"
--: verb = "execute"
--: kind = "warning"
create role fund_app login;
create role trainee login;
create schema tools;
create schema fund;
grant usage on schema tools to fund_app;
grant usage, create on schema tools to trainee;
create function fund.here() returns int language sql stable as
  $$ select nullif(current_setting('fund.id', true), '')::int $$;
create table fund.investors (
  fund_id int not null,
  investor_no int not null,
  name text not null,
  primary key (fund_id, investor_no)
);
create table fund.shares (
  fund_id int not null,
  investor_no int not null,
  bought_on date not null,
  units numeric(14,4) not null check (units <> 0),
  primary key (fund_id, investor_no, bought_on),
  foreign key (fund_id, investor_no) references fund.investors on delete cascade
);
alter table fund.investors enable row level security;
alter table fund.investors force row level security;
alter table fund.shares enable row level security;
alter table fund.shares force row level security;
create policy f on fund.investors using (fund_id = fund.here()) with check (fund_id = fund.here());
create policy f on fund.shares using (fund_id = fund.here()) with check (fund_id = fund.here());
create function fund.balance_of(p_investor int) returns numeric
language plpgsql stable security definer set search_path = tools, fund, pg_temp as $$
begin
  return (select sum(s.units) from fund.shares s where s.investor_no = p_investor and s.fund_id = here());
end $$;
grant usage on schema fund to fund_app;
grant select, insert, update, delete on fund.investors, fund.shares to fund_app;
insert into fund.investors values (11, 1, 'Ada'), (12, 1, 'Bo');
insert into fund.shares values (11, 1, '2025-01-02', 100), (12, 1, '2025-01-02', 5550.25);
--- fix
alter function fund.balance_of(int) set search_path = fund, pg_temp;
