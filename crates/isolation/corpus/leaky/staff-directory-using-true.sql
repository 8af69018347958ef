--: why = "The phone list was meant for colleagues of one practice; its SELECT policy says USING (true), so every practice's staff and mobile numbers are readable."
--: class = "policy-too-wide"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "practice_id"
--: tenants = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
--: context = "select set_config('request.jwt.claims', '{\"sub\":\"5f0c7a52-0000-4000-8000-000000000001\",\"app_metadata\":{\"practice\":\"{tenant}\"}}', true)"
--: [[expect]]
--: object = "public.staff"
--: verb = "select"
--: kind = "leak"
create role app_user nologin;
create role gateway login noinherit;
grant app_user to gateway;
create function current_practice() returns uuid language sql stable as $$
  select (nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,practice}')::uuid
$$;
create table practices (practice_id uuid primary key default gen_random_uuid(), name text not null, opened date);
create table staff (
  practice_id uuid not null references practices,
  staff_id uuid not null default gen_random_uuid(),
  name text not null,
  mobile text check (mobile ~ '^\+?[0-9 ]{6,}$'),
  roles text[] not null default '{}' check (roles <@ array['doctor', 'nurse', 'desk']),
  primary key (practice_id, staff_id)
);
create table shifts (
  practice_id uuid not null,
  staff_id uuid not null,
  during tstzrange not null check (not isempty(during)),
  primary key (practice_id, staff_id, during),
  foreign key (practice_id, staff_id) references staff
);
alter table practices enable row level security, force row level security;
alter table staff enable row level security, force row level security;
alter table shifts enable row level security, force row level security;
create policy mine on practices for select to app_user using (practice_id = current_practice());
create policy read_staff on staff for select to app_user using (true);
create policy add_staff on staff for insert to app_user with check (practice_id = current_practice());
create policy edit_staff on staff for update to app_user using (practice_id = current_practice()) with check (practice_id = current_practice());
create policy mine on shifts to app_user using (practice_id = current_practice()) with check (practice_id = current_practice());
grant select on practices to app_user;
grant select, insert, update on staff to app_user;
grant select, insert, update, delete on shifts to app_user;
insert into practices values ('11111111-1111-4111-8111-111111111111', 'Elm Street', '2001-04-01'), ('22222222-2222-4222-8222-222222222222', 'Harbour', '2011-04-01');
insert into staff values
  ('11111111-1111-4111-8111-111111111111', 'a0000000-0000-4000-8000-000000000001', 'Dr. Lind', '+49 170 111', '{doctor}'),
  ('22222222-2222-4222-8222-222222222222', 'b0000000-0000-4000-8000-000000000001', 'Dr. Haas', '+49 170 222', '{doctor}');
insert into shifts values
  ('11111111-1111-4111-8111-111111111111', 'a0000000-0000-4000-8000-000000000001', '[2025-01-01 08:00+00,2025-01-01 16:00+00)'),
  ('22222222-2222-4222-8222-222222222222', 'b0000000-0000-4000-8000-000000000001', '[2025-01-01 09:00+00,2025-01-01 17:00+00)');
--- fix
alter policy read_staff on staff using (practice_id = current_practice());
