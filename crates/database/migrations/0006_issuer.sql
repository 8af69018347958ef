-- Credentials and sessions of the embedded issuer: a schema of its own, for its login alone. Control tables.
--
-- No password, refresh token or private key is kept here: only a hash of the first two and the public half of the third.
-- Moments come from the program, whose clock also writes them into tokens.

create schema issuer;
comment on schema issuer is 'The embedded issuer. Empty where another issuer is used.';
grant usage on schema issuer to :"issuer";

create table issuer.accounts (
  user_id uuid primary key,
  email text not null check (octet_length(email) <= 254),
  email_normalised text not null unique check (octet_length(email_normalised) <= 254),
  password_hash text not null check (octet_length(password_hash) <= 300),
  user_metadata jsonb not null default '{}' check (jsonb_typeof(user_metadata) = 'object'),
  first_tenant_id uuid not null,
  provisioned_at timestamptz,
  disabled_at timestamptz,
  created_at timestamptz not null,
  last_sign_in_at timestamptz
);
comment on table issuer.accounts is 'People who sign in by password. Control table.';
comment on column issuer.accounts.password_hash is 'Argon2id in PHC form.';
comment on column issuer.accounts.user_metadata is 'What the person says of themselves; nothing may be decided by it.';
comment on column issuer.accounts.first_tenant_id is
  'The workspace made with the account. Fixed beforehand, so that making it again makes the same one.';
comment on column issuer.accounts.provisioned_at is 'When that workspace was made; until then every sign-in makes it.';

create table issuer.sessions (
  session_id uuid primary key,
  user_id uuid not null references issuer.accounts (user_id),
  created_at timestamptz not null,
  refreshed_at timestamptz not null,
  revoked_at timestamptz
);
comment on table issuer.sessions is 'Signed-in sessions. Control table.';
create index sessions_by_user on issuer.sessions (user_id);

create table issuer.refresh_tokens (
  token_hash bytea primary key check (octet_length(token_hash) = 32),
  session_id uuid not null references issuer.sessions (session_id),
  parent_hash bytea unique,
  salt bytea check (octet_length(salt) = 32),
  issued_at timestamptz not null,
  used_at timestamptz
);
comment on table issuer.refresh_tokens is 'One chain of refresh tokens a session, each used once. Control table.';
comment on column issuer.refresh_tokens.salt is
  'Makes this token out of its parent, so that whoever repeats the parent within the grace gets the same token again. '
  'Worthless without the parent itself, and erased once the grace is over.';
create index refresh_tokens_by_session on issuer.refresh_tokens (session_id);

create table issuer.signing_keys (
  kid text primary key check (char_length(kid) between 1 and 200),
  public_jwk jsonb not null,
  state text not null check (state in ('next', 'active', 'retiring', 'retired')),
  created_at timestamptz not null,
  activates_at timestamptz,
  retires_at timestamptz
);
comment on table issuer.signing_keys is 'Public halves of the signing keys. Control table.';
comment on column issuer.signing_keys.activates_at is 'From when a next key signs: by then every cache of the key set has it.';
comment on column issuer.signing_keys.retires_at is 'When the last token signed by a retiring key has run out.';
create unique index signing_keys_one_next on issuer.signing_keys (state) where state = 'next';
create unique index signing_keys_one_active on issuer.signing_keys (state) where state = 'active';

alter table issuer.accounts enable row level security;
alter table issuer.accounts force row level security;
create policy accounts_issuer on issuer.accounts to :"issuer" using (true) with check (true);
alter table issuer.sessions enable row level security;
alter table issuer.sessions force row level security;
create policy sessions_issuer on issuer.sessions to :"issuer" using (true) with check (true);
alter table issuer.refresh_tokens enable row level security;
alter table issuer.refresh_tokens force row level security;
create policy refresh_tokens_issuer on issuer.refresh_tokens to :"issuer" using (true) with check (true);
alter table issuer.signing_keys enable row level security;
alter table issuer.signing_keys force row level security;
create policy signing_keys_issuer on issuer.signing_keys to :"issuer" using (true) with check (true);

grant select, insert, update (provisioned_at, last_sign_in_at) on issuer.accounts to :"issuer";
grant select, insert, delete, update (refreshed_at, revoked_at) on issuer.sessions to :"issuer";
grant select, insert, delete, update (salt, used_at) on issuer.refresh_tokens to :"issuer";
grant select, insert, update (state, activates_at, retires_at) on issuer.signing_keys to :"issuer";

