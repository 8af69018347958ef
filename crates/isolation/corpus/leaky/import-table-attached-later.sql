--: why = "legs_2023 was an import table with its own grants before it was attached as a partition; attaching adds neither RLS nor policies, so it can be read and written directly."
--: class = "rls-missing"
--: [isolation]
--: app_role = "freight_api"
--: tenant_column = "carrier_id"
--: tenants = ["c0ffee00-0000-4000-8000-00000000000a", "c0ffee00-0000-4000-8000-00000000000b"]
--: context = ["SET LOCAL app.carrier_id = '{tenant}'", "SET LOCAL app.user_id = '7'"]
--: [[expect]]
--: object = "freight.legs_2023"
--: verb = "select"
--: kind = "leak"
create role freight_api login;
create schema freight;
create table freight.carriers (carrier_id uuid primary key, name text not null);
create table freight.legs (
  carrier_id uuid not null references freight.carriers,
  leg_no text not null,
  departs date not null,
  origin text not null,
  destination text not null check (destination <> origin),
  weight_kg numeric(9,1) check (weight_kg between 0 and 44000),
  primary key (carrier_id, leg_no, departs)
) partition by range (departs);
create table freight.legs_2024 partition of freight.legs for values from ('2024-01-01') to ('2025-01-01');
create table freight.notes (
  carrier_id uuid not null references freight.carriers,
  note_id uuid not null default gen_random_uuid(),
  author_id int not null,
  body text not null,
  primary key (carrier_id, note_id)
);
alter table freight.carriers enable row level security, force row level security;
alter table freight.legs enable row level security, force row level security;
alter table freight.notes enable row level security, force row level security;
create policy t on freight.carriers for select using (carrier_id = nullif(current_setting('app.carrier_id', true), '')::uuid);
create policy t on freight.legs using (carrier_id = nullif(current_setting('app.carrier_id', true), '')::uuid)
  with check (carrier_id = nullif(current_setting('app.carrier_id', true), '')::uuid);
create policy t on freight.notes using (carrier_id = nullif(current_setting('app.carrier_id', true), '')::uuid)
  with check (carrier_id = nullif(current_setting('app.carrier_id', true), '')::uuid
              and author_id = nullif(current_setting('app.user_id', true), '')::int);
grant usage on schema freight to freight_api;
grant select on freight.carriers to freight_api;
grant select, insert, update, delete on freight.legs, freight.notes to freight_api;
insert into freight.carriers values ('c0ffee00-0000-4000-8000-00000000000a', 'Alder Haulage'), ('c0ffee00-0000-4000-8000-00000000000b', 'Birch Lines');
-- the old year came from the previous system
create table freight.legs_2023 (like freight.legs including all);
grant select, insert on freight.legs_2023 to freight_api;
insert into freight.legs_2023 values
  ('c0ffee00-0000-4000-8000-00000000000a', 'L1', '2023-06-01', 'Bremen', 'Lyon', 900),
  ('c0ffee00-0000-4000-8000-00000000000b', 'L1', '2023-06-02', 'Gdansk', 'Turin', 1200);
alter table freight.legs attach partition freight.legs_2023 for values from ('2023-01-01') to ('2024-01-01');
--- fix
revoke all on freight.legs_2023 from freight_api;
