--: why = "Each grower is a role of his own and may update his row in agri.growers, including the array of farms that all policies trust."
--: class = "membership-editable"
--: [isolation]
--: app_role = "agri_login"
--: tenant_column = "farm_id"
--: tenants = ["31", "32"]
--: principals = ["grower_anna", "grower_bruno"]
--: context = "SET LOCAL ROLE {principal}"
--: [[expect]]
--: object = "agri.growers"
--: verb = "update"
--: kind = "leak"
create role agri_login login noinherit;
create role growers nologin;
create role grower_anna nologin;
create role grower_bruno nologin;
grant growers to grower_anna, grower_bruno;
grant grower_anna, grower_bruno to agri_login;
create schema agri;
create table agri.growers (
  role_name name primary key,
  full_name text not null,
  language char(2) not null default 'de',
  farms int[] not null default '{}'
);
create table agri.fields (
  farm_id int not null,
  field_no int not null,
  hectares numeric(7,2) not null check (hectares > 0),
  crop text not null default 'fallow',
  primary key (farm_id, field_no)
);
create table agri.sprayings (
  farm_id int not null,
  field_no int not null,
  day date not null,
  agent text not null,
  litres numeric(6,1) not null check (litres > 0),
  primary key (farm_id, field_no, day, agent),
  foreign key (farm_id, field_no) references agri.fields on delete cascade
);
alter table agri.growers enable row level security;
alter table agri.growers force row level security;
alter table agri.fields enable row level security;
alter table agri.fields force row level security;
alter table agri.sprayings enable row level security;
alter table agri.sprayings force row level security;
create policy self on agri.growers to growers using (role_name = current_user) with check (role_name = current_user);
create policy farm on agri.fields to growers using (farm_id in (select unnest(g.farms) from agri.growers g))
  with check (farm_id in (select unnest(g.farms) from agri.growers g));
create policy farm on agri.sprayings to growers using (farm_id in (select unnest(g.farms) from agri.growers g))
  with check (farm_id in (select unnest(g.farms) from agri.growers g));
grant usage on schema agri to growers;
grant select, update on agri.growers to growers;
grant select, insert, update, delete on agri.fields, agri.sprayings to growers;
insert into agri.growers values ('grower_anna', 'Anna Acker', 'de', '{31}'), ('grower_bruno', 'Bruno Campo', 'it', '{32}');
insert into agri.fields values (31, 1, 4.20, 'barley'), (32, 1, 11.75, 'saffron');
insert into agri.sprayings values (32, 1, '2025-04-02', 'copper', 12.5);
--- fix
revoke update on agri.growers from growers;
grant update (full_name, language) on agri.growers to growers;
