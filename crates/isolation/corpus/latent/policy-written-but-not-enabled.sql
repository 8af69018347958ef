--: why = "forest.claims has its policy, but ENABLE ROW LEVEL SECURITY was forgotten; nobody has a grant yet, and the day it is granted like its sisters every tenant reads it."
--: class = "rls-missing"
--: [[expect]]
--: object = "forest.claims"
--: verb = "select"
--: kind = "warning"
create role forest_app login;
create schema forest;
create table forest.stands (
  estate_id uuid not null,
  stand_no int not null check (stand_no > 0),
  hectares numeric(8,2) not null,
  species text[] not null default '{}',
  primary key (estate_id, stand_no)
);
create table forest.fellings (
  estate_id uuid not null,
  stand_no int not null,
  felled_on date not null,
  m3 numeric(9,2) not null check (m3 > 0),
  primary key (estate_id, stand_no, felled_on),
  foreign key (estate_id, stand_no) references forest.stands
);
create table forest.claims (
  estate_id uuid not null,
  claim_id uuid not null default gen_random_uuid(),
  stand_no int not null,
  damage text not null check (damage in ('storm', 'beetle', 'fire')),
  eur numeric(12,2) not null,
  primary key (estate_id, claim_id),
  foreign key (estate_id, stand_no) references forest.stands
);
alter table forest.stands enable row level security;
alter table forest.stands force row level security;
alter table forest.fellings enable row level security;
alter table forest.fellings force row level security;
create policy e on forest.stands using (estate_id = nullif(current_setting('forest.estate', true), '')::uuid)
  with check (estate_id = nullif(current_setting('forest.estate', true), '')::uuid);
create policy e on forest.fellings using (estate_id = nullif(current_setting('forest.estate', true), '')::uuid)
  with check (estate_id = nullif(current_setting('forest.estate', true), '')::uuid);
create policy e on forest.claims using (estate_id = nullif(current_setting('forest.estate', true), '')::uuid)
  with check (estate_id = nullif(current_setting('forest.estate', true), '')::uuid);
grant usage on schema forest to forest_app;
grant select, insert, update, delete on forest.stands, forest.fellings to forest_app;
--- fix
alter table forest.claims enable row level security;
alter table forest.claims force row level security;
