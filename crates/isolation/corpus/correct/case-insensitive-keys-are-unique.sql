--: why = "The policy compares lower(), and here that is the identity: the tenants table is unique on lower(org), so no two organisations differ in case only."
--: class = "comparison"
create role app_user login;
create table orgs (
  org text primary key check (org ~ '^[A-Za-z]{2,20}$'),
  since date not null default current_date
);
create unique index orgs_fold on orgs (lower(org));
create table seats (
  org text not null references orgs on update cascade,
  email text not null check (email = lower(email)),
  role text not null default 'user' check (role in ('user', 'admin')),
  primary key (org, email)
);
alter table orgs enable row level security, force row level security;
alter table seats enable row level security, force row level security;
create policy o on orgs for select using (lower(org) = lower(nullif(current_setting('app.org', true), '')));
create policy o on seats using (lower(org) = lower(nullif(current_setting('app.org', true), '')));
grant select on orgs to app_user;
grant select, insert, update, delete on seats to app_user;
insert into orgs values ('Birch', '2020-01-01'), ('Maple', '2021-01-01');
insert into seats values ('Birch', 'a@birch.example', 'admin'), ('Maple', 'm@maple.example', 'admin');
