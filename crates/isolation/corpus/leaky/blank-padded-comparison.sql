--: why = "Casting both sides to char(12) ignores trailing blanks and cuts after 12 characters: the distinct sites 'dock-rotterdam-1' and 'dock-rotterdam-2' (12 equal characters) are one tenant to the policy."
--: class = "comparison"
--: [isolation]
--: app_role = "harbour"
--: tenant_column = "site_code"
--: tenants = ["dock-rotterdam-1", "dock-rotterdam-2"]
--: context = ["SET LOCAL app.site = '{tenant}'", "SET LOCAL app.user_name = '{principal}'"]
--: principals = ["anna", "bruno"]
--: [[expect]]
--: object = "public.manifests"
--: verb = "select"
--: kind = "leak"
create role harbour login;
create table sites (site_code varchar(32) primary key, port text not null);
create table manifests (
  site_code varchar(32) not null references sites,
  vessel text not null,
  eta timestamptz not null,
  cargo jsonb not null default '{}',
  filed_by text not null,
  primary key (site_code, vessel, eta)
);
create table berths (
  site_code varchar(32) not null references sites,
  berth text not null,
  depth_m numeric(4,1) not null check (depth_m > 0),
  primary key (site_code, berth)
);
alter table sites enable row level security, force row level security;
alter table manifests enable row level security, force row level security;
alter table berths enable row level security, force row level security;
create policy s on sites for select using (site_code = nullif(current_setting('app.site', true), ''));
create policy s on manifests using (site_code::char(12) = nullif(current_setting('app.site', true), '')::char(12));
create policy filed_by_me on manifests as restrictive for insert with check (filed_by = current_setting('app.user_name', true));
create policy s on berths using (site_code = nullif(current_setting('app.site', true), ''));
grant select on sites to harbour;
grant select, insert, delete on manifests to harbour;
grant select, insert, update, delete on berths to harbour;
insert into sites values ('dock-rotterdam-1', 'Rotterdam'), ('dock-rotterdam-2', 'Rotterdam');
insert into manifests (site_code, vessel, eta, filed_by) values ('dock-rotterdam-1', 'Elbe', '2025-03-01 06:00+00', 'anna'), ('dock-rotterdam-2', 'Waal', '2025-03-02 06:00+00', 'bruno');
insert into berths values ('dock-rotterdam-1', 'K1', 12.5), ('dock-rotterdam-2', 'K7', 14);
--- fix
alter policy s on manifests using (site_code = nullif(current_setting('app.site', true), ''));
