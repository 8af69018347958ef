--: why = "The app role may REFERENCE crm.contacts and create tables in its sandbox: a foreign key of its own on (org_id, email) tells whether another org knows that address, since key checks ignore RLS."
--: class = "privileges"
--: [isolation]
--: app_role = "crm_app"
--: tenant_column = "org_id"
--: tenants = ["8", "9"]
--: context = "SET LOCAL app.org_id = '{tenant}'"
--: [[expect]]
--: object = "crm.contacts"
--: verb = "existence"
--: kind = "leak"
create role crm_app login;
create schema crm;
create schema sandbox;                            -- spreadsheets the users upload
create extension citext;
create table crm.contacts (
  org_id bigint not null,
  email citext not null check (email ~ '^[^@]+@[^@]+$'),
  name text not null,
  consent boolean not null default false,
  primary key (org_id, email)
);
create table crm.calls (
  org_id bigint not null,
  call_id uuid not null default gen_random_uuid(),
  email citext not null,
  minutes int not null default 0 check (minutes between 0 and 600),
  primary key (org_id, call_id),
  foreign key (org_id, email) references crm.contacts on delete cascade
);
alter table crm.contacts enable row level security;
alter table crm.contacts force row level security;
alter table crm.calls enable row level security;
alter table crm.calls force row level security;
create policy org on crm.contacts using (org_id = nullif(current_setting('app.org_id', true), '')::bigint)
  with check (org_id = nullif(current_setting('app.org_id', true), '')::bigint);
create policy org on crm.calls using (org_id = nullif(current_setting('app.org_id', true), '')::bigint)
  with check (org_id = nullif(current_setting('app.org_id', true), '')::bigint);
grant usage on schema crm to crm_app;
grant usage, create on schema sandbox to crm_app;
grant select, insert, update, delete on crm.calls to crm_app;
grant select, insert, update, delete, references on crm.contacts to crm_app;
insert into crm.contacts values (8, 'ann@eight.test', 'Ann', true), (9, 'nils@nine.test', 'Nils', false);
--- fix
revoke references on crm.contacts from crm_app;
