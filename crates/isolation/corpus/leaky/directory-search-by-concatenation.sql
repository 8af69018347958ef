--: why = "pay.find_people builds its query by concatenating the search text between quotes; a quote in the text ends the literal and ORs the tenant filter away, and the function runs as its superuser owner."
--: class = "definer-function"
--: [[expect]]
--: object = "pay.find_people"
--: verb = "execute"
--: kind = "leak"
create role payroll_web login;
create schema pay;
create domain pay.iban as text check (value ~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}$');
create table pay.people (
  org_id uuid not null,
  person_id uuid not null default gen_random_uuid(),
  full_name text not null,
  email text not null check (email ~ '^[^@ ]+@[^@ ]+$'),
  account pay.iban,
  hired date not null default current_date,
  primary key (org_id, person_id),
  unique (org_id, email)
);
create table pay.salaries (
  org_id uuid not null,
  person_id uuid not null,
  valid_from date not null,
  gross numeric(12,2) not null check (gross >= 0),
  grade text not null default 'C' check (grade in ('A', 'B', 'C', 'D')),
  primary key (org_id, person_id, valid_from),
  foreign key (org_id, person_id) references pay.people on delete cascade
);
alter table pay.people enable row level security;
alter table pay.people force row level security;
alter table pay.salaries enable row level security;
alter table pay.salaries force row level security;
create policy org on pay.people using (org_id = nullif(current_setting('app.org_id', true), '')::uuid)
  with check (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
create policy org on pay.salaries using (org_id = nullif(current_setting('app.org_id', true), '')::uuid)
  with check (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
create function pay.find_people(p_text text, p_sort text default 'full_name')
returns table (full_name text, email text, grade text)
language plpgsql stable security definer set search_path = pay, pg_temp as $$
begin
  if p_sort not in ('full_name', 'email') then
    raise exception 'unknown order';
  end if;
  return query execute
    'select p.full_name, p.email, s.grade from pay.people p left join pay.salaries s using (org_id, person_id)'
    || ' where p.org_id = nullif(current_setting(''app.org_id'', true), '''')::uuid'
    || ' and p.full_name ilike ''%' || p_text || '%'' order by ' || p_sort;
end $$;
grant usage on schema pay to payroll_web;
grant select, insert, update, delete on pay.people, pay.salaries to payroll_web;
--- fix
create or replace function pay.find_people(p_text text, p_sort text default 'full_name')
returns table (full_name text, email text, grade text)
language plpgsql stable security definer set search_path = pay, pg_temp as $$
begin
  if p_sort not in ('full_name', 'email') then
    raise exception 'unknown order';
  end if;
  return query execute
    'select p.full_name, p.email, s.grade from pay.people p left join pay.salaries s using (org_id, person_id)'
    || ' where p.org_id = nullif(current_setting(''app.org_id'', true), '''')::uuid'
    || ' and p.full_name ilike ''%'' || $1 || ''%'' order by ' || quote_ident(p_sort)
    using p_text;
end $$;
