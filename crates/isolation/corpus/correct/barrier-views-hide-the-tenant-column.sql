--: why = "The old design before RLS: the app sees only security_barrier views with check option, which leave the tenant column out, so it always comes from the default; on the tables RLS is on without any policy and nothing is granted."
--: class = "view"
--: [isolation]
--: app_role = "museum_app"
--: tenant_column = "museum"
--: tenants = ["1", "2"]
--: context = "SET LOCAL museum.id = '{tenant}'"
create role museum_app login;
create schema data;
create schema api;
create function api.museum() returns int language sql stable as
  $$ select nullif(current_setting('museum.id', true), '')::int $$;
create table data.objects (
  museum int not null default api.museum(),
  inv_no text not null check (inv_no ~ '^[0-9]{4}\.[0-9]+$'),
  title text not null,
  insured numeric(14,2) not null default 0 check (insured >= 0),
  primary key (museum, inv_no)
);
create table data.loans (
  museum int not null default api.museum(),
  loan_id uuid not null default gen_random_uuid(),
  inv_no text not null,
  borrower text not null,
  during daterange not null check (not isempty(during)),
  primary key (museum, loan_id),
  foreign key (museum, inv_no) references data.objects
);
alter table data.objects enable row level security;
alter table data.objects force row level security;
alter table data.loans enable row level security;
alter table data.loans force row level security;
create view api.objects with (security_barrier) as
  select inv_no, title, insured from data.objects where museum = api.museum() with cascaded check option;
create view api.loans with (security_barrier) as
  select loan_id, inv_no, borrower, during from data.loans where museum = api.museum() with cascaded check option;
grant usage on schema api to museum_app;
grant select, insert, update, delete on api.objects, api.loans to museum_app;
insert into data.objects (museum, inv_no, title, insured) values (1, '1901.1', 'Bronze cat', 40000), (2, '1901.1', 'Glass fly', 900), (2, '1955.7', 'Moon chair', 12500);
insert into data.loans (museum, inv_no, borrower, during) values (1, '1901.1', 'City hall', '[2025-01-01,2025-04-01)'), (2, '1955.7', 'Embassy', '[2025-02-01,2025-03-01)');
