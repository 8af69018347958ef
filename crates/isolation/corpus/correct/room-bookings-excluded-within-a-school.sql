--: why = "An exclusion constraint and a deferrable unique key forbid double bookings and look like oracles across tenants, but both begin with the tenant column; soft-deleted rows are hidden by a RESTRICTIVE policy."
--: class = "existence"
create role timetable_app login;
create schema timetable;
create extension btree_gist;
create table timetable.rooms (
  campus int not null,
  room text not null check (room ~ '^[A-Z]-[0-9]{3}$'),
  places smallint not null default 30 check (places > 0),
  deleted_at timestamptz,
  primary key (campus, room)
);
create table timetable.bookings (
  campus int not null,
  booking_id uuid not null default gen_random_uuid(),
  room text not null,
  during tstzrange not null check (not isempty(during)),
  teacher text not null,
  rank int not null default 1,
  deleted_at timestamptz,
  primary key (campus, booking_id),
  foreign key (campus, room) references timetable.rooms,
  unique (campus, teacher, rank) deferrable initially deferred,
  exclude using gist (campus with =, room with =, during with &&) where (deleted_at is null)
);
alter table timetable.rooms enable row level security;
alter table timetable.rooms force row level security;
alter table timetable.bookings enable row level security;
alter table timetable.bookings force row level security;
create policy campus on timetable.rooms using (campus = nullif(current_setting('app.campus', true), '')::int)
  with check (campus = nullif(current_setting('app.campus', true), '')::int);
create policy alive on timetable.rooms as restrictive for select using (deleted_at is null);
create policy campus on timetable.bookings using (campus = nullif(current_setting('app.campus', true), '')::int)
  with check (campus = nullif(current_setting('app.campus', true), '')::int);
create policy alive on timetable.bookings as restrictive for select using (deleted_at is null);
grant usage on schema timetable to timetable_app;
grant select, insert, update, delete on timetable.rooms, timetable.bookings to timetable_app;
insert into timetable.rooms (campus, room) values (1, 'A-101'), (2, 'A-101'), (2, 'B-007');
insert into timetable.bookings (campus, room, during, teacher) values
  (1, 'A-101', '[2025-09-01 08:00+00,2025-09-01 09:30+00)', 'Frau Quast'), (2, 'A-101', '[2025-09-01 10:00+00,2025-09-01 11:30+00)', 'Herr Specht');
