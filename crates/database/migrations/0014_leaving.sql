-- Who erases themselves leaves by the same door as who leaves: locked, never without an owner, recorded.

drop function app.leave_workspace(uuid, uuid);
create function app.leave_workspace(tenant uuid, member uuid, event uuid) returns boolean
  language plpgsql
as $$
declare
  lives boolean;
  others boolean;
  belongs boolean;
begin
  -- Whatever changes members takes this lock first: nobody is counted who is about to go.
  select t.deleted_at is null into lives
    from app.tenants t
   where t.tenant_id = tenant
     for no key update;
  select coalesce(bool_or(m.user_id <> member), false), coalesce(bool_or(m.user_id = member), false)
    into others, belongs
    from app.memberships m
   where m.tenant_id = tenant;
  if lives and belongs and not others then
    return true;
  end if;
  if lives and belongs then
    perform app.remove_member(tenant, member, member, event);
  else
    delete from app.user_tenants u where u.tenant_id = tenant and u.user_id = member;
  end if;
  -- The invitation that they came by holds their address, the answers kept for repeats what they did.
  delete from app.invitation_tokens t
   where t.tenant_id = tenant
     and t.invitation_id = any (
       array(select i.invitation_id
               from app.invitations i
              where i.tenant_id = tenant and i.accepted_by = member));
  delete from app.invitations i
   where i.tenant_id = tenant and i.accepted_by = member;
  delete from app.idempotency_keys k where k.tenant_id = tenant and k.user_id = member;
  return false;
end
$$;
comment on function app.leave_workspace(uuid, uuid, uuid) is
  'Takes a person out with what names them. True, and nothing done, where nobody else is a member: then the workspace '
  'is to be deleted. Raises for the last owner of others.';

grant execute on function app.leave_workspace(uuid, uuid, uuid) to :"tenant";
