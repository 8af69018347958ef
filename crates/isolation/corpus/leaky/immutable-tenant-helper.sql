--: why = "public.tenant() is IMMUTABLE, so a prepared statement folds the tenant of its first execution into the plan and serves it to the next tenant on the same pooled connection."
--: class = "stale-context"
--: [[expect]]
--: object = "public.tenant"
--: verb = "select"
--: kind = "leak"
create role app_user login;
create function public.tenant() returns uuid language sql immutable parallel safe as
  $$ select nullif(current_setting('app.tenant_id', true), '')::uuid $$;
create table public.recipes (
  tenant_id uuid not null default public.tenant(),
  recipe_id uuid not null default gen_random_uuid(),
  title text not null,
  minutes int not null default 30 check (minutes between 1 and 2880),
  primary key (tenant_id, recipe_id)
);
create table public.ingredients (
  tenant_id uuid not null default public.tenant(),
  recipe_id uuid not null,
  line smallint not null check (line > 0),
  what text not null,
  amount numeric(8,2),
  unit text check (unit in ('g', 'ml', 'pc')),
  primary key (tenant_id, recipe_id, line),
  foreign key (tenant_id, recipe_id) references public.recipes on delete cascade
);
alter table public.recipes enable row level security;
alter table public.recipes force row level security;
alter table public.ingredients enable row level security;
alter table public.ingredients force row level security;
create policy tenant on public.recipes using (tenant_id = public.tenant()) with check (tenant_id = public.tenant());
create policy tenant on public.ingredients using (tenant_id = public.tenant()) with check (tenant_id = public.tenant());
grant select, insert, update, delete on public.recipes, public.ingredients to app_user;
--- fix
alter function public.tenant() stable;
