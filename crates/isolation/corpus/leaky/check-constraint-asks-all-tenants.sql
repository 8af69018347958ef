--: why = "The CHECK calls a definer function that looks for the code in every tenant's rows, so an INSERT (or calling the function) tells whether someone else uses a promotion code."
--: class = "existence"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "merchant_id"
--: context = "SET LOCAL app.merchant_id = '{tenant}'"
--: [[expect]]
--: object = "public.code_is_free"
--: verb = "existence"
--: kind = "leak"
create role app_user login;
create table merchants (merchant_id uuid primary key default gen_random_uuid(), name text not null);
create table promotions (
  merchant_id uuid not null references merchants,
  promotion_id uuid not null default gen_random_uuid(),
  code text not null check (code ~ '^[A-Z0-9]{4,12}$'),
  percent int not null check (percent between 1 and 90),
  primary key (merchant_id, promotion_id)
);
create table redemptions (
  merchant_id uuid not null,
  promotion_id uuid not null,
  order_no text not null,
  at timestamptz not null default now(),
  primary key (merchant_id, promotion_id, order_no),
  foreign key (merchant_id, promotion_id) references promotions on delete cascade
);
alter table merchants enable row level security, force row level security;
alter table promotions enable row level security, force row level security;
alter table redemptions enable row level security, force row level security;
create policy m on merchants for select using (merchant_id = nullif(current_setting('app.merchant_id', true), '')::uuid);
create policy m on promotions using (merchant_id = nullif(current_setting('app.merchant_id', true), '')::uuid);
create policy m on redemptions using (merchant_id = nullif(current_setting('app.merchant_id', true), '')::uuid);
create function code_is_free(c text) returns boolean language sql stable security definer set search_path = public, pg_temp
  as $$ select not exists (select 1 from promotions p where p.code = c) $$;
alter table promotions add constraint promotions_code_free check (code_is_free(code));
grant select on merchants to app_user;
grant select, insert, delete on promotions, redemptions to app_user;
--- fix
alter function code_is_free(text) security invoker;
