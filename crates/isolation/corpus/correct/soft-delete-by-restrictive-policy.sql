--: why = "The policy on deleted rows names no tenant, but it is AS RESTRICTIVE: it is AND-ed with the tenant policy and can only hide more. Deleting is done by a function that filters by tenant."
--: class = "policy-too-wide"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "practice"
--: tenants = ["11", "22"]
--: context = "SET LOCAL app.practice = '{tenant}'"
create role app_user login;
create table invoices (
  practice int not null check (practice > 0),
  invoice_no text not null,
  patient text not null,
  cents int not null check (cents > 0),
  deleted_at timestamptz,
  primary key (practice, invoice_no)
);
create table reminders (
  practice int not null,
  invoice_no text not null,
  level smallint not null check (level between 1 and 3),
  primary key (practice, invoice_no, level),
  foreign key (practice, invoice_no) references invoices
);
alter table invoices enable row level security, force row level security;
alter table reminders enable row level security, force row level security;
create policy practice on invoices using (practice = nullif(current_setting('app.practice', true), '')::int);
create policy alive on invoices as restrictive for select using (deleted_at is null);
create policy practice on reminders using (practice = nullif(current_setting('app.practice', true), '')::int);
create function trash_invoice(no text) returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update public.invoices i set deleted_at = now()
    where i.practice = nullif(current_setting('app.practice', true), '')::int and i.invoice_no = no and i.deleted_at is null;
  return found;
end $$;
revoke execute on function trash_invoice(text) from public;
grant execute on function trash_invoice(text) to app_user;
grant select, insert on invoices to app_user;
grant update (patient, cents) on invoices to app_user;
grant select, insert, delete on reminders to app_user;
insert into invoices values (11, 'R1', 'Ott', 100, null), (11, 'R2', 'Ott', 200, '2025-01-01'), (22, 'R1', 'Ude', 900, null), (22, 'R3', 'Ude', 300, '2025-01-01');
insert into reminders values (11, 'R1', 1), (22, 'R1', 2);
