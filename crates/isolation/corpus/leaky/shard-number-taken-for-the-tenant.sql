--: why = "The policy compares the shard (account_id % 64) instead of the account: accounts 7 and 71 share shard 7 and see each other's tickets."
--: class = "comparison"
--: [[expect]]
--: object = "support.tickets"
--: verb = "select"
--: kind = "leak"
create role support_app login;
create schema support;
create function support.shard(bigint) returns int language sql immutable parallel safe as $$ select ($1 % 64)::int $$;
create table support.agents (
  account_id bigint not null check (account_id > 0),
  agent text not null,
  skills text[] not null default '{}',
  primary key (account_id, agent)
);
create table support.tickets (
  account_id bigint not null check (account_id > 0),
  ticket_no int not null check (ticket_no > 0),
  subject text not null,
  priority smallint not null default 3 check (priority between 1 and 5),
  agent text,
  primary key (account_id, ticket_no),
  foreign key (account_id, agent) references support.agents
);
create index on support.tickets (support.shard(account_id));
alter table support.agents enable row level security, force row level security;
alter table support.tickets enable row level security, force row level security;
create policy a on support.agents using (account_id = nullif(current_setting('app.account', true), '')::bigint);
create policy a on support.tickets using (support.shard(account_id) = support.shard(nullif(current_setting('app.account', true), '')::bigint));
grant usage on schema support to support_app;
grant select, insert, update, delete on support.agents, support.tickets to support_app;
--- fix
alter policy a on support.tickets using (account_id = nullif(current_setting('app.account', true), '')::bigint);
