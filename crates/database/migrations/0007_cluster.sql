-- What a Citus cluster showed: it plans a CASE over an argument wrongly, and it does not pass on which constraint a
-- worker saw broken.

create or replace function app.release_revision(tenant uuid, project uuid, manuscript uuid, revision uuid, outcome text)
  returns void
  language plpgsql
as $$
declare
  before text;
  size bigint;
  reserved bigint := 0;
  stored bigint := 0;
begin
  select r.state, r.bytes into before, size
    from app.revisions r
   where r.tenant_id = tenant and r.project_id = project and r.manuscript_id = manuscript
     and r.revision_id = revision
     for update;
  if before is null or before not in ('pending', 'stored') or (outcome = 'expired' and before <> 'pending') then
    return;
  end if;
  if before = 'pending' then
    reserved := size;
  else
    stored := size;
  end if;
  update app.revisions r
     set state = outcome
   where r.tenant_id = tenant and r.project_id = project and r.manuscript_id = manuscript
     and r.revision_id = revision;
  update app.tenant_usage u
     set reserved_bytes = u.reserved_bytes - reserved, stored_bytes = u.stored_bytes - stored
   where u.tenant_id = tenant;
end
$$;

create function app.create_workspace(tenant uuid, workspace_name text) returns void
  language plpgsql
as $$
begin
  insert into app.tenants (tenant_id, name) values (tenant, workspace_name)
      on conflict (tenant_id) do nothing;
  if not found then
    raise exception 'workspace exists' using errcode = 'NF007';
  end if;
end
$$;
comment on function app.create_workspace(uuid, text) is 'Makes the workspace''s root, or raises where it is made already.';
grant execute on function app.create_workspace(uuid, text) to :"tenant";
