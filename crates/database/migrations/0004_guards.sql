-- Guards: statements that raise when they do not hold, so that whatever was pipelined behind them does nothing.
-- They run as the caller, under the caller's policies. SQLSTATEs NF0xx are mapped in src/error.rs.

create function app.require_role(tenant uuid, member uuid, minimum text) returns void
  language plpgsql
as $$
declare
  held text;
begin
  select m.role into held
    from app.memberships m
   where m.tenant_id = tenant and m.user_id = member;
  if held is null then
    raise exception 'not a member' using errcode = 'NF001';
  end if;
  if array_position(array['viewer', 'editor', 'owner'], held)
       < array_position(array['viewer', 'editor', 'owner'], minimum) then
    raise exception 'role % is below %', held, minimum using errcode = 'NF002';
  end if;
end
$$;
comment on function app.require_role(uuid, uuid, text) is 'Raises unless the person is a member with at least this role.';

create function app.require_lease(tenant uuid, job uuid, token bigint) returns void
  language plpgsql
as $$
begin
  perform 1
     from app.jobs j
    where j.tenant_id = tenant and j.job_id = job and j.state = 'running' and j.fencing_token = token
      for update;
  if not found then
    raise exception 'lease lost' using errcode = 'NF003';
  end if;
end
$$;
comment on function app.require_lease(uuid, uuid, bigint) is
  'Raises unless the job is running under this fencing token; holds the job until the transaction ends.';

create function app.claim_idempotency_key(tenant uuid, member uuid, client_key text, hash bytea, resource uuid)
  returns void
  language plpgsql
as $$
declare
  stored bytea;
begin
  if not pg_try_advisory_xact_lock(hashtextextended(tenant::text || member::text || client_key, 0)) then
    raise exception 'idempotency key in flight' using errcode = 'NF004';
  end if;
  delete from app.idempotency_keys k
   where k.tenant_id = tenant and k.user_id = member and k.created_at < now() - interval '24 hours';
  select k.request_hash into stored
    from app.idempotency_keys k
   where k.tenant_id = tenant and k.user_id = member and k.key = client_key;
  if stored = hash then
    raise exception 'idempotency key replayed' using errcode = 'NF005';
  elsif stored is not null then
    raise exception 'idempotency key reused' using errcode = 'NF006';
  end if;
  insert into app.idempotency_keys (tenant_id, user_id, key, request_hash, resource_id)
  values (tenant, member, client_key, hash, resource);
end
$$;
comment on function app.claim_idempotency_key(uuid, uuid, text, bytea, uuid) is
  'Records the key, or raises: in flight, replayed, or reused for another request.';

create function app.require_project(tenant uuid, project uuid) returns void
  language plpgsql
as $$
begin
  perform 1
     from app.projects p
    where p.tenant_id = tenant and p.project_id = project and p.deleted_at is null
      for share;
  if not found then
    raise exception 'no such project' using errcode = 'NF010';
  end if;
end
$$;
comment on function app.require_project(uuid, uuid) is 'Raises unless the project lives; keeps it alive until the end.';

create function app.require_manuscript(tenant uuid, project uuid, manuscript uuid) returns void
  language plpgsql
as $$
begin
  perform app.require_project(tenant, project);
  perform 1
     from app.manuscripts m
    where m.tenant_id = tenant and m.project_id = project and m.manuscript_id = manuscript
      and m.deleted_at is null
      for share;
  if not found then
    raise exception 'no such manuscript' using errcode = 'NF011';
  end if;
end
$$;
comment on function app.require_manuscript(uuid, uuid, uuid) is
  'Raises unless the manuscript and its project live; keeps them alive until the end.';

create function app.reserve_bytes(tenant uuid, amount bigint) returns void
  language plpgsql
as $$
declare
  plan app.plans;
  used bigint;
begin
  select p.* into plan
    from app.plans p
    join app.tenants t on t.plan_id = p.plan_id
   where t.tenant_id = tenant;
  if amount > plan.file_bytes_limit then
    raise exception 'file too large' using errcode = 'NF020', detail = plan.file_bytes_limit::text;
  end if;
  update app.tenant_usage u
     set reserved_bytes = u.reserved_bytes + amount
   where u.tenant_id = tenant
     and u.stored_bytes + u.reserved_bytes + amount <= plan.stored_bytes_limit;
  if not found then
    select u.stored_bytes + u.reserved_bytes into used from app.tenant_usage u where u.tenant_id = tenant;
    raise exception 'quota exceeded'
      using errcode = 'NF021', detail = used::text || ' of ' || plan.stored_bytes_limit::text;
  end if;
