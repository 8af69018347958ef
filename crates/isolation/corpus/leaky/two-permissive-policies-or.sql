--: why = "Permissive policies are OR-ed: 'reviewers see what is in review' forgets the newsroom, so every newsroom's articles in review are readable."
--: class = "policy-too-wide"
--: [isolation]
--: app_role = "press"
--: tenant_column = "newsroom"
--: context = ["SET LOCAL app.newsroom = '{tenant}'", "SET LOCAL app.role = 'reviewer'"]
--: [[expect]]
--: object = "desk.articles"
--: verb = "select"
--: kind = "leak"
create role press login;
create schema desk;
create type desk.state as enum ('draft', 'review', 'printed');
create table desk.newsrooms (newsroom text primary key check (newsroom = lower(newsroom)), city text not null);
create table desk.articles (
  newsroom text not null references desk.newsrooms,
  article_id uuid not null default gen_random_uuid(),
  headline text not null,
  body text not null default '',
  state desk.state not null default 'draft',
  words int generated always as (array_length(regexp_split_to_array(body, '\s+'), 1)) stored,
  primary key (newsroom, article_id)
);
create table desk.comments (
  newsroom text not null,
  article_id uuid not null,
  n int not null check (n > 0),
  body text not null,
  primary key (newsroom, article_id, n),
  foreign key (newsroom, article_id) references desk.articles on delete cascade
);
alter table desk.newsrooms enable row level security, force row level security;
alter table desk.articles enable row level security, force row level security;
alter table desk.comments enable row level security, force row level security;
create policy own on desk.newsrooms for select using (newsroom = nullif(current_setting('app.newsroom', true), ''));
create policy own on desk.articles using (newsroom = nullif(current_setting('app.newsroom', true), ''))
  with check (newsroom = nullif(current_setting('app.newsroom', true), ''));
create policy reviewers on desk.articles for select
  using (state = 'review' and current_setting('app.role', true) = 'reviewer');
create policy own on desk.comments using (newsroom = nullif(current_setting('app.newsroom', true), ''))
  with check (newsroom = nullif(current_setting('app.newsroom', true), ''));
grant usage on schema desk to press;
grant select on desk.newsrooms to press;
grant select, insert, update, delete on desk.articles, desk.comments to press;
--- fix
drop policy reviewers on desk.articles;
