//! How soon an idle worker starts a job: at once where it hears of it, at its next look where it does not.

use std::time::{Duration, Instant};

use novelfoundry_core::JobId;
use novelfoundry_database::jobs;

use crate::bed::{Bed, Running, STORY, Writer, start, until};

/// So seldom that within a test only a signal can start a job.
const SELDOM: Duration = Duration::from_mins(1);
/// Less than the shortest time between two such looks.
const BEFORE_THE_NEXT_LOOK: Duration = Duration::from_secs(45);
const SOON: Duration = Duration::from_millis(500);

async fn work(bed: &Bed, poll: Duration) -> Running {
    let mut options = bed.options(bed.files.store(), "a").await;
    options.poll = poll;
    start(options)
}

/// Enqueues a job that nobody is told of.
async fn enqueue(bed: &Bed, writer: &Writer) -> JobId {
    let upload = bed.ticket(writer, "story.txt", STORY.as_bytes()).await;
    bed.settle(writer, &upload).await
}

async fn stays_queued(bed: &Bed, job: JobId) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < SOON {
        if bed.job_state(job).await != "queued" {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

/// Enqueues a job that an idle worker leaves alone: one that was about to look takes those before it.
async fn enqueue_unheard(bed: &Bed, writer: &Writer) -> JobId {
    loop {
        let job = enqueue(bed, writer).await;
        if stays_queued(bed, job).await {
            return job;
        }
        bed.job_is(job, "succeeded").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_worker_that_is_told_starts_at_once() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let worker = work(&bed, SELDOM).await;
    let listens = "select count(*) from pg_stat_activity
                    where datname = current_database() and query = 'listen novelfoundry_jobs'";
    until("the worker listens", async || bed.one(listens).await == "1").await;
    let mut waits = Vec::new();
    for _ in 0..5 {
        let job = enqueue_unheard(&bed, &writer).await;
        let told = Instant::now();
        jobs::wake(&bed.control).await.unwrap();
        until("the job has begun", async || bed.job_state(job).await != "queued").await;
        waits.push(told.elapsed());
        bed.job_is(job, "succeeded").await;
    }
    // The machine may be busy, now and then.
    assert!(waits.iter().min().unwrap() < &SOON, "{waits:?}");
    assert!(waits.iter().max().unwrap() < &BEFORE_THE_NEXT_LOOK, "{waits:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_nobody_is_told_of_is_found_by_looking() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let worker = work(&bed, Duration::from_secs(1)).await;
    let begun = Instant::now();
    for _ in 0..3 {
        let job = enqueue(&bed, &writer).await;
        bed.job_is(job, "succeeded").await;
    }
    assert!(begun.elapsed() < BEFORE_THE_NEXT_LOOK);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_while_the_line_was_lost_is_found_when_it_is_back() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let worker = work(&bed, SELDOM).await;
    let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and query = 'listen novelfoundry_jobs'";
    for _ in 0..2 {
        let job = enqueue_unheard(&bed, &writer).await;
        let begun = Instant::now();
        until("the line is cut", async || bed.one(cut).await == "1").await;
        bed.job_is(job, "succeeded").await;
        assert!(begun.elapsed() < BEFORE_THE_NEXT_LOOK, "{:?}", begun.elapsed());
    }
    worker.stop().await;
}
