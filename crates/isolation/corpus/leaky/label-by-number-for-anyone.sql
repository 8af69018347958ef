--: why = "ship.label_for is SECURITY DEFINER and looks a parcel up by its running number only; numbers start at 1 for every account, so any caller reads the labels of all accounts."
--: class = "definer-function"
--: [isolation]
--: app_role = "ship_api"
--: tenant_column = "account_id"
--: tenants = ["71", "72"]
--: context = "SET LOCAL app.account = '{tenant}'"
--: [[expect]]
--: object = "ship.label_for"
--: verb = "execute"
--: kind = "leak"
create role ship_api login;
create schema ship;
create table ship.accounts (
  account_id bigint primary key,
  name text not null check (length(name) between 2 and 80),
  opened_on date not null default current_date
);
create table ship.parcels (
  account_id bigint not null references ship.accounts,
  parcel_no int not null check (parcel_no > 0),
  recipient text not null,
  street text not null,
  zip text not null check (zip ~ '^[0-9]{5}$'),
  grams int not null default 500 check (grams between 1 and 31500),
  primary key (account_id, parcel_no)
);
create table ship.scans (
  account_id bigint not null,
  parcel_no int not null,
  scanned_at timestamptz not null default now(),
  depot text not null,
  primary key (account_id, parcel_no, scanned_at),
  foreign key (account_id, parcel_no) references ship.parcels on delete cascade
);
alter table ship.accounts enable row level security;
alter table ship.accounts force row level security;
alter table ship.parcels enable row level security;
alter table ship.parcels force row level security;
alter table ship.scans enable row level security;
alter table ship.scans force row level security;
create policy own on ship.accounts for select using (account_id = nullif(current_setting('app.account', true), '')::bigint);
create policy own on ship.parcels using (account_id = nullif(current_setting('app.account', true), '')::bigint)
  with check (account_id = nullif(current_setting('app.account', true), '')::bigint);
create policy own on ship.scans using (account_id = nullif(current_setting('app.account', true), '')::bigint)
  with check (account_id = nullif(current_setting('app.account', true), '')::bigint);
create function ship.label_for(p_no int) returns table (recipient text, street text, zip text)
language sql stable security definer set search_path = '' as $$
  select p.recipient, p.street, p.zip from ship.parcels p where p.parcel_no = p_no
$$;
grant usage on schema ship to ship_api;
grant select on ship.accounts to ship_api;
grant select, insert, update, delete on ship.parcels, ship.scans to ship_api;
insert into ship.accounts (account_id, name) values (71, 'Teehaus Nord'), (72, 'Radladen Moser'), (73, 'Papier & Co');
insert into ship.parcels (account_id, parcel_no, recipient, street, zip) values
  (71, 1, 'Ida Lund', 'Hafenweg 3', '20457'), (71, 2, 'Per Holm', 'Am Deich 9', '25980'),
  (72, 1, 'Rosa Weiss', 'Bergstr. 14', '80331'), (73, 8, 'Ute Kern', 'Marktplatz 1', '70173');
insert into ship.scans (account_id, parcel_no, depot) values (71, 1, 'HAM2'), (72, 1, 'MUC1');
--- fix
create or replace function ship.label_for(p_no int) returns table (recipient text, street text, zip text)
language sql stable security definer set search_path = '' as $$
  select p.recipient, p.street, p.zip from ship.parcels p
  where p.parcel_no = p_no and p.account_id = nullif(current_setting('app.account', true), '')::bigint
$$;
