--: why = "Whatever migrations (role seed_migrator) create next is granted to the app role with all rights, TRUNCATE included, whether or not it has RLS."
--: class = "default-privileges"
--: [isolation]
--: app_role = "seed_app"
--: tenant_column = "nursery_id"
--: tenants = ["1", "2"]
--: context = "SET LOCAL app.nursery = '{tenant}'"
--: [[expect]]
--: object = "role:seed_migrator"
--: verb = "select"
--: kind = "warning"
create role seed_migrator nologin;
create role seed_app login;
create schema nursery authorization seed_migrator;
set role seed_migrator;
create table nursery.beds (
  nursery_id int not null,
  bed text not null check (bed ~ '^[A-Z]{1,2}[0-9]{1,3}$'),
  square_m numeric(6,2) not null,
  primary key (nursery_id, bed)
);
create table nursery.sowings (
  nursery_id int not null,
  bed text not null,
  sown_on date not null,
  species text not null,
  seeds int not null check (seeds > 0),
  primary key (nursery_id, bed, sown_on, species),
  foreign key (nursery_id, bed) references nursery.beds on delete cascade
);
alter table nursery.beds enable row level security;
alter table nursery.beds force row level security;
alter table nursery.sowings enable row level security;
alter table nursery.sowings force row level security;
create policy n on nursery.beds using (nursery_id = nullif(current_setting('app.nursery', true), '')::int)
  with check (nursery_id = nullif(current_setting('app.nursery', true), '')::int);
create policy n on nursery.sowings using (nursery_id = nullif(current_setting('app.nursery', true), '')::int)
  with check (nursery_id = nullif(current_setting('app.nursery', true), '')::int);
grant usage on schema nursery to seed_app;
grant select, insert, update, delete on nursery.beds, nursery.sowings to seed_app;
alter default privileges in schema nursery grant all on tables to seed_app;
reset role;
insert into nursery.beds values (1, 'A2', 8), (2, 'B7', 22.75);
insert into nursery.sowings values (1, 'A2', '2025-03-01', 'Beta vulgaris', 400), (2, 'B7', '2025-03-03', 'Pisum sativum', 900);
--- fix
alter default privileges for role seed_migrator in schema nursery revoke all on tables from seed_app;
