--: why = "A login may become every tenant's role, and policies compare current_user: becoming the role is how a request enters its tenant; the roles are not members of each other."
--: class = "role"
--: [isolation]
--: app_role = "mart_login"
--: tenant_column = "owner_role"
--: tenants = ["mart_anna", "mart_bruno"]
--: context = "SET LOCAL ROLE {principal}"
--: principals = ["mart_anna", "mart_bruno"]
create role mart_login login noinherit;
create role mart_tenants nologin;
create role mart_anna nologin in role mart_tenants;
create role mart_bruno nologin in role mart_tenants;
grant mart_anna, mart_bruno to mart_login;
create schema mart;
create table mart.stalls (
  owner_role name not null default current_user,
  stall text not null,
  rent_cents int not null check (rent_cents >= 0),
  primary key (owner_role, stall)
);
create table mart.takings (
  owner_role name not null default current_user,
  stall text not null,
  day date not null,
  cents int not null,
  primary key (owner_role, stall, day),
  foreign key (owner_role, stall) references mart.stalls on delete cascade
);
alter table mart.stalls enable row level security, force row level security;
alter table mart.takings enable row level security, force row level security;
create policy mine on mart.stalls to mart_tenants using (owner_role = current_user) with check (owner_role = current_user);
create policy mine on mart.takings to mart_tenants using (owner_role = current_user) with check (owner_role = current_user);
grant usage on schema mart to mart_tenants;
grant select, insert, update, delete on mart.stalls, mart.takings to mart_tenants;
insert into mart.stalls values ('mart_anna', 'N1', 900), ('mart_bruno', 'S4', 1200);
insert into mart.takings values ('mart_anna', 'N1', '2025-05-01', 4100), ('mart_bruno', 'S4', '2025-05-01', 8800);
