//! Workers that die, stall, stop or are cut off: each effect still happens once.

use std::{sync::mpsc, time::Duration};

use novelfoundry_core::Role;
use novelfoundry_database::{Authority, DbError, Refusal, analyses, analyses::AnalysisState, jobs};
use tokio::sync::oneshot;

use crate::{
    bed::{Bed, LEASE, STORY, Upload, Writer, options, start, until},
    files::Files,
    gate::Gate,
};

/// Asserts that the analysis succeeded and was counted once.
async fn succeeded_once(bed: &Bed, writer: &Writer, upload: &Upload) {
    bed.job_is(upload.job(), "succeeded").await;
    assert_eq!(bed.analysis(writer, upload).await.unwrap().state, AnalysisState::Succeeded);
    assert_eq!(bed.usages(upload).await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_worker_s_job_is_taken_over() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let upload = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    let gate = Gate::before(bed.files.address).await;
    let killed = bed.work_at(gate.address, "killed").await;
    gate.held(1).await;
    assert_eq!(bed.analysis(&writer, &upload).await.unwrap().state, AnalysisState::Running);
    killed.kill().await;
    gate.left().await;

    let heir = bed.work("heir").await;
    succeeded_once(&bed, &writer, &upload).await;
    let claimed = "select worker || ' ' || attempts from app.jobs";
    assert_eq!(bed.one(claimed).await, "heir 2");
    heir.stop().await;
}

/// As after SIGSTOP and SIGCONT: the stalled worker's whole runtime stands still, heartbeats included, until the lease
/// has lapsed and the job is done by another; then it goes on with the bytes it was waiting for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_worker_that_comes_back_writes_nothing() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let upload = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    let gate = Gate::before(bed.files.address).await;

    let (stall, stalled) = oneshot::channel::<()>();
    let (resume, resumed) = mpsc::channel::<()>();
    let (database, address) = (bed.database.clone(), gate.address);
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let worker = start(options(&database, Files::store_at(address), "stalled").await);
            stalled.await.unwrap();
            resumed.recv().unwrap();
            worker.stop().await;
        });
    });
    gate.held(1).await;
    stall.send(()).unwrap();

    let heir = bed.work("heir").await;
    succeeded_once(&bed, &writer, &upload).await;
    heir.stop().await;
    let tables = ["jobs", "analyses", "usage_events"];
    let rows = tables.map(|table| format!("select t::text from app.{table} t"));
    let everything = async || {
        let mut all = Vec::new();
        for one in &rows {
            all.push(bed.one(one).await);
        }
        all.join(" ")
    };
    let before = everything().await;
    assert!(before.contains("heir"), "{before}");
    gate.open();
    resume.send(()).unwrap();
    tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
    assert_eq!(everything().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_claim_can_write_nothing() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let upload = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    let claimed = jobs::claim(&bed.control, 1, Duration::ZERO, "older").await.unwrap().remove(0);
    let worker = bed.work("newer").await;
    succeeded_once(&bed, &writer, &upload).await;
    let call = analyses::show_progress(writer.project, upload.analysis, AnalysisState::Running, 1);
    let written = bed.tenant.write(&Authority::from_job(&claimed), Role::Editor, "test.late", call).await;
    assert!(matches!(written, Err(DbError::Refused(Refusal::LeaseLost))), "{written:?}");
    assert!(!jobs::heartbeat(&bed.control, &claimed, LEASE).await.unwrap());
    jobs::hand_back(&bed.control, &claimed).await.unwrap();
    assert_eq!(bed.job_state(upload.job()).await, "succeeded");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_job_stops_soon_and_stays_cancelled() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let upload = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    let gate = Gate::before(bed.files.address).await;
    let worker = bed.work_at(gate.address, "a").await;
    gate.held(1).await;
    let cancel = (jobs::cancel(upload.job()), analyses::delete(writer.project, upload.analysis));
    bed.tenant.write(&writer.authority, Role::Editor, "test.cancel", cancel).await.unwrap();
    // The worker gives the object up although its body never comes.
    gate.left().await;
    gate.open();
    worker.stop().await;
    assert_eq!(bed.job_state(upload.job()).await, "cancelled");
    assert_eq!(bed.one("select count(*) from app.analyses").await, "0", "the worker writes nothing");
    assert_eq!(bed.usages(&upload).await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_worker_hands_its_job_back() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let upload = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    let gate = Gate::before(bed.files.address).await;
    let stopping = bed.work_at(gate.address, "stopping").await;
    gate.held(1).await;
    stopping.stop().await;
    // Had the lease merely lapsed, the job would still be running.
    let row = "select state || ' ' || attempts || ' ' || (run_at <= now()) from app.jobs";
    assert_eq!(bed.one(row).await, "queued 0 true");
    let heir = bed.work("heir").await;
    succeeded_once(&bed, &writer, &upload).await;
    assert_eq!(bed.one("select attempts from app.jobs").await, "1");
    heir.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_worker_lets_a_job_end_within_its_grace() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let upload = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    let gate = Gate::before(bed.files.address).await;
    let mut options = bed.options(Files::store_at(gate.address), "a").await;
    options.lease = Duration::from_mins(1);
    let stopping = start(options);
    gate.held(1).await;
    let stopped = tokio::spawn(stopping.stop());
    gate.open();
    stopped.await.unwrap();
    succeeded_once(&bed, &writer, &upload).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_kept_for_as_long_as_the_work_takes() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let upload = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    let gate = Gate::before(bed.files.address).await;
    let slow = bed.work_at(gate.address, "slow").await;
    gate.held(1).await;
    let idle = bed.work("idle").await;
    let first = bed.one("select lease_expires_at from app.jobs").await;
    let later = format!("select now() > timestamptz '{first}' + interval '1 second' from app.jobs");
    until("the first lease is long over", async || bed.one(&later).await == "t").await;
    gate.open();
    succeeded_once(&bed, &writer, &upload).await;
    assert_eq!(bed.one("select worker || ' ' || attempts from app.jobs").await, "slow 1");
    slow.stop().await;
    idle.stop().await;
}

/// The database cuts every connection again and again while jobs run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connections_lose_no_job_and_repeat_none() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let mut uploads = Vec::new();
    for _ in 0..24 {
        uploads.push(bed.upload(&writer, "story.txt", STORY.as_bytes()).await);
    }
    bed.database.sql("update app.jobs set max_attempts = 100").await.unwrap();
    let worker = bed.work("a").await;
    let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()";
    for round in 1..=8 {
        let ended = format!("select count(*) >= {} from app.jobs where state = 'succeeded'", round * 2);
        until("some more jobs have ended", async || bed.one(&ended).await == "t").await;
        bed.one(cut).await;
    }
    let left = "select count(*) from app.jobs where state <> 'succeeded'";
    until("every job has ended", async || bed.one(left).await == "0").await;
    for upload in &uploads {
        assert_eq!(bed.usages(upload).await, "1");
    }
    assert_eq!(bed.one("select count(*) from app.analyses where state <> 'succeeded'").await, "0");
    worker.stop().await;
}
