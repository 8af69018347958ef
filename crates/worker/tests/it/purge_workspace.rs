//! Deleted workspaces that are cleared away: wholly, in batches, by a worker that dies on the way, once it is marked.

use novelfoundry_core::{JobId, PurgeWorkspace, Role};
use novelfoundry_database::{
    Purge, TABLES, jobs,
    workspaces::{self, Deletion},
};

use crate::{
    bed::{Bed, STORY, Writer, until},
    gate::Gate,
};

/// Deletes the workspace as the API does, and has the purge come at once.
async fn delete(bed: &Bed, writer: &Writer) -> JobId {
    let deletion = Deletion::plan(
        &novelfoundry_core::IdSource::default(),
        novelfoundry_core::Clock::now(&novelfoundry_core::SystemClock),
        std::time::Duration::ZERO,
    );
    assert!(workspaces::delete(&bed.tenant, &writer.authority, deletion).await.unwrap());
    let tenant = writer.authority.tenant_id();
    let purge = format!("from app.jobs where tenant_id = '{tenant}' and kind = 'purge_workspace'");
    assert_eq!(bed.one(&format!("select run_at > now() + interval '4 minutes' {purge}")).await, "t");
    bed.database
        .sql(&format!(
            "update app.jobs set run_at = now() where tenant_id = '{tenant}' and kind = 'purge_workspace'"
        ))
        .await
        .unwrap();
    bed.one(&format!("select job_id {purge}")).await.parse().unwrap()
}

/// The live tables with a tenant's column, whatever the catalogue says, and how many rows each has of the workspace.
async fn rows(bed: &Bed, writer: &Writer) -> Vec<(String, i64)> {
    let tables = "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
                   where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p') order by c.relname collate \"C\"";
    let mut found = Vec::new();
    for table in bed.database.sql(tables).await.unwrap().into_iter().flatten().flatten() {
        let tenant = writer.authority.tenant_id();
        let count = format!("select count(*) from app.{table} where tenant_id = '{tenant}'");
        found.push((table, bed.one(&count).await.parse().unwrap()));
    }
    found
}

