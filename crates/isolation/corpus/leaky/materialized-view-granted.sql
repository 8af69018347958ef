--: why = "A materialized view has no RLS: it holds the turnover of every franchise and is granted to the app for the chart on the start page."
--: class = "view"
--: [[expect]]
--: object = "report.daily_turnover"
--: verb = "select"
--: kind = "leak"
create role pos_app login;
create schema pos;
create schema report;
create table pos.receipts (
  franchise_id bigint not null check (franchise_id > 0),
  receipt_id uuid not null default gen_random_uuid(),
  sold_at timestamptz not null default now(),
  cents int not null,
  items jsonb not null default '[]',
  primary key (franchise_id, receipt_id)
);
create table pos.tills (
  franchise_id bigint not null check (franchise_id > 0),
  till text not null,
  float_cents int not null default 10000 check (float_cents >= 0),
  primary key (franchise_id, till)
);
alter table pos.receipts enable row level security, force row level security;
alter table pos.tills enable row level security, force row level security;
create policy f on pos.receipts using (franchise_id = nullif(current_setting('pos.franchise', true), '')::bigint);
create policy f on pos.tills using (franchise_id = nullif(current_setting('pos.franchise', true), '')::bigint);
insert into pos.receipts (franchise_id, sold_at, cents) values
  (31, '2025-04-01 10:00+00', 1250), (31, '2025-04-01 11:00+00', 400), (32, '2025-04-01 10:30+00', 88800);
insert into pos.tills values (31, 'T1', 10000), (32, 'T1', 20000);
create materialized view report.daily_turnover as
  select franchise_id, (sold_at at time zone 'UTC')::date as day, count(*) as receipts, sum(cents) as cents
  from pos.receipts group by 1, 2;
create unique index on report.daily_turnover (franchise_id, day);
grant usage on schema pos, report to pos_app;
grant select, insert on pos.receipts to pos_app;
grant select, insert, update on pos.tills to pos_app;
grant select on report.daily_turnover to pos_app;
--- fix
revoke select on report.daily_turnover from pos_app;
