--: why = "One database role per tenant, named after the tenant. The policy casts the tenant's text to name, which cuts at 63 bytes: a tenant whose key merely begins with the 63 bytes of another's passes for it."
--: class = "comparison"
--: [isolation]
--: app_role = "tenant_login"
--: tenant_column = "tenant_key"
--: tenants = ["municipality-of-greater-northern-riverlands-department-of-works", "municipality-of-greater-northern-riverlands-department-of-works-east"]
--: context = "SET LOCAL ROLE \"{principal}\""
--: principals = ["municipality-of-greater-northern-riverlands-department-of-works", "works-east"]
--: [[expect]]
--: object = "city.permits"
--: verb = "select"
--: kind = "leak"
create role tenant_login login noinherit;
create role city_member nologin;
create role "municipality-of-greater-northern-riverlands-department-of-works" nologin in role city_member;
create role "works-east" nologin in role city_member;
grant "municipality-of-greater-northern-riverlands-department-of-works", "works-east" to tenant_login;
create schema city;
create table city.role_names (role_name name primary key, tenant_key text not null unique);
create table city.permits (
  tenant_key text not null check (length(tenant_key) between 3 and 120),
  permit_no text not null,
  applicant text not null,
  granted boolean,
  primary key (tenant_key, permit_no)
);
create table city.fees (
  tenant_key text not null check (length(tenant_key) between 3 and 120),
  fee text not null,
  cents int not null check (cents >= 0),
  primary key (tenant_key, fee)
);
alter table city.role_names enable row level security, force row level security;
alter table city.permits enable row level security, force row level security;
alter table city.fees enable row level security, force row level security;
create policy r on city.role_names for select to city_member using (role_name = current_user);
create policy p on city.permits to city_member
  using (tenant_key::name = current_user or tenant_key = (select r.tenant_key from city.role_names r where r.role_name = current_user));
create policy p on city.fees to city_member
  using (tenant_key = (select r.tenant_key from city.role_names r where r.role_name = current_user));
grant usage on schema city to city_member;
grant select on city.role_names to city_member;
grant select, insert, update, delete on city.permits, city.fees to city_member;
insert into city.role_names values
  ('municipality-of-greater-northern-riverlands-department-of-works', 'municipality-of-greater-northern-riverlands-department-of-works'),
  ('works-east', 'municipality-of-greater-northern-riverlands-department-of-works-east');
insert into city.permits select tenant_key, '1/25', 'applicant of ' || role_name from city.role_names;
insert into city.fees select tenant_key, 'garage', 12000 from city.role_names;
--- fix
alter policy p on city.permits
  using (tenant_key = (select r.tenant_key from city.role_names r where r.role_name = current_user));
