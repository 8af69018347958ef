--: why = "wiki.space() returns the space of the newest row in wiki.sessions, no matter which connection wrote it: another user's login changes the tenant of everybody."
--: class = "stale-context"
--: [isolation]
--: app_role = "wiki_app"
--: tenant_column = "space"
--: tenants = ["s1", "s2"]
--: context = "select wiki.open_space('{tenant}')"
--: [[expect]]
--: object = "wiki.space"
--: verb = "select"
--: kind = "leak"
create role wiki_app login;
create schema wiki;
create table wiki.sessions (
  session_id uuid primary key default gen_random_uuid(),
  space varchar(20) not null,
  xid xid8 not null default pg_current_xact_id(),
  opened timestamptz not null default clock_timestamp()
);
create index on wiki.sessions (opened desc);
create function wiki.open_space(p_space text) returns void language sql security definer set search_path = '' as
  $$ insert into wiki.sessions (space) values (p_space) $$;
create function wiki.space() returns text language sql stable security definer set search_path = '' as
  $$ select s.space from wiki.sessions s order by s.opened desc limit 1 $$;
create table wiki.pages (
  space varchar(20) not null,
  slug text not null check (slug = lower(slug)),
  title text not null,
  body text not null default '',
  edited timestamptz not null default now(),
  primary key (space, slug)
);
create table wiki.links (
  space varchar(20) not null,
  from_slug text not null,
  to_slug text not null check (to_slug <> from_slug),
  primary key (space, from_slug, to_slug),
  foreign key (space, from_slug) references wiki.pages on delete cascade
);
alter table wiki.sessions enable row level security;
alter table wiki.sessions force row level security;
alter table wiki.pages enable row level security;
alter table wiki.pages force row level security;
alter table wiki.links enable row level security;
alter table wiki.links force row level security;
create policy nobody on wiki.sessions using (false);
create policy space on wiki.pages using (space = wiki.space()) with check (space = wiki.space());
create policy space on wiki.links using (space = wiki.space()) with check (space = wiki.space());
grant usage on schema wiki to wiki_app;
grant select, insert, update, delete on wiki.pages, wiki.links to wiki_app;
insert into wiki.pages (space, slug, title, body) values ('s1', 'home', 'Welcome', 'to us'), ('s2', 'home', 'Merger plan', 'secret');
--- fix
create or replace function wiki.space() returns text language sql stable security definer set search_path = '' as
  $$ select s.space from wiki.sessions s where s.xid = pg_current_xact_id_if_assigned() order by s.opened desc limit 1 $$;
