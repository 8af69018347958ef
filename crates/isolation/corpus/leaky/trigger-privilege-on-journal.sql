--: why = "The app role has TRIGGER on ledger.journal: it attaches a function of its own that then runs in every other tenant's transactions and sends their rows away."
--: class = "privileges"
--: [[expect]]
--: object = "ledger.journal"
--: verb = "select"
--: kind = "leak"
create role ledger_app login;
create schema ledger;
create table ledger.books (
  org_id uuid not null,
  book text not null check (book ~ '^[0-9]{4}$'),
  title text not null,
  primary key (org_id, book)
);
create table ledger.journal (
  org_id uuid not null,
  entry_id uuid not null default gen_random_uuid(),
  book text not null,
  booked_on date not null default current_date,
  amount numeric(14,2) not null check (amount <> 0),
  memo text,
  primary key (org_id, entry_id),
  foreign key (org_id, book) references ledger.books
);
alter table ledger.books enable row level security;
alter table ledger.books force row level security;
alter table ledger.journal enable row level security;
alter table ledger.journal force row level security;
create policy org on ledger.books using (org_id = nullif(current_setting('app.org_id', true), '')::uuid)
  with check (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
create policy org on ledger.journal using (org_id = nullif(current_setting('app.org_id', true), '')::uuid)
  with check (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
grant usage on schema ledger to ledger_app;
grant select, insert, update, delete on ledger.books to ledger_app;
grant select, insert, update, delete, trigger on ledger.journal to ledger_app;
--- fix
revoke trigger on ledger.journal from ledger_app;
