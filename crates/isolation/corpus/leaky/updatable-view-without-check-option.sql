--: why = "my_loans filters by library and is the only way in; without CHECK OPTION an INSERT or UPDATE through it may name any other library, and the view's owner is not held by RLS."
--: class = "view"
--: [isolation]
--: app_role = "library_app"
--: tenant_column = "library_id"
--: tenants = ["11", "12"]
--: context = "SET LOCAL app.library_id = '{tenant}'"
--: [[expect]]
--: object = "api.my_loans"
--: verb = "insert"
--: kind = "leak"
create role library_app login;
create schema store;
create schema api;
create table store.loans (
  library_id int not null,
  loan_id uuid not null default gen_random_uuid(),
  isbn text not null check (isbn ~ '^[0-9]{10}([0-9]{3})?$'),
  reader text not null,
  due date not null default current_date + 28,
  primary key (library_id, loan_id)
);
create table store.readers (
  library_id int not null,
  reader text not null,
  since date not null default current_date,
  primary key (library_id, reader)
);
alter table store.loans enable row level security, force row level security;
alter table store.readers enable row level security, force row level security;
create policy lib on store.loans using (library_id = nullif(current_setting('app.library_id', true), '')::int);
create policy lib on store.readers using (library_id = nullif(current_setting('app.library_id', true), '')::int);
create view api.my_loans with (security_barrier = true) as
  select library_id, loan_id, isbn, reader, due from store.loans
  where library_id = nullif(current_setting('app.library_id', true), '')::int;
create view api.my_readers with (security_barrier = true) as
  select library_id, reader, since from store.readers
  where library_id = nullif(current_setting('app.library_id', true), '')::int
  with cascaded check option;
grant usage on schema api to library_app;
grant select, insert, update, delete on api.my_loans, api.my_readers to library_app;
insert into store.readers values (11, 'R. Holm', '2020-01-01'), (12, 'S. Berg', '2021-01-01');
insert into store.loans (library_id, isbn, reader) values (11, '9780000000001', 'R. Holm'), (12, '9780000000002', 'S. Berg');
--- fix
alter view api.my_loans set (check_option = 'cascaded');
