-- The schema, closed to everybody who is not named below, and the one function that policies compare with.
--
-- Role names are written as psql variables (:"owner", :"tenant", :"control", :"issuer"), filled in per installation.

-- The migrator has made the schema, for its history.
comment on schema app is 'NovelFoundry. Nothing here is granted to PUBLIC or to a platform''s REST roles.';

-- A function is executable by PUBLIC unless its owner's defaults say otherwise.
alter default privileges revoke execute on functions from public;

-- Claims are read by a function of their own: the usual path, without claims, stays a short expression that is inlined
-- into every plan.
create function app.claimed_tenant_id() returns uuid
  language plpgsql
  stable
  parallel safe
as $$
declare
  uuid_form constant text := '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$';
  setting constant text := nullif(current_setting('app.tenant_id', true), '');
  claim constant text := current_setting('request.jwt.claims', true)::json #>> '{app_metadata,tenant_id}';
begin
  if setting !~ uuid_form or claim !~ uuid_form or lower(setting) <> lower(claim) then
    return null;
  end if;
  return coalesce(setting, claim)::uuid;
end
$$;
comment on function app.claimed_tenant_id() is
  'The tenant of a transaction with request.jwt.claims: see app.tenant_id. Claims that are not JSON raise.';

create function app.tenant_id() returns uuid
  language sql
  stable
  parallel safe
  return case
    when coalesce(current_setting('request.jwt.claims', true), '') <> '' then app.claimed_tenant_id()
    when current_setting('app.tenant_id', true) like '________-____-____-____-____________'
      and translate(current_setting('app.tenant_id', true), '0123456789abcdefABCDEF', '') = '----'
      then current_setting('app.tenant_id', true)::uuid
  end;
comment on function app.tenant_id() is
  'The tenant of this transaction: app.tenant_id, else request.jwt.claims -> app_metadata.tenant_id. '
  'NULL without a context, where the two differ, or where one is malformed; claims that are not JSON raise.';
grant execute on function app.tenant_id(), app.claimed_tenant_id() to :"tenant", :"control", :"issuer";
