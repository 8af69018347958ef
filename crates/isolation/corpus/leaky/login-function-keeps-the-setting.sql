--: why = "app.login sets the tenant with is_local = false: it survives the transaction, and whoever borrows the pooled connection next without a context works in the last tenant."
--: class = "stale-context"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "org"
--: tenants = ["fjord", "glade"]
--: context = "select app.login('{tenant}')"
--: [[expect]]
--: object = "app.login"
--: verb = "execute"
--: kind = "leak"
create role app_user login;
create schema app;
create table app.orgs (org text primary key check (org ~ '^[a-z]{3,12}$'), active boolean not null default true);
create table app.surveys (
  org text not null references app.orgs,
  slug text not null check (slug ~ '^[a-z0-9-]+$'),
  question text not null,
  closes_at timestamptz not null default now() + interval '30 days',
  primary key (org, slug)
);
create table app.answers (
  org text not null,
  slug text not null,
  answer_id uuid not null default gen_random_uuid(),
  stars smallint not null check (stars between 1 and 5),
  comment text,
  primary key (org, slug, answer_id),
  foreign key (org, slug) references app.surveys on delete cascade
);
create function app.login(p_org text) returns void language plpgsql set search_path = '' as $$
begin
  perform set_config('app.org', lower(p_org), false);
end $$;
alter table app.orgs enable row level security;
alter table app.orgs force row level security;
alter table app.surveys enable row level security;
alter table app.surveys force row level security;
alter table app.answers enable row level security;
alter table app.answers force row level security;
create policy o on app.orgs for select using (org = nullif(current_setting('app.org', true), ''));
create policy o on app.surveys using (org = nullif(current_setting('app.org', true), ''))
  with check (org = nullif(current_setting('app.org', true), ''));
create policy o on app.answers using (org = nullif(current_setting('app.org', true), ''))
  with check (org = nullif(current_setting('app.org', true), ''));
grant usage on schema app to app_user;
grant select on app.orgs to app_user;
grant select, insert, update, delete on app.surveys, app.answers to app_user;
insert into app.orgs values ('fjord'), ('glade');
insert into app.surveys (org, slug, question) values ('fjord', 'lunch', 'How was lunch?'), ('glade', 'boss', 'How is your boss?');
insert into app.answers (org, slug, stars, comment) values ('fjord', 'lunch', 4, 'warm'), ('glade', 'boss', 1, 'shouts');
--- fix
create or replace function app.login(p_org text) returns void language plpgsql set search_path = '' as $$
begin
  perform set_config('app.org', lower(p_org), true);
end $$;
