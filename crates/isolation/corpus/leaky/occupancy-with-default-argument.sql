--: why = "hotel.occupancy takes the house as an argument that merely defaults to the caller's; passing another house, or NULL for all, gives the guest counts and takings of others."
--: class = "definer-function"
--: [isolation]
--: app_role = "desk"
--: tenant_column = "house"
--: context = "SET LOCAL hotel.house = '{tenant}'"
--: [[expect]]
--: object = "hotel.occupancy"
--: verb = "execute"
--: kind = "leak"
create role desk login;
create schema hotel;
create function hotel.here() returns uuid language sql stable as
  $$ select nullif(current_setting('hotel.house', true), '')::uuid $$;
create table hotel.rooms (
  house uuid not null,
  room_no smallint not null,
  beds smallint not null default 2 check (beds between 1 and 6),
  primary key (house, room_no)
);
create table hotel.stays (
  house uuid not null,
  stay_id uuid not null default gen_random_uuid(),
  room_no smallint not null,
  guest text not null,
  nights daterange not null check (not isempty(nights)),
  price numeric(9,2) not null check (price >= 0),
  total numeric(12,2) generated always as (price * (upper(nights) - lower(nights))) stored,
  primary key (house, stay_id),
  foreign key (house, room_no) references hotel.rooms
);
alter table hotel.rooms enable row level security;
alter table hotel.rooms force row level security;
alter table hotel.stays enable row level security;
alter table hotel.stays force row level security;
create policy h on hotel.rooms using (house = hotel.here()) with check (house = hotel.here());
create policy h on hotel.stays using (house = hotel.here()) with check (house = hotel.here());
create function hotel.occupancy(p_from date, p_to date, p_house uuid default hotel.here())
returns table (night date, guests bigint, takings numeric)
language sql stable security definer set search_path = '' as $$
  select d::date, count(s.stay_id), coalesce(sum(s.price), 0)
  from generate_series(p_from, p_to, interval '1 day') d
  left join hotel.stays s on s.nights @> d::date and s.house = coalesce(p_house, s.house)
  group by d order by d
$$;
grant usage on schema hotel to desk;
grant select, insert, update, delete on hotel.rooms, hotel.stays to desk;
--- fix
create or replace function hotel.occupancy(p_from date, p_to date, p_house uuid default hotel.here())
returns table (night date, guests bigint, takings numeric)
language sql stable security definer set search_path = '' as $$
  select d::date, count(s.stay_id), coalesce(sum(s.price), 0)
  from generate_series(p_from, p_to, interval '1 day') d
  left join hotel.stays s on s.nights @> d::date and s.house = p_house and s.house = hotel.here()
  group by d order by d
$$;
