-- The people of a workspace: who is in it, who is invited, and that one of them always owns it.
--
-- Whatever changes members or invitations locks the workspace's row first and looks at its caller's role once more:
-- what the guard saw at the transaction's beginning may have been changed by another who came first.

alter table app.memberships add column email text;
alter table app.memberships add constraint memberships_email_length check (char_length(email) <= 320);
comment on column app.memberships.email is
  'The address of the person''s token when they joined; NULL where it had none, and for who joined before it was kept.';

alter table app.invitations alter column invited_by drop not null;
comment on column app.invitations.invited_by is 'The owner, who must stay one; NULL for the operator.';
comment on column app.invitations.accepted_by is 'Who has joined by it; for them alone it stays good until it expires.';
create index invitations_newest on app.invitations (tenant_id, created_at desc, invitation_id desc);

alter table app.invitation_tokens add column accepted_by uuid;
comment on column app.invitation_tokens.accepted_by is
  'Who has joined by the invitation: to repeat that is to be told so again. The invitation''s own row decides.';
grant update (accepted_by) on app.invitation_tokens to :"tenant";
create policy invitation_tokens_definer on app.invitation_tokens for select to :"owner" using (true);
create index invitation_tokens_by_invitation on app.invitation_tokens (tenant_id, invitation_id);

create index audit_events_newest on app.audit_events (tenant_id, created_at desc, event_id desc);

create function app.lock_members(tenant uuid, actor uuid, minimum text) returns void
  language plpgsql
as $$
begin
  perform 1
     from app.tenants t
    where t.tenant_id = tenant and t.deleted_at is null
      for no key update;
  if not found then
    raise exception 'no such workspace' using errcode = 'NF001';
  end if;
  if actor is not null then
    perform app.require_role(tenant, actor, minimum);
  end if;
end
$$;
comment on function app.lock_members(uuid, uuid, text) is
  'Keeps members and invitations as they are for everybody else until the end; raises unless the person has the role '
  'then. Nobody is asked for a role where the operator acts.';

create function app.require_owner(tenant uuid) returns void
  language plpgsql
as $$
begin
  perform 1
     from app.memberships m
    where m.tenant_id = tenant and m.role = 'owner';
  if not found then
    raise exception 'the workspace would be left without an owner' using errcode = 'NF040';
  end if;
end
$$;
comment on function app.require_owner(uuid) is
  'Raises where the workspace is left without an owner. Stands behind what changed its members, under their lock.';

create function app.withdraw_invitations_by(tenant uuid, inviter uuid) returns void
  language plpgsql
as $$
begin
  delete from app.invitation_tokens t
   where t.tenant_id = tenant
     and t.invitation_id = any (
       array(select i.invitation_id
               from app.invitations i
              where i.tenant_id = tenant and i.invited_by = inviter and i.accepted_by is null));
  delete from app.invitations i
   where i.tenant_id = tenant and i.invited_by = inviter and i.accepted_by is null;
end
$$;
comment on function app.withdraw_invitations_by(uuid, uuid) is
  'Ends the open invitations of a person: who is no longer an owner must not come back by a link of their own.';

create function app.set_member_role(tenant uuid, actor uuid, member uuid, wanted text, event uuid) returns void
  language plpgsql
as $$
declare
  held text;
begin
  perform app.lock_members(tenant, actor, 'owner');
  select m.role into held
    from app.memberships m
   where m.tenant_id = tenant and m.user_id = member;
  if held is null then
    raise exception 'no such member' using errcode = 'NF041';
  end if;
  if held = wanted then
    return;
  end if;
  update app.memberships m
     set role = wanted
   where m.tenant_id = tenant and m.user_id = member;
  perform app.require_owner(tenant);
  if held = 'owner' then
    perform app.withdraw_invitations_by(tenant, member);
  end if;
  insert into app.audit_events (tenant_id, event_id, actor_id, action, subject_id)
  values (tenant, event, actor, 'member.role.' || wanted, member);
end
$$;
comment on function app.set_member_role(uuid, uuid, uuid, text, uuid) is
  'Changes a member''s role; raises where there is no such member, or no owner would be left.';

create function app.remove_member(tenant uuid, actor uuid, member uuid, event uuid) returns void
  language plpgsql
as $$
declare
  minimum constant text := case when actor = member then 'viewer' else 'owner' end;
  event_action constant text := case when actor = member then 'member.left' else 'member.removed' end;
