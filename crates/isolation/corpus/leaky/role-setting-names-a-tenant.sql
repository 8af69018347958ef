--: why = "ALTER ROLE gives the app login a tenant to start with, so any connection that forgets its context silently works in that tenant."
--: class = "stale-context"
--: [isolation]
--: app_role = "choir_app"
--: tenant_column = "choir_id"
--: tenants = ["aaaa0000-0000-4000-8000-000000000001", "bbbb0000-0000-4000-8000-000000000002"]
--: context = "SET LOCAL app.choir_id = '{tenant}'"
--: [[expect]]
--: object = "role:choir_app"
--: verb = "select"
--: kind = "leak"
create role choir_app login;
alter role choir_app set app.choir_id = 'bbbb0000-0000-4000-8000-000000000002';   -- handy while testing
create schema choir;
create table choir.singers (
  choir_id uuid not null,
  singer_no int not null,
  name text not null,
  voice text not null check (voice in ('soprano', 'alto', 'tenor', 'bass')),
  primary key (choir_id, singer_no)
);
create table choir.rehearsals (
  choir_id uuid not null,
  starts timestamptz not null,
  place text not null default 'hall',
  absent int[] not null default '{}',
  primary key (choir_id, starts)
);
alter table choir.singers enable row level security;
alter table choir.singers force row level security;
alter table choir.rehearsals enable row level security;
alter table choir.rehearsals force row level security;
create policy c on choir.singers using (choir_id = nullif(current_setting('app.choir_id', true), '')::uuid)
  with check (choir_id = nullif(current_setting('app.choir_id', true), '')::uuid);
create policy c on choir.rehearsals using (choir_id = nullif(current_setting('app.choir_id', true), '')::uuid)
  with check (choir_id = nullif(current_setting('app.choir_id', true), '')::uuid);
grant usage on schema choir to choir_app;
grant select, insert, update, delete on choir.singers, choir.rehearsals to choir_app;
insert into choir.singers values ('aaaa0000-0000-4000-8000-000000000001', 1, 'Elsa', 'alto'),
  ('bbbb0000-0000-4000-8000-000000000002', 1, 'Tom', 'bass');
insert into choir.rehearsals (choir_id, starts) values ('bbbb0000-0000-4000-8000-000000000002', '2025-03-04 19:00+00');
--- fix
alter role choir_app reset app.choir_id;
