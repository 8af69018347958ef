-- What people do must end with their rights, and limits must not end with a workspace: a token lives for an hour whatever
-- becomes of its person, and what is counted in a workspace is gone with it.

alter table app.users
  add column departed_at timestamptz,
  add column counted_on date,
  add column invitations_made integer not null default 0,
  add column workspaces_made integer not null default 0;
comment on column app.users.departed_at is
  'When the person deleted themselves. Tokens of before enter no workspace any more; one of after brings them back.';
comment on column app.users.counted_on is 'The day of the two counters.';
create policy users_guard_insert on app.users for insert to :"owner" with check (true);
create policy users_guard_update on app.users for update to :"owner" using (true) with check (true);
create index users_departed on app.users (departed_at) where departed_at is not null;
grant update (departed_at) on app.users to :"control";

-- The lock is the person's row: who deletes themselves takes it too, and finds every workspace that was entered before.
create function app.require_workspace_room(tenant uuid, member uuid, token_issued_at timestamptz) returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set row_security = on
as $$
declare
  most constant integer := 100;
  departed timestamptz;
begin
  insert into app.users (user_id) values (member) on conflict (user_id) do nothing;
  select u.departed_at into departed
    from app.users u
   where u.user_id = member
     for no key update;
  if token_issued_at <= departed then
    raise exception 'the token is of before its person left' using errcode = 'NF013';
  end if;
  if (select count(*) from app.user_tenants ut where ut.user_id = member and ut.tenant_id <> tenant) >= most then
    raise exception 'too many workspaces' using errcode = 'NF008';
  end if;
end
$$;
comment on function app.require_workspace_room(uuid, uuid, timestamptz) is
  'Raises where the person is in a hundred other workspaces, or has left since the token was issued; keeps them from '
  'entering two at once until the end. Stands first: on a cluster what runs with another''s rights must not come after '
  'a distributed write.';
revoke all on function app.require_workspace_room(uuid, uuid, timestamptz) from public;
grant execute on function app.require_workspace_room(uuid, uuid, timestamptz) to :"tenant";

-- For programs of before.
create or replace function app.require_workspace_room(tenant uuid, member uuid) returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set row_security = on
as $$
begin
  perform app.require_workspace_room(tenant, member, null);
end
$$;

create function app.spend_allowance(tenant uuid, person uuid, invitations integer, workspaces integer) returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set row_security = on
as $$
declare
  most constant integer := 100;
begin
  insert into app.users (user_id) values (person) on conflict (user_id) do nothing;
  update app.users u
     set counted_on = current_date,
         invitations_made = invitations + case when u.counted_on = current_date then u.invitations_made else 0 end,
         workspaces_made = workspaces + case when u.counted_on = current_date then u.workspaces_made else 0 end
   where u.user_id = person;
  perform from app.users u
   where u.user_id = person and (u.invitations_made > most or u.workspaces_made > most);
  if found then
    raise exception 'the day''s allowance is spent' using errcode = 'NF043';
  end if;
end
$$;
comment on function app.spend_allowance(uuid, uuid, integer, integer) is
  'Counts what a person makes and raises beyond a hundred of a kind a day, in whatever workspaces: an invitation is a '
  'mail to whom they like, a workspace a row that stays. Stands before the first distributed write. The workspace is '
  'not looked at: every statement of a tenant transaction is given it.';
revoke all on function app.spend_allowance(uuid, uuid, integer, integer) from public;
grant execute on function app.spend_allowance(uuid, uuid, integer, integer) to :"tenant";

create or replace function app.hand_over(tenant uuid, actor uuid, member uuid, event uuid) returns void
  language plpgsql
as $$
begin
  perform app.lock_members(tenant, actor, 'owner');
  if member = actor then
    raise exception 'an owner hands over to somebody else' using errcode = 'NF040';
  end if;
  update app.memberships m
     set role = 'owner'
   where m.tenant_id = tenant and m.user_id = member;
  if not found then
    raise exception 'no such member' using errcode = 'NF041';
  end if;
  update app.memberships m
     set role = 'editor'
   where m.tenant_id = tenant and m.user_id = actor;
  perform app.require_owner(tenant);
  perform app.withdraw_invitations_by(tenant, actor);
  insert into app.audit_events (tenant_id, event_id, actor_id, action, subject_id)
  values (tenant, event, actor, 'member.handed_over', member);
end
$$;

create or replace function app.add_invitation_token(tenant uuid, actor uuid, invitation uuid, token_hash bytea)
  returns void
  language plpgsql
as $$
declare
  most constant integer := 10;
  ends timestamptz;
begin
  perform app.lock_members(tenant, actor, 'owner');
  select i.expires_at into ends
    from app.invitations i
   where i.tenant_id = tenant and i.invitation_id = invitation and i.accepted_by is null and i.expires_at > now();
  if ends is null then
    raise exception 'no such invitation' using errcode = 'NF042';
  end if;
  -- None is taken back: any of them may be the one that was mailed.
  if (select count(*) from app.invitation_tokens t where t.tenant_id = tenant and t.invitation_id = invitation) >= most
  then
    raise exception 'too many links to one invitation' using errcode = 'NF043';
  end if;
  insert into app.invitation_tokens (token_hash, tenant_id, invitation_id, expires_at)
  values (token_hash, tenant, invitation, ends);
end
$$;
comment on function app.add_invitation_token(uuid, uuid, uuid, bytea) is
  'Gives an open invitation another token beside those it has, for an answer that must be given again; ten at most.';

-- Sessions before their tokens, as a refresh locks them: none is made between the two.
create or replace function issuer.erase_account(person uuid) returns void
  language plpgsql
as $$
begin
  perform from issuer.accounts a where a.user_id = person for update;
  perform from issuer.sessions s where s.user_id = person order by s.session_id for update;
  delete from issuer.recoveries r where r.user_id = person;
  delete from issuer.refresh_tokens t
   using issuer.sessions s
   where s.user_id = person and t.session_id = s.session_id;
  delete from issuer.sessions s where s.user_id = person;
  delete from issuer.accounts a where a.user_id = person;
end
$$;
