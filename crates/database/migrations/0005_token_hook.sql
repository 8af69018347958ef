-- The one place that decides which workspace a token names.
--
-- pg_temp stands last in the search path, by name: an empty path would look there first for types, and a caller's own
-- type could then run the caller's code as the owner.

create function app.custom_access_token_hook(event jsonb) returns jsonb
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set row_security = on
as $$
declare
  uuid_form constant text := '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$';
  person uuid;
  session uuid;
  workspace uuid;
  claims jsonb;
  metadata jsonb;
begin
  claims := case when jsonb_typeof(event -> 'claims') = 'object' then event -> 'claims' else '{}'::jsonb end;
  metadata := case
    when jsonb_typeof(claims -> 'app_metadata') = 'object' then (claims -> 'app_metadata') - 'tenant_id'
    else '{}'::jsonb
  end;
  if event ->> 'user_id' ~ uuid_form then
    person := (event ->> 'user_id')::uuid;
  end if;
  if claims ->> 'session_id' ~ uuid_form then
    session := (claims ->> 'session_id')::uuid;
  end if;
  select ut.tenant_id into workspace
    from app.user_tenants ut
    left join app.session_tenants st
      on st.session_id = session and st.user_id = person and st.tenant_id = ut.tenant_id
    left join app.users u
      on u.user_id = person and u.default_tenant_id = ut.tenant_id
   where ut.user_id = person
   order by st.session_id is null, u.user_id is null, ut.created_at, ut.tenant_id
   limit 1;
  if workspace is not null then
    metadata := metadata || jsonb_build_object('tenant_id', workspace);
  end if;
  return jsonb_build_object('claims', (claims - 'tenant_id') || jsonb_build_object('app_metadata', metadata));
end
$$;
comment on function app.custom_access_token_hook(jsonb) is
  'The access-token hook: overwrites or strips app_metadata.tenant_id. Reads control tables only, never writes. '
  'Definer rights with a policy for the owner on the three tables it reads: the same answer whether or not the '
  'owner bypasses row security.';
revoke all on function app.custom_access_token_hook(jsonb) from public;
grant execute on function app.custom_access_token_hook(jsonb) to :"issuer";

do $$
begin
  if exists (select from pg_catalog.pg_roles where rolname = 'supabase_auth_admin') then
    grant usage on schema app to supabase_auth_admin;
    grant execute on function app.custom_access_token_hook(jsonb) to supabase_auth_admin;
  end if;
end
$$;
