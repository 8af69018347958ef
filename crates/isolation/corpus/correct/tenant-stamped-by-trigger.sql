--: why = "INSERT and UPDATE policies say WITH CHECK (true), but a BEFORE trigger overwrites the tenant with the caller's before policies are checked, and refuses without one; reading and choosing rows is by tenant."
--: class = "missing-with-check"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "firm"
--: tenants = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
--: context = "SET LOCAL app.firm = '{tenant}'"
create role app_user login;
create function stamp_firm() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  new.firm := nullif(current_setting('app.firm', true), '')::uuid;
  if new.firm is null then raise exception 'no firm' using errcode = '42501'; end if;
  return new;
end $$;
create table clients (
  firm uuid not null,
  client_id uuid not null default gen_random_uuid(),
  name text not null,
  primary key (firm, client_id)
);
create table letters (
  firm uuid not null,
  letter_id uuid not null default gen_random_uuid(),
  client_id uuid,
  body text not null,
  primary key (firm, letter_id),
  foreign key (firm, client_id) references clients on delete cascade
);
do $$
declare t text;
begin
  foreach t in array array['clients', 'letters'] loop
    execute format('alter table %I enable row level security, force row level security', t);
    execute format('create trigger a_stamp before insert or update on %I for each row execute function stamp_firm()', t);
    execute format($p$create policy see on %I for select using (firm = nullif(current_setting('app.firm', true), '')::uuid)$p$, t);
    execute format('create policy add on %I for insert with check (true)', t);
    execute format($p$create policy edit on %I for update using (firm = nullif(current_setting('app.firm', true), '')::uuid) with check (true)$p$, t);
    execute format($p$create policy gone on %I for delete using (firm = nullif(current_setting('app.firm', true), '')::uuid)$p$, t);
    execute format('grant select, insert, update, delete on %I to app_user', t);
  end loop;
end $$;
set app.firm = '11111111-1111-4111-8111-111111111111';
insert into clients (name) values ('Mr. Able');
insert into letters (body) values ('Dear Mr. Able');
set app.firm = '22222222-2222-4222-8222-222222222222';
insert into clients (name) values ('Mrs. Bell');
insert into letters (body) values ('Dear Mrs. Bell');
reset app.firm;