begin
  perform app.lock_members(tenant, actor, minimum);
  delete from app.memberships m
   where m.tenant_id = tenant and m.user_id = member;
  if not found then
    raise exception 'no such member' using errcode = 'NF041';
  end if;
  perform app.require_owner(tenant);
  perform app.withdraw_invitations_by(tenant, member);
  delete from app.user_tenants ut
   where ut.tenant_id = tenant and ut.user_id = member;
  insert into app.audit_events (tenant_id, event_id, actor_id, action, subject_id)
  values (tenant, event, actor, event_action, member);
end
$$;
comment on function app.remove_member(uuid, uuid, uuid, uuid) is
  'Takes a member out: anybody themselves, an owner anybody. Raises where there is no such member, or no owner would '
  'be left.';

create function app.hand_over(tenant uuid, actor uuid, member uuid, event uuid) returns void
  language plpgsql
as $$
begin
  perform app.lock_members(tenant, actor, 'owner');
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
comment on function app.hand_over(uuid, uuid, uuid, uuid) is
  'Makes a member the owner in the caller''s place, who becomes an editor.';

create function app.create_invitation(
  tenant uuid, actor uuid, invitation uuid, token_hash bytea, invitee text, offered text, event uuid)
  returns void
  language plpgsql
as $$
declare
  most constant integer := 100;
begin
  perform app.lock_members(tenant, actor, 'owner');
  if (select count(*)
        from app.audit_events e
       where e.tenant_id = tenant and e.action = 'invitation.created' and e.created_at > now() - interval '1 day'
     ) >= most then
    raise exception 'too many invitations' using errcode = 'NF043';
  end if;
  delete from app.invitation_tokens t
   where t.tenant_id = tenant and t.expires_at <= now();
  delete from app.invitations i
   where i.tenant_id = tenant and i.expires_at <= now();
  insert into app.invitations (tenant_id, invitation_id, email, role, invited_by, expires_at)
  values (tenant, invitation, invitee, offered, actor, now() + interval '7 days');
  insert into app.invitation_tokens (token_hash, tenant_id, invitation_id, expires_at)
  values (token_hash, tenant, invitation, now() + interval '7 days');
  insert into app.audit_events (tenant_id, event_id, actor_id, action, subject_id)
  values (tenant, event, actor, 'invitation.created', invitation);
end
$$;
comment on function app.create_invitation(uuid, uuid, uuid, bytea, text, text, uuid) is
  'Makes an invitation with its first token, and forgets what has expired. A hundred a day: each may send a mail to '
  'whom it likes.';

create function app.add_invitation_token(tenant uuid, actor uuid, invitation uuid, token_hash bytea) returns void
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
  if (select count(*) from app.invitation_tokens t where t.tenant_id = tenant and t.invitation_id = invitation) >= most
  then
    delete from app.invitation_tokens t
     where t.tenant_id = tenant and t.invitation_id = invitation;
  end if;
  insert into app.invitation_tokens (token_hash, tenant_id, invitation_id, expires_at)
  values (token_hash, tenant, invitation, ends);
end
$$;
comment on function app.add_invitation_token(uuid, uuid, uuid, bytea) is
  'Gives an open invitation another token beside those it has, for an answer that must be given again. Of many it '
  'keeps the newest.';

create function app.revoke_invitation(tenant uuid, actor uuid, invitation uuid, event uuid) returns void
  language plpgsql
as $$
begin
  perform app.lock_members(tenant, actor, 'owner');
  delete from app.invitations i
   where i.tenant_id = tenant and i.invitation_id = invitation and i.accepted_by is null and i.expires_at > now();
  if not found then
    raise exception 'no such invitation' using errcode = 'NF042';
  end if;
  delete from app.invitation_tokens t
   where t.tenant_id = tenant and t.invitation_id = invitation;
  insert into app.audit_events (tenant_id, event_id, actor_id, action, subject_id)
  values (tenant, event, actor, 'invitation.revoked', invitation);
end
$$;
comment on function app.revoke_invitation(uuid, uuid, uuid, uuid) is 'Ends an open invitation; raises where it is not.';

create function app.require_invitation(tenant uuid, presented bytea, invitation uuid, person uuid) returns void
  language plpgsql
