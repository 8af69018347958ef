--: why = "Bulk mail is loaded by COPY into outbox, which therefore has no RLS. INSERT is granted on all columns including account_id, so A queues mail in B's name."
--: class = "copy"
--: [isolation]
--: app_role = "mailer"
--: tenant_column = "account_id"
--: context = "SET LOCAL mail.account = '{tenant}'"
--: [[expect]]
--: object = "public.outbox"
--: verb = "insert"
--: kind = "leak"
create role mailer login;
create function mail_account() returns uuid language sql stable as $$ select nullif(current_setting('mail.account', true), '')::uuid $$;
create table senders (
  account_id uuid not null,
  address text not null check (address ~ '^[^@\s]+@[^@\s]+$'),
  verified_at timestamptz,
  primary key (account_id, address)
);
create table outbox (
  account_id uuid not null default mail_account(),
  rcpt text not null check (rcpt ~ '^[^@\s]+@[^@\s]+$'),
  subject text not null,
  body text not null,
  queued_at timestamptz not null default now()
);
create index on outbox (account_id, queued_at);
create table suppressions (
  account_id uuid not null default mail_account(),
  rcpt text not null,
  reason text not null check (reason in ('bounce', 'complaint', 'manual')),
  primary key (account_id, rcpt)
);
alter table senders enable row level security;
alter table senders force row level security;
alter table suppressions enable row level security;
alter table suppressions force row level security;
create policy mine on senders using (account_id = mail_account());
create policy mine on suppressions using (account_id = mail_account());
grant select, insert, delete on senders, suppressions to mailer;
grant insert on outbox to mailer;
--- fix
revoke insert on outbox from mailer;
grant insert (rcpt, subject, body) on outbox to mailer;
