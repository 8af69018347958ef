-- How many workspaces a person may be in. Counted across workspaces, which no login that writes them can: so it is
-- the owner who counts, by the policy that the token hook reads with.
--
-- The lock is the person's: it makes the limit exact, and nobody else waits for it.

create function app.require_workspace_room(tenant uuid, member uuid) returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set row_security = on
as $$
declare
  most constant integer := 100;
begin
  perform pg_advisory_xact_lock(hashtextextended('app.user_tenants ' || member::text, 0));
  if (select count(*) from app.user_tenants ut where ut.user_id = member and ut.tenant_id <> tenant) >= most then
    raise exception 'too many workspaces' using errcode = 'NF008';
  end if;
end
$$;
comment on function app.require_workspace_room(uuid, uuid) is
  'Raises where the person is in a hundred other workspaces; keeps them from entering two at once until the end. '
  'Stands first: on a cluster what runs with another''s rights must not come after a distributed write.';
revoke all on function app.require_workspace_room(uuid, uuid) from public;
grant execute on function app.require_workspace_room(uuid, uuid) to :"tenant";
