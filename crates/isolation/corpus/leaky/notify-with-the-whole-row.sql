--: why = "The trigger sends each new order as JSON on one channel; LISTEN needs no privilege, so every tenant hears the orders of all."
--: class = "listen"
--: [[expect]]
--: object = "public.tell_kitchen"
--: verb = "listen"
--: kind = "leak"
create role app_user login;
create table public.tables_ (
  restaurant_id uuid not null,
  table_no smallint not null check (table_no > 0),
  seats smallint not null default 4,
  primary key (restaurant_id, table_no)
);
create table public.orders (
  restaurant_id uuid not null,
  order_id uuid not null default gen_random_uuid(),
  table_no smallint not null,
  dish text not null,
  guest_note text,
  placed_at timestamptz not null default now(),
  primary key (restaurant_id, order_id),
  foreign key (restaurant_id, table_no) references public.tables_
);
create function public.tell_kitchen() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
  perform pg_notify('kitchen', row_to_json(new)::text);
  return null;
end $$;
create trigger tell_kitchen after insert or update on public.orders for each row execute function public.tell_kitchen();
alter table public.tables_ enable row level security;
alter table public.tables_ force row level security;
alter table public.orders enable row level security;
alter table public.orders force row level security;
create policy r on public.tables_ using (restaurant_id = nullif(current_setting('app.restaurant', true), '')::uuid)
  with check (restaurant_id = nullif(current_setting('app.restaurant', true), '')::uuid);
create policy r on public.orders using (restaurant_id = nullif(current_setting('app.restaurant', true), '')::uuid)
  with check (restaurant_id = nullif(current_setting('app.restaurant', true), '')::uuid);
grant select, insert, update, delete on public.tables_, public.orders to app_user;
--- fix
drop trigger tell_kitchen on public.orders;
