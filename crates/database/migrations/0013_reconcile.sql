-- no transaction
-- On a cluster a tenant's rows lie on a worker, and the rows that go with them (jobs, the index of memberships) on the
-- coordinator. One transaction writes both, but the worker commits first: a coordinator that crashes in between leaves
-- the former without the latter. Once a day a job of each workspace looks for that.
--
-- Each chunk can run again. The control login makes these jobs and no others.

drop policy if exists jobs_control_select on app.jobs;
drop policy if exists jobs_control_update on app.jobs;
drop policy if exists jobs_control_delete on app.jobs;
drop policy if exists jobs_control_insert on app.jobs;
create policy jobs_control_select on app.jobs for select to :"control" using (true);
create policy jobs_control_update on app.jobs for update to :"control" using (true) with check (true);
create policy jobs_control_delete on app.jobs for delete to :"control" using (true);
create policy jobs_control_insert on app.jobs for insert to :"control"
  with check (kind = 'reconcile_workspace' and job_id = tenant_id);
drop policy if exists jobs_control on app.jobs;
grant insert (tenant_id, job_id, kind, payload, run_at) on app.jobs to :"control";
--;
create or replace function app.list_member(tenant uuid, member uuid) returns void
  language plpgsql
as $$
declare
  workspace_name text;
begin
  perform 1
     from app.memberships m
    where m.tenant_id = tenant and m.user_id = member
      for share;
  if not found then
    return;
  end if;
  select t.name into workspace_name
    from app.tenants t
   where t.tenant_id = tenant and t.deleted_at is null;
  if workspace_name is not null then
    insert into app.user_tenants (tenant_id, user_id, tenant_name)
    values (tenant, member, workspace_name)
        on conflict (tenant_id, user_id) do nothing;
  end if;
end
$$;
--;
comment on function app.list_member(uuid, uuid) is
  'Puts a member back into the index of memberships where it lacks them; whoever is no member is not let in.';
--;
grant execute on function app.list_member(uuid, uuid) to :"tenant";
--;
create or replace function app.unlist_stranger(tenant uuid, stranger uuid) returns void
  language plpgsql
as $$
begin
  -- First the index: who is made a member now waits for this, and is seen by the next statement where they were faster.
  perform 1
     from app.user_tenants u
    where u.tenant_id = tenant and u.user_id = stranger
      for update;
  if not found then
    return;
  end if;
  perform 1
     from app.memberships m
    where m.tenant_id = tenant and m.user_id = stranger;
  if not found then
    delete from app.user_tenants u
     where u.tenant_id = tenant and u.user_id = stranger;
  end if;
end
$$;
--;
comment on function app.unlist_stranger(uuid, uuid) is
  'Takes somebody who is no member out of the index of memberships; a member stays.';
--;
grant execute on function app.unlist_stranger(uuid, uuid) to :"tenant";
--;
create index concurrently if not exists jobs_reconciled on app.jobs (finished_at) where kind = 'reconcile_workspace';
--;
create index concurrently if not exists analyses_unfinished on app.analyses (tenant_id, created_at, analysis_id)
  where state in ('queued', 'running');
--;
create index concurrently if not exists revisions_pending on app.revisions (tenant_id, expires_at, revision_id)
  where state = 'pending';
--;
create index concurrently if not exists projects_deleted on app.projects (tenant_id, deleted_at, project_id)
  where deleted_at is not null;
--;
create index concurrently if not exists manuscripts_deleted on app.manuscripts (tenant_id, deleted_at, manuscript_id)
  where deleted_at is not null;
