--: why = "util.cents is marked LEAKPROOF although it raises an error that quotes its input; the planner may run it before the policy, and the error shows another tenant's value."
--: class = "plan"
--: [isolation]
--: app_role = "till_app"
--: tenant_column = "till_id"
--: context = "SET LOCAL till.id = '{tenant}'"
--: [[expect]]
--: object = "util.cents"
--: verb = "execute"
--: kind = "leak"
create role till_app login;
create schema util;
create schema till;
create function util.cents(p text) returns bigint language plpgsql immutable strict leakproof cost 1 as $$
begin
  if p !~ '^[0-9]+([.,][0-9]{1,2})?$' then
    raise exception 'not an amount: %', p;
  end if;
  return (replace(p, ',', '.')::numeric * 100)::bigint;
end $$;
create table till.drawers (
  till_id bigint not null,
  opened_on date not null,
  cashier text not null,
  primary key (till_id, opened_on)
);
create table till.bookings (
  till_id bigint not null,
  opened_on date not null,
  booking_id uuid not null default gen_random_uuid(),
  amount_text text not null,                      -- as printed on the slip
  memo text,
  primary key (till_id, booking_id),
  foreign key (till_id, opened_on) references till.drawers on delete cascade
);
alter table till.drawers enable row level security;
alter table till.drawers force row level security;
alter table till.bookings enable row level security;
alter table till.bookings force row level security;
create policy t on till.drawers using (till_id = nullif(current_setting('till.id', true), '')::bigint)
  with check (till_id = nullif(current_setting('till.id', true), '')::bigint);
create policy t on till.bookings using (till_id = nullif(current_setting('till.id', true), '')::bigint)
  with check (till_id = nullif(current_setting('till.id', true), '')::bigint);
grant usage on schema util, till to till_app;
grant select, insert, update, delete on till.drawers, till.bookings to till_app;
--- fix
alter function util.cents(text) not leakproof;
