--: why = "'No tenant set' was read as 'a migration is running': a fresh or reset connection of the app sees and changes all rows of consignments."
--: class = "policy-too-wide"
--: [[expect]]
--: object = "wms.consignments"
--: verb = "select"
--: kind = "leak"
create role wms_app login;
create schema wms;
create function wms.current_depot() returns bigint language sql stable parallel safe
  as $$ select nullif(current_setting('wms.depot', true), '')::bigint $$;
create table wms.depots (depot_id bigint primary key check (depot_id > 0), name text not null);
create table wms.racks (
  depot_id bigint not null references wms.depots,
  rack text not null,
  levels smallint not null default 4 check (levels between 1 and 12),
  primary key (depot_id, rack)
);
create table wms.consignments (
  depot_id bigint not null,
  ref text not null,
  rack text,
  consignee text not null,
  weight_kg real check (weight_kg > 0),
  arrived timestamptz not null default now(),
  primary key (depot_id, ref),
  foreign key (depot_id, rack) references wms.racks
);
alter table wms.depots enable row level security, force row level security;
alter table wms.racks enable row level security, force row level security;
alter table wms.consignments enable row level security, force row level security;
create policy depot on wms.depots for select using (depot_id = wms.current_depot());
create policy depot on wms.racks using (depot_id = wms.current_depot());
create policy depot on wms.consignments using (depot_id = wms.current_depot() or wms.current_depot() is null);
grant usage on schema wms to wms_app;
grant select on wms.depots to wms_app;
grant select, insert, update, delete on wms.racks, wms.consignments to wms_app;
insert into wms.depots values (41, 'Riga'), (42, 'Ghent');
insert into wms.racks values (41, 'A1', 4), (42, 'A1', 6);
insert into wms.consignments (depot_id, ref, rack, consignee, weight_kg) values (41, 'X-1', 'A1', 'Ivars Ltd', 12), (42, 'X-1', 'A1', 'De Smet NV', 7.5);
--- fix
alter policy depot on wms.consignments using (depot_id = wms.current_depot());
