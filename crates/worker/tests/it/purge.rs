//! Uploads that are settled and deleted things that are cleared away, with nothing left of them.

use std::time::Duration;

use novelfoundry_core::{JobId, JobKind, ManuscriptId, PurgeObjects, Role};
use novelfoundry_database::{analyses, jobs, manuscripts, projects, revisions};
use novelfoundry_worker::WorkerOptions;

use crate::bed::{Bed, STORY, Writer, start, until};

const USED: &str = "select reserved_bytes || ' ' || stored_bytes from app.tenant_usage";

/// Deletes a project, or one manuscript, as the API does.
async fn delete(bed: &Bed, writer: &Writer, manuscript: Option<ManuscriptId>) -> JobId {
    let job = JobId::from_uuid(bed.issuer.id());
    let payload = PurgeObjects { project_id: writer.project, manuscript_id: manuscript };
    let calls = (
        jobs::cancel_under(JobKind::AnalyzeManuscript, writer.project, manuscript),
        manuscript.is_none().then(|| projects::mark_deleted(writer.project, None)),
        manuscript.map(|id| manuscripts::mark_deleted(writer.project, id, None)),
        analyses::cancel_under(writer.project, manuscript),
        jobs::insert(job, &payload, None),
        revisions::release_under(writer.project, manuscript),
    );
    bed.tenant.write(&writer.authority, Role::Editor, "test.delete", calls).await.unwrap();
    job
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_was_never_completed_is_settled() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let arrived = bed.ticket(&writer, "story.txt", STORY.as_bytes()).await;
    bed.files.put(&arrived.key, STORY.as_bytes()).await;
    let absent = bed.ticket(&writer, "other.txt", STORY.as_bytes()).await;
    let worker = bed.work("a").await;
    for upload in [&arrived, &absent] {
        let job = bed.settle(&writer, upload).await;
        bed.job_is(job, "succeeded").await;
        assert!(!bed.files.has(&upload.key).await);
    }
    assert_eq!(bed.one("select string_agg(distinct state, ',') from app.revisions").await, "expired");
    assert_eq!(bed.one(USED).await, "0 0");
    assert_eq!(bed.one("select count(*) from app.object_tombstones").await, "2");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settling_leaves_a_completed_upload_alone() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let worker = bed.work("a").await;
    let upload = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    let job = bed.settle(&writer, &upload).await;
    bed.job_is(job, "succeeded").await;
    bed.job_is(upload.job(), "succeeded").await;
    assert!(bed.files.has(&upload.key).await);
    assert_eq!(bed.one("select state from app.revisions").await, "stored");
    assert_eq!(bed.one(USED).await, format!("0 {}", STORY.len()));
    assert_eq!(bed.one("select count(*) from app.object_tombstones").await, "0");
    worker.stop().await;
}

