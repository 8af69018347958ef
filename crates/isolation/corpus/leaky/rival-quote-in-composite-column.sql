--: why = "A definer trigger fills the composite column rival of the caller's own quote with the cheapest quote of the other bidders, name and price."
--: class = "columns"
--: [isolation]
--: app_role = "tender_app"
--: tenant_column = "bidder"
--: context = "SET LOCAL tender.bidder = '{tenant}'"
--: [[expect]]
--: object = "tender.compare"
--: verb = "insert"
--: kind = "leak"
create role tender_app login;
create schema tender;
create type tender.rival as (bidder text, price numeric, remark text);
create table tender.lots (
  lot_code text primary key check (lot_code ~ '^L[0-9]{3}$'),
  subject text not null
);
create table tender.quotes (
  bidder text not null,
  quote_id uuid not null default gen_random_uuid(),
  lot_code text not null references tender.lots,
  price numeric(12,2) not null check (price > 0),
  remark text,
  rival tender.rival,
  primary key (bidder, quote_id)
);
create function tender.compare() returns trigger language plpgsql security definer set search_path = tender, pg_temp as $$
begin
  select row(q.bidder, q.price, q.remark)::tender.rival into new.rival
    from tender.quotes q where q.lot_code = new.lot_code order by q.price limit 1;
  return new;
end $$;
revoke execute on function tender.compare() from public;
create trigger compare before insert or update on tender.quotes for each row execute function tender.compare();
alter table tender.quotes enable row level security;
alter table tender.quotes force row level security;
create policy b on tender.quotes using (bidder = nullif(current_setting('tender.bidder', true), ''))
  with check (bidder = nullif(current_setting('tender.bidder', true), ''));
grant usage on schema tender to tender_app;
grant select on tender.lots to tender_app;
grant select, insert, update, delete on tender.quotes to tender_app;
insert into tender.lots values ('L001', 'Snow clearing'), ('L002', 'Street lights');
--- fix
create or replace function tender.compare() returns trigger language plpgsql security definer set search_path = tender, pg_temp as $$
begin
  select row(q.bidder, q.price, q.remark)::tender.rival into new.rival
    from tender.quotes q where q.lot_code = new.lot_code and q.bidder = nullif(current_setting('tender.bidder', true), '')
    order by q.price limit 1;
  return new;
end $$;
