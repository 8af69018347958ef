--: why = "Every change of a booking is copied as JSON into events.outbox, which has neither tenant column nor RLS and is readable by the app role."
--: class = "derived"
--: [[expect]]
--: object = "events.outbox"
--: verb = "select"
--: kind = "leak"
create role travel_api nologin;
create role travel_login login noinherit;
grant travel_api to travel_login;
create schema travel;
create schema events;
create table travel.bookings (
  agency_id uuid not null,
  booking_id uuid not null default gen_random_uuid(),
  traveller text not null,
  passport text check (passport ~ '^[A-Z0-9]{6,12}$'),
  leaves date not null,
  returns date not null,
  check (returns >= leaves),
  primary key (agency_id, booking_id)
);
create table events.outbox (
  event_id uuid primary key default gen_random_uuid(),
  topic text not null,
  body jsonb not null,
  created_at timestamptz not null default now(),
  sent_at timestamptz
);
create index on events.outbox (created_at) where sent_at is null;
create function events.emit() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into events.outbox (topic, body) values (tg_table_name || '.' || lower(tg_op), to_jsonb(coalesce(new, old)) - 'agency_id');
  return null;
end $$;
revoke execute on function events.emit() from public;
create trigger emit after insert or update or delete on travel.bookings for each row execute function events.emit();
alter table travel.bookings enable row level security;
alter table travel.bookings force row level security;
create policy agency on travel.bookings
  using (agency_id = (nullif(current_setting('request.jwt.claims', true), '')::jsonb -> 'app_metadata' ->> 'agency_id')::uuid)
  with check (agency_id = (nullif(current_setting('request.jwt.claims', true), '')::jsonb -> 'app_metadata' ->> 'agency_id')::uuid);
grant usage on schema travel, events to travel_api;
grant select, insert, update, delete on travel.bookings to travel_api;
grant select on events.outbox to travel_api;
--- fix
revoke select on events.outbox from travel_api;