end
$$;
comment on function app.reserve_bytes(uuid, bigint) is
  'Reserves bytes of the plan, or raises. Stands last before COMMIT: the counter row is every upload''s.';

create function app.store_revision(tenant uuid, project uuid, manuscript uuid, revision uuid) returns void
  language plpgsql
as $$
begin
  perform app.require_manuscript(tenant, project, manuscript);
  update app.revisions r
     set state = 'stored', stored_at = now()
   where r.tenant_id = tenant and r.project_id = project and r.manuscript_id = manuscript
     and r.revision_id = revision and r.state = 'pending';
  if not found then
    raise exception 'revision is not pending' using errcode = 'NF030';
  end if;
end
$$;
comment on function app.store_revision(uuid, uuid, uuid, uuid) is
  'Turns a pending revision into a stored one; raises where it is not pending. Its bytes are counted last.';

create function app.release_revision(tenant uuid, project uuid, manuscript uuid, revision uuid, outcome text)
  returns void
  language plpgsql
as $$
declare
  before text;
  size bigint;
begin
  select r.state, r.bytes into before, size
    from app.revisions r
   where r.tenant_id = tenant and r.project_id = project and r.manuscript_id = manuscript
     and r.revision_id = revision
     for update;
  if before is null or before not in ('pending', 'stored') or (outcome = 'expired' and before <> 'pending') then
    return;
  end if;
  update app.revisions r
     set state = outcome
   where r.tenant_id = tenant and r.project_id = project and r.manuscript_id = manuscript
     and r.revision_id = revision;
  update app.tenant_usage u
     set reserved_bytes = u.reserved_bytes - case before when 'pending' then size else 0 end,
         stored_bytes = u.stored_bytes - case before when 'stored' then size else 0 end
   where u.tenant_id = tenant;
end
$$;
comment on function app.release_revision(uuid, uuid, uuid, uuid, text) is
  'Ends a revision as expired or deleted and gives its bytes back, once; does nothing where it has ended.';

create function app.require_stored_revision(tenant uuid, project uuid, manuscript uuid, revision uuid) returns void
  language plpgsql
as $$
declare
  found_state text;
begin
  perform app.require_manuscript(tenant, project, manuscript);
  select r.state into found_state
    from app.revisions r
   where r.tenant_id = tenant and r.project_id = project and r.manuscript_id = manuscript
     and r.revision_id = revision and r.state <> 'deleted'
     for share;
  if found_state is null then
    raise exception 'no such revision' using errcode = 'NF012';
  elsif found_state <> 'stored' then
    raise exception 'revision is %', found_state using errcode = 'NF031';
  end if;
end
$$;
comment on function app.require_stored_revision(uuid, uuid, uuid, uuid) is
  'Raises unless the revision is stored and its parents live; keeps them so until the end.';

create function app.release_under(tenant uuid, project uuid, manuscript uuid) returns void
  language plpgsql
as $$
declare
  reserved bigint;
  stored bigint;
begin
  with ended as (
    update app.revisions r
       set state = 'deleted'
     where r.tenant_id = tenant and r.project_id = project
       and (manuscript is null or r.manuscript_id = manuscript) and r.state = 'pending'
    returning r.bytes
  )
  select coalesce(sum(e.bytes), 0) into reserved from ended e;
  with ended as (
    update app.revisions r
       set state = 'deleted'
     where r.tenant_id = tenant and r.project_id = project
       and (manuscript is null or r.manuscript_id = manuscript) and r.state = 'stored'
    returning r.bytes
  )
  select coalesce(sum(e.bytes), 0) into stored from ended e;
  if reserved > 0 or stored > 0 then
    update app.tenant_usage u
       set reserved_bytes = u.reserved_bytes - reserved, stored_bytes = u.stored_bytes - stored
     where u.tenant_id = tenant;
  end if;
end
$$;
comment on function app.release_under(uuid, uuid, uuid) is
  'Marks the revisions of a project, or of one manuscript, deleted and gives their bytes back, once.';

grant execute on function
  app.require_stored_revision(uuid, uuid, uuid, uuid),
  app.release_under(uuid, uuid, uuid),
  app.require_role(uuid, uuid, text),
  app.require_lease(uuid, uuid, bigint),
  app.claim_idempotency_key(uuid, uuid, text, bytea, uuid),
  app.require_project(uuid, uuid),
  app.require_manuscript(uuid, uuid, uuid),
  app.reserve_bytes(uuid, bigint),
  app.store_revision(uuid, uuid, uuid, uuid),
  app.release_revision(uuid, uuid, uuid, uuid, text)
  to :"tenant";