create function issuer.rotate_refresh_token(
  presented bytea, successor bytea, successor_salt bytea, moment timestamptz, grace interval,
  out outcome text, out salts bytea[])
  language plpgsql
as $$
declare
  family uuid;
  revoked timestamptz;
  used timestamptz;
begin
  select t.session_id into family from issuer.refresh_tokens t where t.token_hash = presented;
  -- The session's row is the lock of its chain.
  select s.revoked_at into revoked from issuer.sessions s where s.session_id = family for update;
  if not found then
    outcome := 'unknown';
    return;
  end if;
  select t.used_at into used from issuer.refresh_tokens t where t.token_hash = presented;
  if revoked is not null then
    outcome := case when used is null then 'unknown' else 'reused' end;
  elsif used is null then
    update issuer.refresh_tokens t set used_at = moment where t.token_hash = presented;
    insert into issuer.refresh_tokens (token_hash, session_id, parent_hash, salt, issued_at)
    values (successor, family, presented, successor_salt, moment);
    update issuer.sessions s set refreshed_at = moment where s.session_id = family;
    update issuer.refresh_tokens t
       set salt = null
     where t.session_id = family and t.salt is not null and t.issued_at <= moment - grace;
    delete from issuer.refresh_tokens t where t.session_id = family and t.used_at < moment - interval '30 days';
    outcome := 'rotated';
    salts := array[successor_salt];
  elsif used > moment - grace then
    with recursive chain as (
      select t.token_hash, t.salt, 1 as place
        from issuer.refresh_tokens t
       where t.parent_hash = presented
      union all
      select t.token_hash, t.salt, c.place + 1
        from issuer.refresh_tokens t
        join chain c on t.parent_hash = c.token_hash
    )
    select array_agg(c.salt order by c.place) into salts from chain c;
    -- Erased already where the clock has since stepped back.
    outcome := case when salts is null or array_position(salts, null) is not null then 'unknown' else 'rotated' end;
  else
    update issuer.sessions s set revoked_at = moment where s.session_id = family;
    outcome := 'reused';
  end if;
end
$$;
comment on function issuer.rotate_refresh_token(bytea, bytea, bytea, timestamptz, interval) is
  'Uses a refresh token. ''rotated'' with the salts that lead from it to the token now at the end of its chain; '
  '''reused'' where it was used before the grace, which ends the session; ''unknown'' where it or its session is gone.';

create function issuer.advance_signing_keys(moment timestamptz, verifiable interval) returns void
  language plpgsql
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('issuer.signing_keys', 0));
  update issuer.signing_keys k set state = 'retired' where k.state = 'retiring' and k.retires_at <= moment;
  if exists (select from issuer.signing_keys k where k.state = 'next' and k.activates_at <= moment) then
    update issuer.signing_keys k
       set state = 'retiring', retires_at = moment + verifiable
     where k.state = 'active';
    update issuer.signing_keys k set state = 'active' where k.state = 'next';
  end if;
end
$$;
comment on function issuer.advance_signing_keys(timestamptz, interval) is
  'Moves every key on whose time has come; a key that stops signing stays verifiable for the interval.';

create function issuer.replace_signing_key(
  lost text, fresh text, fresh_jwk jsonb, moment timestamptz, verifiable interval) returns boolean
  language plpgsql
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('issuer.signing_keys', 0));
  update issuer.signing_keys k
     set state = case k.state when 'active' then 'retiring' else 'retired' end,
         retires_at = moment + verifiable
   where k.kid = lost and k.state in ('next', 'active');
  insert into issuer.signing_keys (kid, public_jwk, state, created_at)
  select fresh, fresh_jwk, 'active', moment
   where fresh is not null and not exists (select from issuer.signing_keys k where k.state = 'active');
  return found;
end
$$;
comment on function issuer.replace_signing_key(text, text, jsonb, timestamptz, interval) is
  'Takes a key out of use whose private half is lost, and lets the fresh one sign where none is left that does; '
  'tells whether it does.';

grant execute on function
  issuer.rotate_refresh_token(bytea, bytea, bytea, timestamptz, interval),
  issuer.advance_signing_keys(timestamptz, interval),
  issuer.replace_signing_key(text, text, jsonb, timestamptz, interval)
  to :"issuer";
