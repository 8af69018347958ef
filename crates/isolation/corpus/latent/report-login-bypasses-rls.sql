--: why = "A second login for reports has BYPASSRLS and SELECT on all tables; whoever holds its password reads all tenants. The app role cannot become it."
--: class = "role"
--: [[expect]]
--: object = "role:rail_reports"
--: verb = "select"
--: kind = "warning"
create role rail_app login;
create role rail_reports login bypassrls;
create schema rail;
create table rail.wagons (
  keeper_id bigint not null,
  wagon_no text not null check (wagon_no ~ '^[0-9]{12}$'),
  kind text not null default 'tank' check (kind in ('tank', 'flat', 'box')),
  primary key (keeper_id, wagon_no)
);
create table rail.faults (
  keeper_id bigint not null,
  fault_id uuid not null default gen_random_uuid(),
  wagon_no text not null,
  seen_on date not null default current_date,
  what text not null,
  primary key (keeper_id, fault_id),
  foreign key (keeper_id, wagon_no) references rail.wagons on delete cascade
);
alter table rail.wagons enable row level security;
alter table rail.wagons force row level security;
alter table rail.faults enable row level security;
alter table rail.faults force row level security;
create policy k on rail.wagons using (keeper_id = nullif(current_setting('rail.keeper', true), '')::bigint)
  with check (keeper_id = nullif(current_setting('rail.keeper', true), '')::bigint);
create policy k on rail.faults using (keeper_id = nullif(current_setting('rail.keeper', true), '')::bigint)
  with check (keeper_id = nullif(current_setting('rail.keeper', true), '')::bigint);
grant usage on schema rail to rail_app, rail_reports;
grant select, insert, update, delete on rail.wagons, rail.faults to rail_app;
grant select on rail.wagons, rail.faults to rail_reports;
insert into rail.wagons (keeper_id, wagon_no) values (1, '338000000017'), (2, '338000000025');
insert into rail.faults (keeper_id, wagon_no, what) values (1, '338000000017', 'brake'), (2, '338000000025', 'axle');
--- fix
alter role rail_reports nobypassrls;
