//! Jobs that fail: what is tried again, what is not, and what the writer and the operator then see.

use novelfoundry_core::{JobId, JobKind, JobPayload, Role};
use novelfoundry_database::{analyses::AnalysisState, jobs};
use serde::Serialize;

use crate::bed::{Bed, STORY, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_was_down_is_tried_again() {
    let mut bed = Bed::make().await;
    let writer = bed.writer().await;
    let upload = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    bed.files.stop().await;
    let worker = bed.work("a").await;
    let waits =
        "select count(*) from app.jobs where state = 'queued' and attempts > 0 and last_error is not null";
    until("the job waits for another attempt", async || bed.one(waits).await == "1").await;
    bed.files.start_again().await;
    bed.job_is(upload.job(), "succeeded").await;
    assert_eq!(bed.analysis(&writer, &upload).await.unwrap().state, AnalysisState::Succeeded);
    assert_eq!(bed.usages(&upload).await, "1");
    assert_eq!(bed.one("select attempts > 1 and last_error is null from app.jobs").await, "t");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_attempt_is_a_dead_letter_and_its_analysis_says_so() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    // The object is missing although its upload was confirmed.
    let upload = bed.ticket(&writer, "story.txt", STORY.as_bytes()).await;
    bed.complete(&writer, &upload).await;
    bed.database.sql("update app.jobs set max_attempts = 2").await.unwrap();
    let worker = bed.work("a").await;
    bed.job_is(upload.job(), "failed").await;
    let row = "select attempts || ' ' || last_error || ' ' || (finished_at is not null) from app.jobs";
    assert_eq!(bed.one(row).await, "2 the object store failed: there is no such object true");
    let analysis = bed.analysis(&writer, &upload).await.unwrap();
    assert_eq!(analysis.state, AnalysisState::Failed);
    assert_eq!(analysis.problem.unwrap()["code"], "internal");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_used_up_its_attempts_by_killing_workers_is_not_run_again() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let upload = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    bed.database
        .sql("update app.jobs set state = 'running', attempts = max_attempts, lease_expires_at = now()")
        .await
        .unwrap();
    let worker = bed.work("a").await;
    bed.job_is(upload.job(), "failed").await;
    let analysis = bed.analysis(&writer, &upload).await.unwrap();
    assert_eq!(analysis.problem.unwrap()["code"], "internal");
    assert_eq!(bed.usages(&upload).await, "0");
    worker.stop().await;
}

#[derive(Serialize)]
struct Garbled {
    project_id: &'static str,
}

impl JobPayload for Garbled {
    const KIND: JobKind = JobKind::SettleUpload;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_garbled_payload_fails_at_once_and_an_unknown_kind_waits_for_a_newer_worker() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let [garbled, unknown] = [(); 2].map(|()| JobId::from_uuid(bed.issuer.id()));
    let call = jobs::insert(garbled, &Garbled { project_id: "\u{1F512}" }, None);
    bed.tenant.write(&writer.authority, Role::Editor, "test.enqueue", call).await.unwrap();
    let tenant = writer.authority.tenant_id();
    let newer = format!(
        "insert into app.jobs (tenant_id, job_id, kind, payload)
         values ('{tenant}', '{unknown}', 'translate_manuscript', '{{}}')"
    );
    bed.database.sql(&newer).await.unwrap();
    let good = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    let worker = bed.work("a").await;
    bed.job_is(garbled, "failed").await;
    assert_eq!(bed.one(&format!("select attempts from app.jobs where job_id = '{garbled}'")).await, "1");
    let waits = format!(
        "select last_error is not null from app.jobs where job_id = '{unknown}' and state = 'queued'"
    );
    until("the unknown job waits", async || bed.one(&waits).await == "t").await;
    bed.job_is(good.job(), "succeeded").await;
    worker.stop().await;
}

/// What a coordinator's crash between two commits leaves behind on a cluster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_analysis_has_ended_ends_without_another_effect() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let upload = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    let worker = bed.work("a").await;
    bed.job_is(upload.job(), "succeeded").await;
    let ended = bed.one("select a::text from app.analyses a").await;
    bed.database
        .sql("update app.jobs set state = 'queued', run_at = now(), finished_at = null")
        .await
        .unwrap();
    bed.job_is(upload.job(), "succeeded").await;
    assert_eq!(bed.one("select a::text from app.analyses a").await, ended);
    assert_eq!(bed.usages(&upload).await, "1");
    worker.stop().await;
}
