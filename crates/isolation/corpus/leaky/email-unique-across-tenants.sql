--: why = "The e-mail index lacks the tenant: INSERT or UPDATE with an address fails with 23505 exactly when some other tenant has that person."
--: class = "existence"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "tenant_id"
--: context = "SET LOCAL app.tenant_id = '{tenant}'"
--: [[expect]]
--: object = "public.people"
--: verb = "existence"
--: kind = "leak"
create role app_user login;
create table tenants (tenant_id bigint primary key check (tenant_id > 0), name text not null);
create table people (
  tenant_id bigint not null references tenants,
  person_id uuid not null default gen_random_uuid(),
  email text not null check (email ~ '^[^@\s]+@[^@\s]+\.[a-z]{2,}$'),
  display_name text,
  locale text not null default 'en' check (locale ~ '^[a-z]{2}(-[A-Z]{2})?$'),
  primary key (tenant_id, person_id)
);
create unique index people_email on people (lower(email));
create table groups (
  tenant_id bigint not null references tenants,
  group_name text not null,
  primary key (tenant_id, group_name)
);
create table group_people (
  tenant_id bigint not null,
  group_name text not null,
  person_id uuid not null,
  primary key (tenant_id, group_name, person_id),
  foreign key (tenant_id, group_name) references groups on delete cascade,
  foreign key (tenant_id, person_id) references people on delete cascade
);
do $$
declare t regclass;
begin
  foreach t in array array['tenants', 'people', 'groups', 'group_people']::regclass[] loop
    execute format('alter table %s enable row level security, force row level security', t);
    execute format('create policy own on %s using (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::bigint)', t);
  end loop;
end $$;
grant select on tenants to app_user;
grant select, insert, update, delete on people, groups, group_people to app_user;
--- fix
drop index people_email;
create unique index people_email on people (tenant_id, lower(email));
