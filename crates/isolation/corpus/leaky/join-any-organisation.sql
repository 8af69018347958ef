--: why = "The policy on memberships lets a user insert a row about himself with any organisation; from then on every other policy shows him that organisation's data."
--: class = "membership-editable"
--: [isolation]
--: app_role = "authn"
--: tenant_column = "org_id"
--: tenants = ["0a000000-0000-4000-8000-00000000000a", "0b000000-0000-4000-8000-00000000000b"]
--: principals = ["anna", "bruno"]
--: context = "SET LOCAL app.user_name = '{principal}'"
--: [[expect]]
--: object = "public.memberships"
--: verb = "insert"
--: kind = "leak"
create role authn login;
create table public.organisations (
  org_id uuid primary key default gen_random_uuid(),
  title text not null check (btrim(title) <> '')
);
create table public.memberships (
  org_id uuid not null references public.organisations on delete cascade,
  user_name text not null,
  joined_at timestamptz not null default now(),
  theme text not null default 'light' check (theme in ('light', 'dark')),
  primary key (org_id, user_name)
);
create table public.campaigns (
  org_id uuid not null references public.organisations on delete cascade,
  campaign_id uuid not null default gen_random_uuid(),
  name text not null,
  budget numeric(12,2) not null default 0 check (budget >= 0),
  primary key (org_id, campaign_id)
);
create table public.donors (
  org_id uuid not null,
  donor_id uuid not null default gen_random_uuid(),
  campaign_id uuid not null,
  name text not null,
  given numeric(10,2) not null check (given > 0),
  primary key (org_id, donor_id),
  foreign key (org_id, campaign_id) references public.campaigns on delete cascade
);
alter table public.organisations enable row level security;
alter table public.organisations force row level security;
alter table public.memberships enable row level security;
alter table public.memberships force row level security;
alter table public.campaigns enable row level security;
alter table public.campaigns force row level security;
alter table public.donors enable row level security;
alter table public.donors force row level security;
create policy self on public.memberships using (user_name = nullif(current_setting('app.user_name', true), ''))
  with check (user_name = nullif(current_setting('app.user_name', true), ''));
create policy member on public.organisations for select using (org_id in (select m.org_id from public.memberships m));
create policy member on public.campaigns using (org_id in (select m.org_id from public.memberships m))
  with check (org_id in (select m.org_id from public.memberships m));
create policy member on public.donors using (org_id in (select m.org_id from public.memberships m))
  with check (org_id in (select m.org_id from public.memberships m));
grant select on public.organisations to authn;
grant select, insert, delete on public.memberships to authn;
grant update (theme) on public.memberships to authn;
grant select, insert, update, delete on public.campaigns, public.donors to authn;
insert into public.organisations values ('0a000000-0000-4000-8000-00000000000a', 'Lake rescue'), ('0b000000-0000-4000-8000-00000000000b', 'Hill huts');
insert into public.memberships (org_id, user_name) values ('0a000000-0000-4000-8000-00000000000a', 'anna'), ('0b000000-0000-4000-8000-00000000000b', 'bruno');
insert into public.campaigns (org_id, name, budget) values ('0a000000-0000-4000-8000-00000000000a', 'New boat', 90000), ('0b000000-0000-4000-8000-00000000000b', 'Roof fund', 41000);
--- fix
revoke insert on public.memberships from authn;