/// The store is away when the ticket is settled; before the settling is tried again, the manuscript is deleted and purged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settling_that_was_cut_short_leaves_its_file_to_the_purge() {
    let mut bed = Bed::make().await;
    let writer = bed.writer().await;
    let upload = bed.ticket(&writer, "story.txt", STORY.as_bytes()).await;
    bed.files.put(&upload.key, STORY.as_bytes()).await;
    bed.files.stop().await;
    let settling = bed.settle(&writer, &upload).await;
    let worker = bed.work("a").await;
    let tried = format!("select last_error is not null from app.jobs where job_id = '{settling}'");
    until("the settling is to be tried again", async || bed.one(&tried).await == "t").await;
    worker.stop().await;
    assert_eq!(bed.one("select state from app.revisions").await, "expired");
    let wait = "update app.jobs set run_at = 'infinity'";
    bed.database.sql(wait).await.unwrap();

    bed.files.start_again().await;
    let worker = bed.work("b").await;
    let purge = delete(&bed, &writer, Some(writer.manuscript)).await;
    bed.job_is(purge, "succeeded").await;
    assert!(!bed.files.has(&upload.key).await, "its row is gone and its file is not");
    bed.database.sql("update app.jobs set run_at = now() where state = 'queued'").await.unwrap();
    bed.job_is(settling, "succeeded").await;
    assert_eq!(bed.one("select count(*) from app.revisions").await, "0");
    assert_eq!(
        bed.one("select count(*) from app.object_tombstones").await,
        "1",
        "its ticket may still be good"
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settling_that_never_reaches_the_store_leaves_its_file_to_the_tombstone() {
    let mut bed = Bed::make().await;
    let writer = bed.writer().await;
    let upload = bed.ticket(&writer, "story.txt", STORY.as_bytes()).await;
    bed.files.put(&upload.key, STORY.as_bytes()).await;
    bed.files.stop().await;
    let settling = bed.settle(&writer, &upload).await;
    bed.database.sql("update app.jobs set attempts = max_attempts - 1").await.unwrap();
    let worker = bed.work("a").await;
    bed.job_is(settling, "failed").await;
    worker.stop().await;
    assert_eq!(bed.one("select count(*) from app.object_tombstones").await, "1");

    bed.files.start_again().await;
    bed.database.sql("update app.object_tombstones set due_at = now()").await.unwrap();
    let worker = bed.work("b").await;
    until("the tombstone is applied", async || !bed.files.has(&upload.key).await).await;
    worker.stop().await;
}

/// At 1 KiB a second the largest file takes more than a day, which may begin with a ticket's last second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_backups_a_tombstone_still_outlasts_the_slowest_upload() {
    let bed = Bed::make().await;
    let (writer, other) = (bed.writer().await, bed.writer().await);
    bed.ticket(&writer, "story.txt", STORY.as_bytes()).await;
    let expired = bed.ticket(&other, "story.txt", STORY.as_bytes()).await;
    let options = bed.options(bed.files.store(), "a").await;
    let worker = start(WorkerOptions { backup_retention: Duration::ZERO, ..options });
    for job in [delete(&bed, &writer, None).await, bed.settle(&other, &expired).await] {
        bed.job_is(job, "succeeded").await;
    }
    let kept = "select count(*) from app.object_tombstones where keep_until > now() + interval '60 hours'";
    assert_eq!(bed.one(kept).await, "2");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_project_leaves_no_object_and_no_row() {
    let bed = Bed::make().await;
    let (writer, other) = (bed.writer().await, bed.writer().await);
    let mut uploads = Vec::new();
    for index in 0..23 {
        let upload = bed.ticket(&writer, "story.txt", STORY.as_bytes()).await;
        if index % 3 > 0 {
            bed.files.put(&upload.key, STORY.as_bytes()).await;
        }
        if index % 3 > 1 {
            bed.complete(&writer, &upload).await;
        }
        uploads.push(upload);
    }
    let kept = bed.upload(&other, "story.txt", STORY.as_bytes()).await;
    let worker = bed.work("a").await;
    let job = delete(&bed, &writer, None).await;
    bed.job_is(job, "succeeded").await;
    for upload in &uploads {
        assert!(!bed.files.has(&upload.key).await);
    }
    let tenant = writer.authority.tenant_id();
    for table in ["projects", "manuscripts", "revisions", "analyses"] {
        let count = format!("select count(*) from app.{table} where tenant_id = '{tenant}'");
        assert_eq!(bed.one(&count).await, "0", "{table}");
    }
    assert_eq!(bed.one(&format!("{USED} where tenant_id = '{tenant}'")).await, "0 0");
    assert_eq!(bed.one("select count(*) from app.object_tombstones").await, "23");
    bed.job_is(kept.job(), "succeeded").await;
    assert!(bed.files.has(&kept.key).await);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_manuscript_leaves_its_project_and_may_be_purged_twice() {
    let bed = Bed::make().await;
    let mut writer = bed.writer().await;
    let kept = bed.upload(&writer, "kept.txt", STORY.as_bytes()).await;
    writer.manuscript = ManuscriptId::from_uuid(bed.issuer.id());
    let second = manuscripts::insert(writer.project, writer.manuscript, "Another".into(), writer.user);
    bed.tenant.write(&writer.authority, Role::Editor, "test.create", second).await.unwrap();
    let gone = bed.upload(&writer, "gone.txt", STORY.as_bytes()).await;
    let worker = bed.work("a").await;
    for _ in 0..2 {
        let job = delete(&bed, &writer, Some(writer.manuscript)).await;
        bed.job_is(job, "succeeded").await;
        assert!(!bed.files.has(&gone.key).await);
        assert!(bed.files.has(&kept.key).await);
        assert_eq!(bed.one("select count(*) from app.manuscripts").await, "1");
        assert_eq!(bed.one("select count(*) from app.revisions").await, "1");
    }
    worker.stop().await;
}

/// Whichever comes first, the settling of an upload or its deletion, the other meets it before it has committed: the bytes
/// are given back once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settling_and_a_deletion_that_meet_give_the_bytes_back_once() {
    let bed = Bed::make().await;
    if bed.database.nodes.is_some() {
        println!("skipped: who waits for whom is seen on one server only");
        return;
    }
    let worker = bed.work("a").await;
    let holder = bed.database.connect_as(&bed.database.admin).await.unwrap();
    let waiting = async |count: &str| {
        let wait = "select count(*) from pg_stat_activity
                     where datname = current_database() and wait_event_type = 'Lock'";
        until("so many wait", async || bed.one(wait).await == count).await;
    };
    for deletion_first in [true, false] {
        let writer = bed.writer().await;
        let tenant = writer.authority.tenant_id();
        // What is given back twice is taken from others, and shows.
        let others =
            format!("update app.tenant_usage set reserved_bytes = 1000 where tenant_id = '{tenant}'");
        bed.database.sql(&others).await.unwrap();
        let upload = bed.ticket(&writer, "a.txt", b"first").await;
        bed.files.put(&upload.key, b"first").await;
        // Both give the bytes back last.
        let hold = format!("begin; select from app.tenant_usage where tenant_id = '{tenant}' for update");
        holder.batch_execute(&hold).await.unwrap();
        let deletion = async {
            if !deletion_first {
                waiting("1").await;
            }
            delete(&bed, &writer, None).await
        };
        let settling = async {
            if deletion_first {
                waiting("1").await;
            }
            let job = bed.settle(&writer, &upload).await;
            waiting("2").await;
            holder.batch_execute("rollback").await.unwrap();
            job
        };
        let (purge, settling) = tokio::join!(deletion, settling);
        bed.job_is(settling, "succeeded").await;
        bed.job_is(purge, "succeeded").await;
        let used = bed.one(&format!("{USED} where tenant_id = '{tenant}'")).await;
        assert_eq!(used, "1000 0", "the deletion first: {deletion_first}");
        assert!(!bed.files.has(&upload.key).await);
        let left = format!("select count(*) from app.revisions where tenant_id = '{tenant}'");
        assert_eq!(bed.one(&left).await, "0");
    }
    worker.stop().await;
}

/// A ticket that outlives the delete puts the object back; the tombstone has the last word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_upload_does_not_bring_a_deleted_object_back() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let upload = bed.ticket(&writer, "story.txt", STORY.as_bytes()).await;
    let worker = bed.work("a").await;
    let job = delete(&bed, &writer, None).await;
    bed.job_is(job, "succeeded").await;
    worker.stop().await;
    bed.files.put(&upload.key, STORY.as_bytes()).await;

    let worker = bed.work("b").await;
    let done = bed.writer().await;
    let sign = bed.upload(&done, "story.txt", STORY.as_bytes()).await;
    bed.job_is(sign.job(), "succeeded").await;
    assert!(bed.files.has(&upload.key).await, "the tombstone was applied before its time");
    worker.stop().await;

    let planned = "select due_at between now() + interval '1 hour' and now() + interval '75 minutes'
                      and keep_until between now() + interval '34 days' and now() + interval '35 days'
                     from app.object_tombstones";
    assert_eq!(bed.one(planned).await, "t", "an hour after the ticket's end, and until no backup knows it");
    bed.database.sql("update app.object_tombstones set due_at = now()").await.unwrap();
    let worker = bed.work("c").await;
    until("the tombstone is applied", async || !bed.files.has(&upload.key).await).await;
    worker.stop().await;
}
