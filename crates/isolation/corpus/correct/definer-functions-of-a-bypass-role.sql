--: why = "A NOLOGIN role with BYPASSRLS owns the functions and the app role is no member of it; each function has a fixed path and filters by the caller's tenant, also when an argument names another."
--: class = "definer-function"
--: [isolation]
--: app_role = "mill_app"
--: tenant_column = "mill_id"
--: tenants = ["5", "6"]
--: context = ["SET LOCAL mill.id = '{tenant}'", "SET LOCAL mill.shift = 'early'"]
create role mill_engine nologin bypassrls;
create role mill_app login;
create schema mill;
create table mill.silos (
  mill_id smallint not null,
  silo text not null check (silo ~ '^[A-F][1-9]$'),
  tonnes numeric(8,2) not null default 0 check (tonnes >= 0),
  primary key (mill_id, silo)
);
create table mill.moves (
  mill_id smallint not null,
  move_id uuid not null default gen_random_uuid(),
  from_silo text not null,
  to_silo text not null check (to_silo <> from_silo),
  tonnes numeric(8,2) not null check (tonnes > 0),
  primary key (mill_id, move_id),
  foreign key (mill_id, from_silo) references mill.silos,
  foreign key (mill_id, to_silo) references mill.silos
);
create function mill.here() returns smallint language sql stable as
  $$ select nullif(current_setting('mill.id', true), '')::smallint $$;
alter table mill.silos enable row level security;
alter table mill.silos force row level security;
alter table mill.moves enable row level security;
alter table mill.moves force row level security;
create policy m on mill.silos for select using (mill_id = mill.here());
create policy m on mill.moves for select using (mill_id = mill.here());
create function mill.stock(p_mill smallint default mill.here()) returns numeric
language sql stable security definer set search_path = mill, pg_temp as
  $$ select coalesce(sum(s.tonnes), 0) from mill.silos s where s.mill_id = p_mill and s.mill_id = mill.here() $$;
create procedure mill.transfer(p_from text, p_to text, p_tonnes numeric)
language plpgsql security definer set search_path = mill, pg_temp as $$
begin
  insert into mill.moves (mill_id, from_silo, to_silo, tonnes) values (mill.here(), p_from, p_to, p_tonnes);
  update mill.silos s set tonnes = s.tonnes + case s.silo when p_to then p_tonnes else -p_tonnes end
    where s.mill_id = mill.here() and s.silo in (p_from, p_to);
end $$;
revoke execute on function mill.stock(smallint) from public;
revoke execute on procedure mill.transfer(text, text, numeric) from public;
alter function mill.stock(smallint) owner to mill_engine;
alter procedure mill.transfer(text, text, numeric) owner to mill_engine;
grant usage on schema mill to mill_app, mill_engine;
grant select, update on mill.silos to mill_engine;
grant insert on mill.moves to mill_engine;
grant select on mill.silos, mill.moves to mill_app;
grant execute on function mill.stock(smallint) to mill_app;
grant execute on procedure mill.transfer(text, text, numeric) to mill_app;
insert into mill.silos values (5, 'A1', 120.50), (5, 'A2', 0), (6, 'A1', 777.25), (6, 'B1', 3);