as $$
begin
  perform 1
     from app.invitation_tokens t
    where t.token_hash = presented and t.tenant_id = tenant and t.invitation_id = invitation
      and t.expires_at > now();
  if found then
    perform 1
       from app.invitations i
      where i.tenant_id = tenant and i.invitation_id = invitation and i.expires_at > now()
        and (i.accepted_by is null or i.accepted_by = person);
  end if;
  if not found then
    raise exception 'no such invitation' using errcode = 'NF042';
  end if;
end
$$;
comment on function app.require_invitation(uuid, bytea, uuid, uuid) is
  'Raises unless this is a token of this invitation, which is open, or was accepted by this person.';

create function app.accept_invitation(
  tenant uuid, invitation uuid, person uuid, address text, accepted uuid, joined uuid)
  returns void
  language plpgsql
as $$
declare
  workspace text;
  offered text;
  taker uuid;
  inviter uuid;
  held text;
  roles constant text[] := array['viewer', 'editor', 'owner'];
begin
  select t.name into workspace
    from app.tenants t
   where t.tenant_id = tenant and t.deleted_at is null
     for no key update;
  if workspace is not null then
    select i.role, i.accepted_by, i.invited_by into offered, taker, inviter
      from app.invitations i
     where i.tenant_id = tenant and i.invitation_id = invitation and i.expires_at > now();
    select m.role into held
      from app.memberships m
     where m.tenant_id = tenant and m.user_id = person;
  end if;
  if offered is null or taker <> person or (taker = person and held is null) then
    raise exception 'no such invitation' using errcode = 'NF042';
  end if;
  -- Also of who joined before: a cluster's crash can leave the membership without it.
  insert into app.user_tenants (tenant_id, user_id, tenant_name)
  values (tenant, person, workspace)
      on conflict (tenant_id, user_id) do nothing;
  if taker = person or array_position(roles, held) >= array_position(roles, offered) then
    return;
  end if;
  if held is null then
    insert into app.memberships (tenant_id, user_id, role, email)
    values (tenant, person, offered, address);
    insert into app.audit_events (tenant_id, event_id, actor_id, action, subject_id)
    values (tenant, joined, inviter, 'member.added', person);
  else
    update app.memberships m
       set role = offered
     where m.tenant_id = tenant and m.user_id = person;
    insert into app.audit_events (tenant_id, event_id, actor_id, action, subject_id)
    values (tenant, joined, inviter, 'member.role.' || offered, person);
  end if;
  update app.invitations i
     set accepted_by = person, accepted_at = now()
   where i.tenant_id = tenant and i.invitation_id = invitation;
  update app.invitation_tokens t
     set accepted_by = person
   where t.tenant_id = tenant and t.invitation_id = invitation;
  insert into app.audit_events (tenant_id, event_id, actor_id, action, subject_id)
  values (tenant, accepted, person, 'invitation.accepted', invitation);
end
$$;
comment on function app.accept_invitation(uuid, uuid, uuid, text, uuid, uuid) is
  'Lets a person in by an invitation, once. Who is in already with that role or a higher one changes nothing and does '
  'not use it up; who joined by it and has left since is refused like everybody else.';

create function app.invitation_is_open(presented bytea) returns boolean
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set row_security = on
as $$
  select exists (
    select from app.invitation_tokens t
     where t.token_hash = presented and t.expires_at > now() and t.accepted_by is null)
$$;
comment on function app.invitation_is_open(bytea) is
  'Tells the issuer whether somebody who signs up holds an invitation. Reads a control table only.';
revoke all on function app.invitation_is_open(bytea) from public;
grant execute on function app.invitation_is_open(bytea) to :"issuer";

grant execute on function
  app.lock_members(uuid, uuid, text),
  app.require_owner(uuid),
  app.withdraw_invitations_by(uuid, uuid),
  app.set_member_role(uuid, uuid, uuid, text, uuid),
  app.remove_member(uuid, uuid, uuid, uuid),
  app.hand_over(uuid, uuid, uuid, uuid),
  app.create_invitation(uuid, uuid, uuid, bytea, text, text, uuid),
  app.add_invitation_token(uuid, uuid, uuid, bytea),
  app.revoke_invitation(uuid, uuid, uuid, uuid),
  app.require_invitation(uuid, bytea, uuid, uuid),
  app.accept_invitation(uuid, uuid, uuid, text, uuid, uuid)
  to :"tenant";