/// Puts a row where the other steps put none.
async fn furnish(bed: &Bed, writer: &Writer) {
    let (tenant, user) = (writer.authority.tenant_id(), writer.user);
    for insert in [
        format!(
            "invitations values ('{tenant}', gen_random_uuid(), 'x@example.com', 'editor', '{user}', now(), now())"
        ),
        format!("invitation_tokens values (sha256('{tenant}'), '{tenant}', gen_random_uuid(), now())"),
        format!("idempotency_keys values ('{tenant}', '{user}', 'k', sha256('k'), gen_random_uuid())"),
        format!("usage_events select '{tenant}', gen_random_uuid(), 'a.b', 1 from generate_series(1, 2500)"),
        format!("audit_events values ('{tenant}', gen_random_uuid(), '{user}', 'a.b')"),
        format!("billing_events values ('{tenant}', gen_random_uuid(), 'a.b', 1, 'EUR')"),
        format!("session_tenants values (gen_random_uuid(), '{user}', '{tenant}')"),
        format!(
            "object_tombstones values ('{tenant}', 'long/gone', now(), now() + interval '1 day', now() + interval '1 day')"
        ),
    ] {
        bed.database.sql(&format!("insert into app.{insert}")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_workspace_leaves_what_the_catalogue_says_and_no_object() {
    let bed = Bed::make().await;
    let (writer, other) = (bed.writer().await, bed.writer().await);
    let mut uploads = Vec::new();
    for _ in 0..3 {
        uploads.push(bed.upload(&writer, "story.txt", STORY.as_bytes()).await);
    }
    let pending = bed.ticket(&writer, "late.txt", STORY.as_bytes()).await;
    // Settled half-way: its row says expired, its object is there and no tombstone is.
    let half = bed.ticket(&writer, "half.txt", STORY.as_bytes()).await;
    bed.files.put(&half.key, STORY.as_bytes()).await;
    let expire =
        format!("update app.revisions set state = 'expired' where revision_id = '{}'", half.revision);
    bed.database.sql(&expire).await.unwrap();
    furnish(&bed, &writer).await;
    for (table, count) in rows(&bed, &writer).await {
        assert!(count > 0, "the test puts nothing into {table}, so nothing is shown of its purge");
    }
    let kept = bed.upload(&other, "story.txt", STORY.as_bytes()).await;
    let before = rows(&bed, &other).await;
    let job = delete(&bed, &writer).await;
    let worker = bed.work("a").await;
    bed.job_is(job, "succeeded").await;
    bed.job_is(kept.job(), "succeeded").await;

    for upload in uploads.iter().chain([&half]) {
        assert!(!bed.files.has(&upload.key).await);
    }
    assert!(bed.files.has(&kept.key).await);
    for (table, count) in rows(&bed, &writer).await {
        let purge = TABLES.iter().find(|listed| listed.name == table).map(|listed| listed.purge);
        match (table.as_str(), purge) {
            ("audit_events" | "tenants" | "billing_events", Some(_)) => assert_eq!(count, 1, "{table}"),
            ("object_tombstones", Some(_)) => assert_eq!(count, 6),
            (_, Some(Purge::Ages)) => assert!(count > 0, "{table}"),
            (_, Some(Purge::Rows | Purge::Objects)) => assert_eq!(count, 0, "{table}"),
            other => panic!("{table}: {other:?}"),
        }
    }
    let tenant = writer.authority.tenant_id();
    let of = format!("where tenant_id = '{tenant}'");
    assert_eq!(bed.one(&format!("select name from app.tenants {of}")).await, "-");
    let audit = format!("select action || ' ' || (actor_id is null) from app.audit_events {of}");
    assert_eq!(bed.one(&audit).await, "workspace.purged true");
    let members = |rows: &[(String, i64)]| rows.iter().find(|(table, _)| table == "memberships").cloned();
    assert_eq!(members(&rows(&bed, &other).await), members(&before), "another workspace is left alone");

    // A ticket that is still good puts a file back; the tombstone has the last word.
    worker.stop().await;
    bed.files.put(&pending.key, STORY.as_bytes()).await;
    bed.database.sql("update app.object_tombstones set due_at = now()").await.unwrap();
    let worker = bed.work("b").await;
    until("the tombstone is applied", async || !bed.files.has(&pending.key).await).await;
    worker.stop().await;
}

/// Each worker but the last is held in the middle of its purge, by a row that it cannot delete, and killed there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_goes_on_where_a_killed_worker_left_it() {
    const ALL: i64 = 450;
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let first = bed.ticket(&writer, "story.txt", STORY.as_bytes()).await;
    bed.files.put(&first.key, STORY.as_bytes()).await;
    let copies = format!(
        "insert into app.revisions (tenant_id, project_id, manuscript_id, revision_id, filename, media_type, bytes, sha256,
                                    object_key, analysis_id, created_by, expires_at)
         select tenant_id, project_id, manuscript_id, i.id, filename, media_type, bytes, sha256,
                replace(object_key, '{0}', i.id::text), gen_random_uuid(), created_by, expires_at
           from app.revisions, (select gen_random_uuid() as id from generate_series(1, {1})) i
          where revision_id = '{0}'",
        first.revision,
        ALL - 1
    );
    bed.database.sql(&copies).await.unwrap();
    let job = delete(&bed, &writer).await;
    let count = "select count(*) from app.revisions";
    let left = async || bed.one(count).await.parse::<i64>().unwrap();
    let mut before = ALL;
    for name in ["a", "b"] {
        // In the second batch of those that are left.
        let second = "select revision_id from app.revisions order by project_id, manuscript_id, revision_id offset 150 limit 1";
        let tenant = writer.authority.tenant_id();
        let of = format!("tenant_id = '{tenant}' and revision_id = '{}'", bed.one(second).await);
        let holder = bed.database.connect_as(&bed.database.admin).await.unwrap();
        for statement in ["begin", &format!("select from app.revisions where {of} for update")] {
            holder.batch_execute(statement).await.unwrap();
        }
        let worker = bed.work(name).await;
        until("some revisions are gone", async || left().await < before).await;
        worker.kill().await;
        let seen = left().await;
        assert!(0 < seen && seen < before, "{seen} of {before} were left: not the middle of the purge");
        holder.batch_execute("rollback").await.unwrap();
        // What it had sent may still be carried out.
        let busy = "select count(*) from pg_stat_activity
                     where datname = current_database() and usename = 'novelfoundry_tenant' and state <> 'idle'";
        until("nothing of the killed worker is under way", async || bed.one(busy).await == "0").await;
        before = left().await;
        assert!(before > 0);
    }
    let worker = bed.work("c").await;
    bed.job_is(job, "succeeded").await;
    assert_eq!(left().await, 0);
    assert_eq!(bed.one("select count(*) from app.object_tombstones").await, ALL.to_string());
    assert!(!bed.files.has(&first.key).await);
    assert_eq!(bed.one("select count(*) from app.audit_events").await, "1");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_workspace_that_lives_is_purged() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let upload = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    let job = JobId::from_uuid(bed.issuer.id());
    let call = jobs::insert(job, &PurgeWorkspace {}, None);
    bed.tenant.write(&writer.authority, Role::Owner, "test.enqueue", call).await.unwrap();
    let worker = bed.work("a").await;
    bed.job_is(job, "cancelled").await;
    bed.job_is(upload.job(), "succeeded").await;
    assert!(bed.files.has(&upload.key).await);
    worker.stop().await;
}

/// An analysis under way when its workspace goes ends cancelled, and writes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_stops_an_analysis_that_runs_and_a_settling_that_waits() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let gate = Gate::before(bed.files.address).await;
    let upload = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    let ticket = bed.ticket(&writer, "late.txt", STORY.as_bytes()).await;
    let worker = bed.work_at(gate.address, "a").await;
    gate.held(1).await;
    let settle = bed.settle(&writer, &ticket).await;
    let job = delete(&bed, &writer).await;
    gate.open();
    bed.job_is(job, "succeeded").await;
    assert_eq!(bed.job_state(upload.job()).await, "cancelled");
    assert!(["cancelled", "succeeded"].contains(&bed.job_state(settle).await.as_str()));
    assert_eq!(bed.usages(&upload).await, "0");
    assert_eq!(bed.one("select count(*) from app.revisions").await, "0");
    assert!(!bed.files.has(&upload.key).await);
    worker.stop().await;
}
