--: why = "The materialized view holds all tenants but is granted to nobody; the superuser-owned view in front of it is a security barrier, filters by tenant and cannot be written."
--: class = "view"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "org_id"
--: tenants = ["5", "6"]
--: context = "SET LOCAL app.org_id = '{tenant}'"
create role app_user login;
create schema stats;
create table requests (
  org_id int not null check (org_id > 0),
  request_id uuid not null default gen_random_uuid(),
  route text not null,
  ms int not null check (ms >= 0),
  primary key (org_id, request_id)
);
alter table requests enable row level security, force row level security;
create policy o on requests using (org_id = nullif(current_setting('app.org_id', true), '')::int);
insert into requests (org_id, route, ms) values (5, '/home', 12), (5, '/home', 20), (6, '/launch-project-swan', 70);
create materialized view stats.routes as select org_id, route, count(*) as n, max(ms) as worst from requests group by 1, 2;
create unique index on stats.routes (org_id, route);
create view my_routes with (security_barrier = true) as
  select route, n, worst from stats.routes where org_id = nullif(current_setting('app.org_id', true), '')::int;
grant select, insert on requests to app_user;
grant select on my_routes to app_user;
