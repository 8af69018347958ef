--: why = "The UPDATE policy has WITH CHECK (true). UPDATE … SET insurer_id = <B> that reads no column skips the SELECT policy, so A's own rows land in B's book."
--: class = "missing-with-check"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "insurer_id"
--: tenants = ["101", "202"]
--: context = "SET LOCAL app.insurer_id = '{tenant}'"
--: [[expect]]
--: object = "public.claims"
--: verb = "update"
--: kind = "leak"
create role app_user login;
create table insurers (insurer_id bigint primary key, name text not null);
create table claims (
  insurer_id bigint not null references insurers,
  claim_id uuid not null default gen_random_uuid(),
  animal text not null check (animal in ('dog', 'cat', 'horse', 'parrot')),
  amount numeric(10,2) not null default 0 check (amount >= 0),
  settled boolean not null default false,
  primary key (insurer_id, claim_id)
);
create table vets (
  insurer_id bigint not null references insurers,
  vet_id uuid not null default gen_random_uuid(),
  name text not null,
  location point,
  primary key (insurer_id, vet_id)
);
alter table insurers enable row level security, force row level security;
alter table claims enable row level security, force row level security;
alter table vets enable row level security, force row level security;
create policy own on insurers for select using (insurer_id = nullif(current_setting('app.insurer_id', true), '')::bigint);
create policy own_read on claims for select using (insurer_id = nullif(current_setting('app.insurer_id', true), '')::bigint);
create policy own_add on claims for insert with check (insurer_id = nullif(current_setting('app.insurer_id', true), '')::bigint);
create policy own_edit on claims for update using (insurer_id = nullif(current_setting('app.insurer_id', true), '')::bigint) with check (true);
create policy own on vets using (insurer_id = nullif(current_setting('app.insurer_id', true), '')::bigint)
  with check (insurer_id = nullif(current_setting('app.insurer_id', true), '')::bigint);
grant select on insurers to app_user;
grant select, insert, update on claims to app_user;
grant select, insert, update, delete on vets to app_user;
insert into insurers values (101, 'Paw Mutual'), (202, 'Hoof & Horn');
insert into claims (insurer_id, animal, amount) values (101, 'dog', 120), (101, 'cat', 80), (202, 'horse', 2400);
insert into vets (insurer_id, name) values (101, 'Dr. Moss'), (202, 'Dr. Fern');
--- fix
alter policy own_edit on claims with check (insurer_id = nullif(current_setting('app.insurer_id', true), '')::bigint);
