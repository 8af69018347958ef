--: why = "Superuser-owned definer functions read and write past RLS with ids from the caller, but each fixes its search_path, refuses a missing tenant and filters by it in every statement."
--: class = "definer-function"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "tenant_id"
--: context = "SET LOCAL app.tenant_id = '{tenant}'"
create role app_user login;
create schema app;
create table app.wallets (
  tenant_id uuid not null,
  wallet text not null check (wallet ~ '^[a-z]{1,20}$'),
  cents bigint not null default 0 check (cents >= 0),
  primary key (tenant_id, wallet)
);
create table app.moves (
  tenant_id uuid not null,
  move_id uuid not null default gen_random_uuid(),
  from_wallet text not null,
  to_wallet text not null,
  cents bigint not null check (cents > 0),
  primary key (tenant_id, move_id),
  foreign key (tenant_id, from_wallet) references app.wallets,
  foreign key (tenant_id, to_wallet) references app.wallets
);
alter table app.wallets enable row level security, force row level security;
alter table app.moves enable row level security, force row level security;
create policy t on app.wallets using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy t on app.moves using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create function app.me() returns uuid language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare t uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
begin
  if t is null then raise exception 'no tenant' using errcode = '42501'; end if;
  return t;
end $$;
create function app.move(f text, t text, c bigint) returns uuid language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare me uuid := app.me(); id uuid;
begin
  update app.wallets w set cents = w.cents - c where w.tenant_id = me and w.wallet = f and w.cents >= c and c > 0;
  if not found then raise exception 'not enough'; end if;
  update app.wallets w set cents = w.cents + c where w.tenant_id = me and w.wallet = t;
  insert into app.moves (tenant_id, from_wallet, to_wallet, cents) values (me, f, t, c) returning move_id into id;
  return id;
end $$;
create function app.history(w text default '%') returns table (move_id uuid, cents bigint) language sql stable security definer
  set search_path = pg_catalog, pg_temp as $$
  select m.move_id, m.cents from app.moves m where m.tenant_id = app.me() and (m.from_wallet like w or m.to_wallet like w)
$$;
create function app.moves_between(a date, b date) returns bigint language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare n bigint;
begin
  execute format('select count(*) from app.moves where tenant_id = %L and $1 <= $2', app.me()) into n using a, b;
  return n;
end $$;
revoke execute on all functions in schema app from public;
grant usage on schema app to app_user;
grant execute on all functions in schema app to app_user;
grant select on app.wallets to app_user;
