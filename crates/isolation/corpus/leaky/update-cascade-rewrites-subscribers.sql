--: why = "subscriptions follow another organisation's calendar by its feed key, ON UPDATE CASCADE: when A changes its calendar's key, B's subscription rows are rewritten past RLS."
--: class = "referential"
--: [isolation]
--: app_role = "cal_app"
--: tenant_column = "org_id"
--: tenants = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
--: context = ["SET LOCAL cal.org = '{tenant}'", "SET LOCAL cal.member = '{principal}'"]
--: principals = ["anna", "bruno"]
--: [[expect]]
--: object = "cal.subscriptions"
--: verb = "update"
--: kind = "leak"
create role cal_app login;
create schema cal;
create function cal.org() returns uuid language sql stable as $$ select nullif(current_setting('cal.org', true), '')::uuid $$;
create table cal.calendars (
  org_id uuid not null,
  calendar_id uuid not null default gen_random_uuid(),
  feed_key uuid not null default gen_random_uuid(),
  title text not null,
  colour text not null default '#336699' check (colour ~ '^#[0-9a-f]{6}$'),
  primary key (org_id, calendar_id),
  unique (feed_key)
);
create table cal.subscriptions (
  org_id uuid not null,
  subscription_id uuid not null default gen_random_uuid(),
  member text not null,
  feed_key uuid not null,
  refreshed_at timestamptz,
  primary key (org_id, subscription_id),
  constraint subscriptions_feed foreign key (feed_key) references cal.calendars (feed_key) on update cascade
);
alter table cal.calendars enable row level security, force row level security;
alter table cal.subscriptions enable row level security, force row level security;
create policy o on cal.calendars using (org_id = cal.org());
create policy o on cal.subscriptions using (org_id = cal.org())
  with check (org_id = cal.org() and member = current_setting('cal.member', true));
grant usage on schema cal to cal_app;
grant select, insert, update, delete on cal.calendars, cal.subscriptions to cal_app;
insert into cal.calendars (org_id, feed_key, title) values
  ('11111111-1111-4111-8111-111111111111', '3e7a0d55-8d0c-4b6e-9a5f-1c2d3e4f5a01', 'Concerts'),
  ('22222222-2222-4222-8222-222222222222', '8b2c4e90-1f6d-4c7a-8e3b-6d5c4b3a2f02', 'Rehearsals');
insert into cal.subscriptions (org_id, member, feed_key) values
  ('11111111-1111-4111-8111-111111111111', 'anna', '8b2c4e90-1f6d-4c7a-8e3b-6d5c4b3a2f02'),
  ('22222222-2222-4222-8222-222222222222', 'bruno', '3e7a0d55-8d0c-4b6e-9a5f-1c2d3e4f5a01');
--- fix
alter table cal.subscriptions drop constraint subscriptions_feed;
