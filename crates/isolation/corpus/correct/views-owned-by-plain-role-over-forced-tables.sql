--: why = "The views have no security_invoker, but their owner is an ordinary NOLOGIN role that owns the FORCEd tables too, so the policies hold inside the views."
--: class = "view"
create role opera_owner nologin;
create role opera_app login;
create schema opera authorization opera_owner;
set role opera_owner;
create table opera.shows (
  house_id uuid not null,
  show_id uuid not null default gen_random_uuid(),
  title text not null,
  starts timestamptz not null,
  primary key (house_id, show_id)
);
create table opera.seats (
  house_id uuid not null,
  show_id uuid not null,
  seat text not null check (seat ~ '^[A-Z][0-9]{1,2}$'),
  price numeric(8,2) not null check (price >= 0),
  guest text,
  primary key (house_id, show_id, seat),
  foreign key (house_id, show_id) references opera.shows on delete cascade
);
alter table opera.shows enable row level security;
alter table opera.shows force row level security;
alter table opera.seats enable row level security;
alter table opera.seats force row level security;
create policy house on opera.shows using (house_id = nullif(current_setting('opera.house', true), '')::uuid)
  with check (house_id = nullif(current_setting('opera.house', true), '')::uuid);
create policy house on opera.seats using (house_id = nullif(current_setting('opera.house', true), '')::uuid)
  with check (house_id = nullif(current_setting('opera.house', true), '')::uuid);
create view opera.takings as
  select s.house_id, s.title, count(x.guest) as sold, sum(x.price) filter (where x.guest is not null) as total
  from opera.shows s left join opera.seats x using (house_id, show_id) group by s.house_id, s.show_id, s.title;
create view opera.free_seats as select house_id, show_id, seat, price from opera.seats where guest is null;
grant usage on schema opera to opera_app;
grant select, insert, update, delete on opera.shows, opera.seats to opera_app;
grant select on opera.takings, opera.free_seats to opera_app;
grant update (price) on opera.free_seats to opera_app;
reset role;
