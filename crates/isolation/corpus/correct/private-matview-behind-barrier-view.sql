--: why = "The materialized view holds all tenants and has no policy, but nobody but its owner may read it; the app sees it through a security_barrier view that filters by tenant."
--: class = "view"
--: [isolation]
--: app_role = "solar_app"
--: tenant_column = "owner_id"
--: tenants = ["601", "602"]
--: context = "SET LOCAL solar.owner = '{tenant}'"
create role solar_app login;
create schema solar;
create table solar.panels (
  owner_id int not null,
  panel_no int not null,
  kwp numeric(6,2) not null check (kwp > 0),
  primary key (owner_id, panel_no)
);
create table solar.yields (
  owner_id int not null,
  panel_no int not null,
  day date not null,
  kwh numeric(8,3) not null check (kwh >= 0),
  primary key (owner_id, panel_no, day),
  foreign key (owner_id, panel_no) references solar.panels on delete cascade
);
alter table solar.panels enable row level security;
alter table solar.panels force row level security;
alter table solar.yields enable row level security;
alter table solar.yields force row level security;
create policy o on solar.panels using (owner_id = nullif(current_setting('solar.owner', true), '')::int)
  with check (owner_id = nullif(current_setting('solar.owner', true), '')::int);
create policy o on solar.yields using (owner_id = nullif(current_setting('solar.owner', true), '')::int)
  with check (owner_id = nullif(current_setting('solar.owner', true), '')::int);
insert into solar.panels values (601, 1, 9.60), (602, 1, 29.90);
insert into solar.yields select o, 1, date '2025-06-01' + d, o - 560 + d from unnest(array[601, 602]) o, generate_series(0, 3) d;
create materialized view solar.monthly as
  select owner_id, date_trunc('month', day)::date as month, sum(kwh) as kwh from solar.yields group by 1, 2;
create unique index on solar.monthly (owner_id, month);
create view solar.my_months with (security_barrier) as
  select month, kwh from solar.monthly where owner_id = nullif(current_setting('solar.owner', true), '')::int;
grant usage on schema solar to solar_app;
grant select, insert, update, delete on solar.panels, solar.yields to solar_app;
grant select on solar.my_months to solar_app;
