--: why = "Rows with a NULL gym are templates that every gym reads; the FOR ALL policy accepts NULL for writing too, so one gym changes, deletes or takes over what all others see and plants rows for all."
--: class = "policy-too-wide"
--: [isolation]
--: app_role = "gym_app"
--: tenant_column = "gym_id"
--: tenants = ["0a0a0a0a-0000-4000-8000-000000000001", "0b0b0b0b-0000-4000-8000-000000000002"]
--: context = "SET LOCAL app.gym_id = '{tenant}'"
--: [[expect]]
--: object = "public.workout_templates"
--: verb = "update"
--: kind = "leak"
create role gym_app login;
create table gyms (gym_id uuid primary key, name text not null, hours int4range not null default '[6,22)');
create table workout_templates (
  template_id uuid primary key default gen_random_uuid(),
  gym_id uuid references gyms,
  title text not null,
  minutes int not null check (minutes between 5 and 180)
);
create table classes (
  gym_id uuid not null references gyms,
  class_id uuid not null default gen_random_uuid(),
  title text not null,
  starts timestamptz not null,
  primary key (gym_id, class_id)
);
alter table gyms enable row level security, force row level security;
alter table workout_templates enable row level security, force row level security;
alter table classes enable row level security, force row level security;
create policy own on gyms for select using (gym_id = nullif(current_setting('app.gym_id', true), '')::uuid);
create policy own_or_shared on workout_templates
  using (gym_id is null or gym_id = nullif(current_setting('app.gym_id', true), '')::uuid);
create policy own on classes using (gym_id = nullif(current_setting('app.gym_id', true), '')::uuid);
grant select on gyms to gym_app;
grant select, insert, update, delete on workout_templates, classes to gym_app;
insert into gyms values ('0a0a0a0a-0000-4000-8000-000000000001', 'Iron Hall', '[5,23)'), ('0b0b0b0b-0000-4000-8000-000000000002', 'Studio Nine', '[8,20)');
insert into workout_templates (gym_id, title, minutes) values
  (null, 'Warm-up', 10), (null, 'Stretching', 20),
  ('0a0a0a0a-0000-4000-8000-000000000001', 'Monday blast', 45), ('0b0b0b0b-0000-4000-8000-000000000002', 'Secret course', 60);
insert into classes (gym_id, title, starts) values
  ('0a0a0a0a-0000-4000-8000-000000000001', 'Spin', '2025-05-05 18:00+00'), ('0b0b0b0b-0000-4000-8000-000000000002', 'Row', '2025-05-05 19:00+00');
--- fix
drop policy own_or_shared on workout_templates;
create policy own on workout_templates using (gym_id = nullif(current_setting('app.gym_id', true), '')::uuid);
create policy shared on workout_templates for select using (gym_id is null);
