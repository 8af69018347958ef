--: why = "The no-overlap constraint has the room number but not the hotel: booking room 12 fails when any other hotel's room 12 is taken, and the error quotes that stay."
--: class = "existence"
--: [isolation]
--: app_role = "front"
--: tenant_column = "hotel_id"
--: tenants = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
--: context = "SET LOCAL app.hotel_id = '{tenant}'"
--: [[expect]]
--: object = "public.stays"
--: verb = "existence"
--: kind = "leak"
create extension btree_gist;
create role front login;
create table hotels (hotel_id uuid primary key, name text not null, stars smallint check (stars between 1 and 5));
create table stays (
  hotel_id uuid not null references hotels,
  stay_id uuid not null default gen_random_uuid(),
  room smallint not null check (room > 0),
  nights daterange not null check (not isempty(nights)),
  guest text not null,
  primary key (hotel_id, stay_id),
  constraint stays_no_overlap exclude using gist (room with =, nights with &&)
);
alter table hotels enable row level security, force row level security;
alter table stays enable row level security, force row level security;
create policy h on hotels for select using (hotel_id = nullif(current_setting('app.hotel_id', true), '')::uuid);
create policy h on stays using (hotel_id = nullif(current_setting('app.hotel_id', true), '')::uuid);
grant select on hotels to front;
grant select, insert, update, delete on stays to front;
insert into hotels values ('11111111-1111-4111-8111-111111111111', 'Lakeview', 3), ('22222222-2222-4222-8222-222222222222', 'Grand', 5);
insert into stays (hotel_id, room, nights, guest) values
  ('11111111-1111-4111-8111-111111111111', 4, '[2025-07-01,2025-07-04)', 'A. Ray'),
  ('22222222-2222-4222-8222-222222222222', 12, '[2025-07-01,2025-07-09)', 'The minister');
--- fix
alter table stays drop constraint stays_no_overlap;
alter table stays add constraint stays_no_overlap exclude using gist (hotel_id with =, room with =, nights with &&);
