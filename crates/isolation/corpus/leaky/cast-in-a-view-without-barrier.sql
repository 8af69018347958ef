--: why = "my_contacts filters in its WHERE but is no security barrier: a cheaper leaky condition of the caller (a pg_temp function, or a cast whose error quotes the value) is evaluated before the filter on everybody's rows."
--: class = "view"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "team_id"
--: tenants = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
--: context = "SET LOCAL app.team_id = '{tenant}'"
--: [[expect]]
--: object = "public.my_contacts"
--: verb = "select"
--: kind = "leak"
create role app_user login;
create function current_team() returns uuid language plpgsql stable as $$
begin
  return nullif(current_setting('app.team_id', true), '')::uuid;
end $$;
create table contacts_all (
  team_id uuid not null,
  contact_id uuid not null default gen_random_uuid(),
  full_name text not null,
  phone text not null,
  notes text[] not null default '{}',
  primary key (contact_id)
);
create table meetings (
  team_id uuid not null,
  meeting_id uuid not null default gen_random_uuid(),
  subject text not null,
  slot tstzrange not null,
  primary key (team_id, meeting_id)
);
alter table contacts_all enable row level security, force row level security;
alter table meetings enable row level security, force row level security;
create policy team on contacts_all using (team_id = current_team());
create policy team on meetings using (team_id = current_team());
create view my_contacts as
  select contact_id, full_name, phone, notes from contacts_all where team_id = current_team();
grant select on my_contacts to app_user;
grant select, insert, update, delete on meetings to app_user;
insert into contacts_all (team_id, full_name, phone) values
  ('11111111-1111-4111-8111-111111111111', 'Nora Quill', '0711 1'), ('22222222-2222-4222-8222-222222222222', 'Emil Stern', '0355 92 17');
insert into meetings (team_id, subject, slot) values
  ('11111111-1111-4111-8111-111111111111', 'kick-off', '[2025-01-01,2025-01-02)'), ('22222222-2222-4222-8222-222222222222', 'merger', '[2025-01-01,2025-01-02)');
--- fix
alter view my_contacts set (security_barrier = true);
