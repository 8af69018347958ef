--: why = "The organisation id comes out of the JSON claims as double precision, which cannot tell 9007199254740992 from ...993: neighbouring snowflake ids are one tenant."
--: class = "comparison"
--: [isolation]
--: app_role = "api"
--: tenant_column = "org_id"
--: tenants = ["9007199254740992", "9007199254740993"]
--: context = "set local request.jwt.claims = '{\"role\": \"api\", \"app_metadata\": {\"org_id\": {tenant}}}'"
--: [[expect]]
--: object = "public.messages"
--: verb = "select"
--: kind = "leak"
create role api login;
create function jwt_org_number() returns double precision language sql stable as $$
  select (nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,org_id}')::double precision
$$;
create function jwt_org() returns bigint language sql stable as $$
  select (nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,org_id}')::bigint
$$;
create table channels (
  org_id bigint not null check (org_id > 0),
  channel text not null check (channel ~ '^#[a-z0-9-]+$'),
  topic text,
  primary key (org_id, channel)
);
create table messages (
  org_id bigint not null,
  channel text not null,
  sent_at timestamptz not null default clock_timestamp(),
  author text not null,
  body text not null check (length(body) <= 4000),
  primary key (org_id, channel, sent_at),
  foreign key (org_id, channel) references channels on delete cascade
);
alter table channels enable row level security, force row level security;
alter table messages enable row level security, force row level security;
create policy org on channels using (org_id = jwt_org()) with check (org_id = jwt_org());
create policy org on messages using (org_id = jwt_org_number()) with check (org_id = jwt_org());
grant select, insert, update, delete on channels, messages to api;
insert into channels values (9007199254740992, '#general', 'all'), (9007199254740993, '#board', 'quiet');
insert into messages values (9007199254740992, '#general', '2025-01-01', 'mia', 'hi'), (9007199254740993, '#board', '2025-01-01', 'leo', 'we will sell');
--- fix
alter policy org on messages using (org_id = jwt_org());
