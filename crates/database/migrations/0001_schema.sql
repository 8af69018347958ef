-- The schema, closed to everybody who is not named below, and the one function that policies compare with.
--
-- Role names are written as psql variables (:"owner", :"tenant", :"control", :"issuer"), filled in per installation.

-- The migrator has made the schema, for its history.
comment on schema app is 'NovelFoundry. Nothing here is granted to PUBLIC or to a platform''s REST roles.';

-- A function is executable by PUBLIC unless its owner's defaults say otherwise.
alter default privileges revoke execute on functions from public;

create function app.tenant_id() returns uuid
  language sql
  stable
  parallel safe
  return case
    when coalesce(current_setting('app.tenant_id', true), '') = '' then
      case
        when coalesce(current_setting('request.jwt.claims', true), '') = '' then null
        when current_setting('request.jwt.claims', true)::json #>> '{app_metadata,tenant_id}'
          ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
          then (current_setting('request.jwt.claims', true)::json #>> '{app_metadata,tenant_id}')::uuid
      end
    when current_setting('app.tenant_id', true) !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then null
    when coalesce(current_setting('request.jwt.claims', true), '') = ''
      then current_setting('app.tenant_id', true)::uuid
    when current_setting('request.jwt.claims', true)::json #>> '{app_metadata,tenant_id}' is null
      or lower(current_setting('request.jwt.claims', true)::json #>> '{app_metadata,tenant_id}')
        = lower(current_setting('app.tenant_id', true))
      then current_setting('app.tenant_id', true)::uuid
  end;
comment on function app.tenant_id() is
  'The tenant of this transaction: app.tenant_id, else request.jwt.claims -> app_metadata.tenant_id. '
  'NULL without a context, where the two differ, or where one is malformed; claims that are not JSON raise.';
grant execute on function app.tenant_id() to :"tenant", :"control", :"issuer";
