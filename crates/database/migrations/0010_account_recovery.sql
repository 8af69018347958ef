-- Ways back into an account: links that let their bearer in once, new passwords, and accounts that are shut.

alter table issuer.sessions
  add column method text not null default 'password' check (method in ('password', 'otp'));
comment on column issuer.sessions.method is 'How the person proved who they are: by password, or by a link.';

create table issuer.recoveries (
  token_hash bytea primary key check (octet_length(token_hash) = 32),
  user_id uuid not null references issuer.accounts (user_id),
  kind text not null check (kind in ('link', 'code')),
  code_challenge text check (char_length(code_challenge) between 43 and 128),
  code_challenge_method text check (code_challenge_method in ('s256', 'plain')),
  created_at timestamptz not null,
  expires_at timestamptz not null,
  check ((code_challenge is null) = (code_challenge_method is null)),
  check (kind = 'link' or code_challenge is not null)
);
comment on table issuer.recoveries is
  'What lets a person in without the password, once each: links, and the codes that a link is changed for where the '
  'client proves by a challenge (RFC 7636) that it is the one that asked. Control table.';
create index recoveries_by_user on issuer.recoveries (user_id);
create index recoveries_by_end on issuer.recoveries (expires_at);

alter table issuer.recoveries enable row level security;
alter table issuer.recoveries force row level security;
create policy recoveries_issuer on issuer.recoveries to :"issuer" using (true) with check (true);
grant select, insert, delete on issuer.recoveries to :"issuer";
grant update (password_hash, user_metadata, disabled_at) on issuer.accounts to :"issuer";

-- Each of these locks the account's row first. So does whatever else opens a session: none is opened by what is being
-- taken away.

create function issuer.take_recovery(presented bytea, wanted text, moment timestamptz) returns issuer.recoveries
  language plpgsql
as $$
declare
  taken issuer.recoveries;
begin
  perform
    from issuer.accounts a
    join issuer.recoveries r on r.user_id = a.user_id
   where r.token_hash = presented and a.disabled_at is null
     for no key update of a;
  if found then
    delete from issuer.recoveries r
     where r.token_hash = presented and r.kind = wanted and r.expires_at > moment
    returning r.* into taken;
  end if;
  return taken;
end
$$;
comment on function issuer.take_recovery(bytea, text, timestamptz) is
  'Uses up a link or a code and returns it; nulls where there is none that is good. Locks its account.';

create function issuer.exchange_link(
  presented bytea, code_hash bytea, moment timestamptz, code_expires_at timestamptz) returns uuid
  language plpgsql
as $$
declare
  link issuer.recoveries;
begin
  link := issuer.take_recovery(presented, 'link', moment);
  insert into issuer.recoveries
    (token_hash, user_id, kind, code_challenge, code_challenge_method, created_at, expires_at)
  select code_hash, link.user_id, 'code', link.code_challenge, link.code_challenge_method, moment, code_expires_at
   where link.user_id is not null;
  return link.user_id;
end
$$;
comment on function issuer.exchange_link(bytea, bytea, timestamptz, timestamptz) is
  'Changes a link for a code that is bound to the same challenge; returns the person, or null.';

create function issuer.redeem_recovery(
  presented bytea, wanted text, session uuid, refresh_token_hash bytea, moment timestamptz) returns uuid
  language plpgsql
as $$
declare
  taken issuer.recoveries;
begin
  taken := issuer.take_recovery(presented, wanted, moment);
  if taken.user_id is null then
    return null;
  end if;
  delete from issuer.recoveries r where r.user_id = taken.user_id;
  insert into issuer.sessions (session_id, user_id, created_at, refreshed_at, method)
  values (session, taken.user_id, moment, moment, 'otp');
  insert into issuer.refresh_tokens (token_hash, session_id, issued_at)
  values (refresh_token_hash, session, moment);
  update issuer.accounts a set last_sign_in_at = moment where a.user_id = taken.user_id;
  return taken.user_id;
end
$$;
comment on function issuer.redeem_recovery(bytea, text, uuid, bytea, timestamptz) is
  'Opens a session by a link or a code, once, and voids the others of the person; returns the person, or null.';

create function issuer.set_password(person uuid, fresh_hash text, kept_session uuid, moment timestamptz) returns boolean
  language plpgsql
as $$
begin
  perform from issuer.accounts a where a.user_id = person and a.disabled_at is null for no key update;
  if not found then
    return false;
  end if;
  if kept_session is not null and not exists (
    select from issuer.sessions s
     where s.session_id = kept_session and s.user_id = person and s.revoked_at is null
  ) then
    return false;
  end if;
  update issuer.accounts a set password_hash = fresh_hash where a.user_id = person;
  update issuer.sessions s
     set revoked_at = moment
   where s.user_id = person and s.revoked_at is null and s.session_id is distinct from kept_session;
  delete from issuer.recoveries r where r.user_id = person;
  return true;
end
$$;
comment on function issuer.set_password(uuid, text, uuid, timestamptz) is
  'Sets a password and ends all sessions but one, which must live; false, and nothing done, where it does not.';

create function issuer.recover_password(presented bytea, fresh_hash text, moment timestamptz) returns uuid
  language plpgsql
as $$
declare
  link issuer.recoveries;
begin
  link := issuer.take_recovery(presented, 'link', moment);
  perform issuer.set_password(link.user_id, fresh_hash, null, moment);
  return link.user_id;
end
$$;
comment on function issuer.recover_password(bytea, text, timestamptz) is
  'Sets a password by a link, once, and ends all sessions of the person; returns the person, or null.';

create function issuer.set_disabled(normalised text, disabled boolean, moment timestamptz) returns uuid
  language plpgsql
as $$
declare
  person uuid;
begin
  update issuer.accounts a
     set disabled_at = case when disabled then coalesce(a.disabled_at, moment) end
   where a.email_normalised = normalised
  returning a.user_id into person;
  if disabled then
    update issuer.sessions s set revoked_at = moment where s.user_id = person and s.revoked_at is null;
    delete from issuer.recoveries r where r.user_id = person;
  end if;
  return person;
end
$$;
comment on function issuer.set_disabled(text, boolean, timestamptz) is
  'Shuts an account and ends its sessions, or opens it again; returns the person, or null where there is none.';

grant execute on function
  issuer.take_recovery(bytea, text, timestamptz),
  issuer.exchange_link(bytea, bytea, timestamptz, timestamptz),
  issuer.redeem_recovery(bytea, text, uuid, bytea, timestamptz),
  issuer.set_password(uuid, text, uuid, timestamptz),
  issuer.recover_password(bytea, text, timestamptz),
  issuer.set_disabled(text, boolean, timestamptz)
  to :"issuer";
