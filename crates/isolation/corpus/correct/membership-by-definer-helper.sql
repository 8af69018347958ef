--: why = "No tenant setting: the policies ask a SECURITY DEFINER helper which orgs the signed-in user belongs to; the membership table is read-only for the app, and invitations are accepted only by their random code."
--: class = "membership"
--: [isolation]
--: app_role = "band_api"
--: tenant_column = "band_id"
--: tenants = ["0a111111-0000-4000-8000-000000000001", "0b222222-0000-4000-8000-000000000002"]
--: principals = ["usr_mia7", "usr_leo3"]
--: context = "SET LOCAL request.jwt.claims = '{\"sub\": \"{principal}\", \"aud\": \"bands\"}'"
create role band_api login;
create schema band;
create table band.bands (band_id uuid primary key default gen_random_uuid(), name text not null);
create table band.members (
  band_id uuid not null references band.bands on delete cascade,
  user_sub text not null check (user_sub ~ '^usr_[a-z0-9]{4,}$'),
  instrument text not null default 'vocals',
  primary key (band_id, user_sub)
);
create table band.invitations (
  band_id uuid not null references band.bands on delete cascade,
  code uuid not null default gen_random_uuid(),
  used boolean not null default false,
  primary key (band_id, code)
);
create table band.gigs (
  band_id uuid not null references band.bands on delete cascade,
  gig_id uuid not null default gen_random_uuid(),
  venue text not null,
  fee numeric(9,2) not null default 0,
  on_day date not null,
  primary key (band_id, gig_id)
);
create function band.me() returns text language sql stable set search_path = '' as
  $$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub' $$;
create function band.mine() returns uuid[] language sql stable security definer set search_path = '' as
  $$ select coalesce(array_agg(m.band_id), '{}') from band.members m where m.user_sub = band.me() $$;
create function band.accept(p_code uuid) returns void language plpgsql security definer set search_path = '' as $$
begin
  with hit as (update band.invitations i set used = true where i.code = p_code and not i.used returning i.band_id)
  insert into band.members (band_id, user_sub) select h.band_id, band.me() from hit h where band.me() is not null on conflict do nothing;
end $$;
alter table band.bands enable row level security;
alter table band.bands force row level security;
alter table band.members enable row level security;
alter table band.members force row level security;
alter table band.invitations enable row level security;
alter table band.invitations force row level security;
alter table band.gigs enable row level security;
alter table band.gigs force row level security;
create policy b on band.bands for select using (band_id = any (band.mine()));
create policy b on band.members for select using (band_id = any (band.mine()));
create policy b on band.invitations using (band_id = any (band.mine())) with check (band_id = any (band.mine()) and not used);
create policy b on band.gigs using (band_id = any (band.mine())) with check (band_id = any (band.mine()));
grant usage on schema band to band_api;
grant select on band.bands, band.members to band_api;
grant select, delete on band.invitations to band_api;
grant insert (band_id) on band.invitations to band_api;
grant select, insert, update, delete on band.gigs to band_api;
insert into band.bands values ('0a111111-0000-4000-8000-000000000001', 'The Kerbs'), ('0b222222-0000-4000-8000-000000000002', 'Low Tide');
insert into band.members values ('0a111111-0000-4000-8000-000000000001', 'usr_mia7', 'drums'), ('0b222222-0000-4000-8000-000000000002', 'usr_leo3', 'bass');
insert into band.gigs (band_id, venue, fee, on_day) values ('0a111111-0000-4000-8000-000000000001', 'Cellar', 300, '2025-09-01'), ('0b222222-0000-4000-8000-000000000002', 'Harbour', 950, '2025-09-02');
insert into band.invitations (band_id) values ('0b222222-0000-4000-8000-000000000002');
