-- Deleting a workspace and a person, for good.

-- A deleted workspace has no members any more, whatever rows there are: one look-up more, in the same shard.
create or replace function app.require_role(tenant uuid, member uuid, minimum text) returns void
  language plpgsql
as $$
declare
  held text;
begin
  select m.role into held
    from app.memberships m
    join app.tenants t on t.tenant_id = m.tenant_id
   where m.tenant_id = tenant and m.user_id = member and t.tenant_id = tenant and t.deleted_at is null;
  if held is null then
    raise exception 'not a member' using errcode = 'NF001';
  end if;
  if array_position(array['viewer', 'editor', 'owner'], held)
       < array_position(array['viewer', 'editor', 'owner'], minimum) then
    raise exception 'role % is below %', held, minimum using errcode = 'NF002';
  end if;
end
$$;
comment on function app.require_role(uuid, uuid, text) is
  'Raises unless the workspace lives and the person is a member with at least this role.';

create function app.require_workspace(tenant uuid) returns void
  language plpgsql
as $$
begin
  perform 1 from app.tenants t where t.tenant_id = tenant and t.deleted_at is null;
  if not found then
    raise exception 'no such workspace' using errcode = 'NF009';
  end if;
end
$$;
comment on function app.require_workspace(uuid) is 'Raises unless the workspace lives; the operator''s guard.';

create function app.leave_workspace(tenant uuid, member uuid) returns boolean
  language plpgsql
as $$
declare
  held text;
  members bigint;
  owners bigint;
begin
  -- Whatever changes members takes this lock first: nobody is counted who is about to go.
  perform 1 from app.tenants t where t.tenant_id = tenant for no key update;
  select count(*), count(*) filter (where m.role = 'owner') into members, owners
    from app.memberships m
   where m.tenant_id = tenant;
  select m.role into held
    from app.memberships m
   where m.tenant_id = tenant and m.user_id = member;
  if held is not null and members = 1 then
    return true;
  end if;
  if held = 'owner' and owners = 1 then
    raise exception 'last owner' using errcode = 'NF040';
  end if;
  -- The invitation that they came by holds their address; those that they made would be a way back.
  delete from app.invitation_tokens t
   where t.tenant_id = tenant
     and t.invitation_id = any (
       array(select i.invitation_id
               from app.invitations i
              where i.tenant_id = tenant
                and (i.accepted_by = member or (i.invited_by = member and i.accepted_by is null))));
  delete from app.invitations i
   where i.tenant_id = tenant
     and (i.accepted_by = member or (i.invited_by = member and i.accepted_by is null));
  delete from app.idempotency_keys k where k.tenant_id = tenant and k.user_id = member;
  delete from app.memberships m where m.tenant_id = tenant and m.user_id = member;
  delete from app.user_tenants u where u.tenant_id = tenant and u.user_id = member;
  return false;
end
$$;
comment on function app.leave_workspace(uuid, uuid) is
  'Takes a person out with what names them. True, and nothing done, where nobody else is a member: then the workspace '
  'is to be deleted. Raises for the last owner of others.';

-- The logs stay append only for all but the purge of a whole workspace. What was billed is kept.
grant delete on app.tenant_usage, app.usage_events, app.audit_events to :"tenant";
grant execute on function app.require_workspace(uuid), app.leave_workspace(uuid, uuid) to :"tenant";
grant delete on app.users to :"control";

create function issuer.erase_account(person uuid) returns void
  language plpgsql
as $$
begin
  perform from issuer.accounts a where a.user_id = person for update;
  delete from issuer.recoveries r where r.user_id = person;
  delete from issuer.refresh_tokens t
   using issuer.sessions s
   where s.user_id = person and t.session_id = s.session_id;
  delete from issuer.sessions s where s.user_id = person;
  delete from issuer.accounts a where a.user_id = person;
end
$$;
comment on function issuer.erase_account(uuid) is
  'Ends all sessions of a person and forgets the account; does nothing where there is none.';
grant delete on issuer.accounts to :"issuer";
grant execute on function issuer.erase_account(uuid) to :"issuer";
