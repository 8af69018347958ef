//! The counters tell what happened, no more and no less.

use metrics_exporter_prometheus::PrometheusBuilder;
use novelfoundry_core::{JobId, JobKind, JobPayload, Role};
use novelfoundry_database::jobs;
use serde::Serialize;

use crate::bed::{Bed, STORY, until};

#[derive(Serialize)]
struct Garbled {}

impl JobPayload for Garbled {
    const KIND: JobKind = JobKind::PurgeObjects;
}

/// On one thread, whose recorder is this test's own.
#[tokio::test]
async fn jobs_are_counted_by_kind_and_outcome() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    for _ in 0..3 {
        bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    }
    for _ in 0..2 {
        let upload = bed.ticket(&writer, "story.txt", STORY.as_bytes()).await;
        bed.settle(&writer, &upload).await;
    }
    let garbled = jobs::insert(JobId::from_uuid(bed.issuer.id()), &Garbled {}, None);
    bed.tenant.write(&writer.authority, Role::Editor, "test.enqueue", garbled).await.unwrap();
    // A kind may be anything; it makes no label.
    let tenant = writer.authority.tenant_id();
    for kind in ["translate_manuscript", "print_manuscript"] {
        let newer = format!(
            "insert into app.jobs (tenant_id, job_id, kind, payload, max_attempts)
             values ('{tenant}', gen_random_uuid(), '{kind}', '{{}}', 1)"
        );
        bed.database.sql(&newer).await.unwrap();
    }
    let worker = bed.work("a").await;
    let left = "select count(*) from app.jobs where state in ('queued', 'running')";
    until("every job has ended", async || bed.one(left).await == "0").await;
    worker.stop().await;

    let text = handle.render();
    let lines = |name: &str| {
        let mut lines: Vec<_> = text.lines().filter(|line| line.starts_with(&format!("{name}{{"))).collect();
        lines.sort_unstable();
        lines.join("\n").replace(&format!("{name}{{"), "{")
    };
    assert_eq!(
        lines("novelfoundry_jobs_total"),
        "{kind=\"analyze_manuscript\",outcome=\"succeeded\"} 3\n\
         {kind=\"purge_objects\",outcome=\"failed\"} 1\n\
         {kind=\"settle_upload\",outcome=\"succeeded\"} 2\n\
         {kind=\"unknown\",outcome=\"failed\"} 2"
    );
    let each = "{kind=\"analyze_manuscript\"} 3\n{kind=\"purge_objects\"} 1\n\
                {kind=\"settle_upload\"} 2\n{kind=\"unknown\"} 2";
    assert_eq!(lines("novelfoundry_job_attempts_sum"), each, "each once");
    assert_eq!(lines("novelfoundry_job_seconds_count"), each);
}
