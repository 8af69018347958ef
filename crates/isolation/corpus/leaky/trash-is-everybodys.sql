--: why = "The policy lets soft-deleted listings through for the restore page without asking for the agency: any agency reads (and restores into view) all deleted listings."
--: class = "policy-too-wide"
--: [[expect]]
--: object = "public.listings"
--: verb = "select"
--: kind = "leak"
create role estate_app login;
create table agencies (agency_id uuid primary key default gen_random_uuid(), name text not null);
create table listings (
  agency_id uuid not null references agencies,
  listing_id uuid not null default gen_random_uuid(),
  street text not null,
  asking_price numeric(12,2) not null check (asking_price > 0),
  floor_prices numrange,
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  primary key (agency_id, listing_id),
  check (deleted_at >= created_at)
);
create table viewings (
  agency_id uuid not null,
  listing_id uuid not null,
  at timestamptz not null,
  visitor text not null,
  primary key (agency_id, listing_id, at),
  foreign key (agency_id, listing_id) references listings
);
alter table agencies enable row level security;
alter table agencies force row level security;
alter table listings enable row level security;
alter table listings force row level security;
alter table viewings enable row level security;
alter table viewings force row level security;
create policy agency on agencies for select using (agency_id = nullif(current_setting('app.agency_id', true), '')::uuid);
create policy agency_live on listings for select
  using (agency_id = nullif(current_setting('app.agency_id', true), '')::uuid and deleted_at is null);
create policy trash on listings for select using (deleted_at is not null);
create policy agency_add on listings for insert
  with check (agency_id = nullif(current_setting('app.agency_id', true), '')::uuid);
create policy agency_edit on listings for update
  using (agency_id = nullif(current_setting('app.agency_id', true), '')::uuid)
  with check (agency_id = nullif(current_setting('app.agency_id', true), '')::uuid);
create policy agency on viewings using (agency_id = nullif(current_setting('app.agency_id', true), '')::uuid);
grant select on agencies to estate_app;
grant select, insert, update on listings to estate_app;
grant select, insert, delete on viewings to estate_app;
--- fix
alter policy trash on listings
  using (deleted_at is not null and agency_id = nullif(current_setting('app.agency_id', true), '')::uuid);
