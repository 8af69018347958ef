//! What a coordinator's crash between two commits loses, and that it comes back, once. The rows are removed as the crash
//! would: those of the tenant are there, those of the coordinator are not.

use std::time::Duration;

use novelfoundry_core::{JobId, ManuscriptId, Role, UserId};
use novelfoundry_database::{
    Authority, DbError, Refusal, analyses,
    analyses::AnalysisState,
    events, jobs,
    jobs::{ClaimedJob, End},
    manuscripts, projects, revisions, workspaces,
};
use serde_json::json;

use crate::bed::{Bed, STORY, Writer, until};

const USED: &str = "select reserved_bytes || ' ' || stored_bytes from app.tenant_usage";
const AGED: &str = "update app.analyses set created_at = now() - interval '1 hour'";

/// Enqueues reconciliations of the writer's workspace that run at the same time.
async fn reconcile(bed: &Bed, writer: &Writer, several: usize) {
    let tenant = writer.authority.tenant_id();
    let mut made = Vec::new();
    for _ in 0..several {
        let job = JobId::from_uuid(bed.issuer.id());
        let insert = format!(
            "insert into app.jobs (tenant_id, job_id, kind, payload)
             values ('{tenant}', '{job}', 'reconcile_workspace', '{{}}')"
        );
        bed.database.sql(&insert).await.unwrap();
        made.push(job);
    }
    for job in made {
        bed.job_is(job, "succeeded").await;
    }
}

async fn kinds(bed: &Bed, kind: &str) -> String {
    bed.one(&format!("select count(*) from app.jobs where kind = '{kind}'")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_job_of_an_analysis_comes_back_once() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let (old, young) = (
        bed.upload(&writer, "old.txt", STORY.as_bytes()).await,
        bed.upload(&writer, "young.txt", STORY.as_bytes()).await,
    );
    bed.database.sql("delete from app.jobs").await.unwrap();
    let aged = format!("{AGED} where analysis_id = '{}'", old.analysis);
    bed.database.sql(&aged).await.unwrap();
    let workers = [bed.work("a").await, bed.work("b").await];
    reconcile(&bed, &writer, 4).await;
    bed.job_is(old.job(), "succeeded").await;
    assert_eq!(bed.analysis(&writer, &old).await.unwrap().state, AnalysisState::Succeeded);
    assert_eq!(bed.usages(&old).await, "1");
    assert_eq!(kinds(&bed, "analyze_manuscript").await, "1", "the other may still be under way");
    assert_eq!(bed.analysis(&writer, &young).await.unwrap().state, AnalysisState::Queued);
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_settling_of_a_ticket_comes_back_and_with_it_the_bytes() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let upload = bed.ticket(&writer, "story.txt", STORY.as_bytes()).await;
    bed.files.put(&upload.key, STORY.as_bytes()).await;
    bed.database.sql("update app.revisions set expires_at = now() - interval '1 hour'").await.unwrap();
    let workers = [bed.work("a").await, bed.work("b").await];
    reconcile(&bed, &writer, 4).await;
    bed.job_is(JobId::from_uuid(upload.revision.as_uuid()), "succeeded").await;
    assert_eq!(kinds(&bed, "settle_upload").await, "1");
    assert_eq!(bed.one("select state from app.revisions").await, "expired");
    assert_eq!(bed.one(USED).await, "0 0");
    assert!(!bed.files.has(&upload.key).await);
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settling_a_completed_upload_puts_its_analysis_s_job_back() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let upload = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    bed.database.sql("delete from app.jobs").await.unwrap();
    // Its cancellation was lost with the same crash.
    let settle = bed.settle(&writer, &upload).await;
    let worker = bed.work("a").await;
    bed.job_is(settle, "succeeded").await;
    bed.job_is(upload.job(), "succeeded").await;
    assert_eq!(bed.usages(&upload).await, "1");
    assert_eq!(bed.one(USED).await, format!("0 {}", STORY.len()));
    assert!(bed.files.has(&upload.key).await);
    worker.stop().await;
}

/// Deletes a project, or one manuscript, as the API does, but for what the coordinator keeps.
async fn delete(bed: &Bed, writer: &Writer, manuscript: Option<ManuscriptId>) {
    let calls = (
        manuscript.is_none().then(|| projects::mark_deleted(writer.project, None)),
        manuscript.map(|id| manuscripts::mark_deleted(writer.project, id, None)),
        analyses::cancel_under(writer.project, manuscript),
        revisions::release_under(writer.project, manuscript),
    );
    bed.tenant.write(&writer.authority, Role::Editor, "test.delete", calls).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_purge_of_what_was_deleted_comes_back() {
    let bed = Bed::make().await;
    let (writer, other) = (bed.writer().await, bed.writer().await);
    let gone = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    let also_gone = bed.upload(&other, "story.txt", STORY.as_bytes()).await;
    delete(&bed, &writer, None).await;
    delete(&bed, &other, Some(other.manuscript)).await;
    for table in ["projects", "manuscripts"] {
        let aged = format!(
            "update app.{table} set deleted_at = now() - interval '2 days' where deleted_at is not null"
        );
        bed.database.sql(&aged).await.unwrap();
    }
    let workers = [bed.work("a").await, bed.work("b").await];
    reconcile(&bed, &writer, 3).await;
    reconcile(&bed, &other, 3).await;
    bed.job_is(JobId::from_uuid(writer.project.as_uuid()), "succeeded").await;
    bed.job_is(JobId::from_uuid(other.manuscript.as_uuid()), "succeeded").await;
    assert_eq!(kinds(&bed, "purge_objects").await, "2");
    for upload in [&gone, &also_gone] {
        assert!(!bed.files.has(&upload.key).await);
        // It had been left queued, and found nothing to do.
        bed.job_is(upload.job(), "cancelled").await;
        assert_eq!(bed.usages(upload).await, "0");
    }
    assert_eq!(bed.one("select count(*) from app.projects").await, "1");
    assert_eq!(bed.one("select count(*) from app.manuscripts").await, "0");
    assert_eq!(bed.one("select count(*) from app.object_tombstones").await, "2");
    for worker in workers {
        worker.stop().await;
    }
}

/// More than a page of them; held back as long as any deletion, they do not run here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_put_back_page_by_page_and_purges_are_held_back() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let tenant = writer.authority.tenant_id();
    let many = format!(
        "insert into app.projects (tenant_id, project_id, title, created_by, deleted_at)
         select '{tenant}', gen_random_uuid(), 'Gone', gen_random_uuid(), '{}'::timestamptz
           from generate_series(1, 450)",
        bed.one("select now() - interval '1 hour'").await
    );
    bed.database.sql(&many).await.unwrap();
    let worker = bed.work("a").await;
    reconcile(&bed, &writer, 2).await;
    assert_eq!(kinds(&bed, "purge_objects").await, "450");
    let held = "select bool_and(state = 'queued' and run_at between now() + interval '22 hours' and now() + interval '23 hours')
                  from app.jobs where kind = 'purge_objects'";
    assert_eq!(bed.one(held).await, "t");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_of_memberships_follows_the_memberships() {
    let bed = Bed::make().await;
    let (writer, deleted) = (bed.writer().await, bed.writer().await);
    let (tenant, other) = (writer.authority.tenant_id(), deleted.authority.tenant_id());
    let stranger = UserId::from_uuid(bed.issuer.id());
    bed.database.sql("delete from app.user_tenants").await.unwrap();
    let stray = format!(
        "insert into app.user_tenants (tenant_id, user_id, tenant_name) values ('{tenant}', '{stranger}', 'Mine')"
    );
    bed.database.sql(&stray).await.unwrap();
    let mark = format!("update app.tenants set deleted_at = now() where tenant_id = '{other}'");
    bed.database.sql(&mark).await.unwrap();
    let workers = [bed.work("a").await, bed.work("b").await];
    reconcile(&bed, &writer, 4).await;
    reconcile(&bed, &deleted, 2).await;
    let listed =
        "select string_agg(tenant_id || ' ' || user_id || ' ' || tenant_name, ', ') from app.user_tenants";
    assert_eq!(bed.one(listed).await, format!("{tenant} {} A workspace", writer.user));
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_healthy_workspace_stays_as_it_is() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let upload = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    let worker = bed.work("a").await;
    bed.job_is(upload.job(), "succeeded").await;
    bed.ticket(&writer, "other.txt", STORY.as_bytes()).await;
    let everything = async || {
        let mut rows = Vec::new();
        for table in ["jobs", "user_tenants", "object_tombstones", "revisions", "analyses", "tenant_usage"] {
            let all = format!("select string_agg(t::text, '|' order by t::text) from app.{table} t");
            let but = if table == "jobs" { " where kind <> 'reconcile_workspace'" } else { "" };
            rows.push(bed.one(&format!("{all}{but}")).await);
        }
        rows
    };
    let before = everything().await;
    reconcile(&bed, &writer, 2).await;
    assert_eq!(everything().await, before);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sweep_keeps_one_job_a_listed_workspace_going() {
    let bed = Bed::make().await;
    let (writer, young, unlisted) = (bed.writer().await, bed.writer().await, bed.writer().await);
    let [tenant, newer, gone] = [&writer, &young, &unlisted].map(|writer| writer.authority.tenant_id());
    let aged = format!(
        "update app.user_tenants set created_at = now() - interval '2 hours' where tenant_id <> '{newer}';
         insert into app.jobs (tenant_id, job_id, kind, payload, state, finished_at)
         values ('{gone}', '{gone}', 'reconcile_workspace', '{{}}', 'succeeded', now() - interval '2 days');
         delete from app.user_tenants where tenant_id = '{gone}'"
    );
    bed.database.sql(&aged).await.unwrap();
    let workers = [bed.work("a").await, bed.work("b").await];
    let job = JobId::from_uuid(tenant.as_uuid());
    let enqueued = format!("select count(*) from app.jobs where job_id = '{job}'");
    until("the workspace has its job", async || bed.one(&enqueued).await == "1").await;
    let now = "update app.jobs set run_at = now() where state = 'queued'";
    bed.database.sql(now).await.unwrap();
    bed.job_is(job, "succeeded").await;
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!(kinds(&bed, "reconcile_workspace").await, "2", "one is young, one is gone");

    // A day later, whichever worker looks first.
    let later =
        format!("update app.jobs set finished_at = finished_at - interval '25 hours' where job_id = '{job}'");
    bed.database.sql(&later).await.unwrap();
    let workers = [bed.work("c").await, bed.work("d").await];
    let again = format!("select finished_at is null from app.jobs where job_id = '{job}'");
    until("the job is queued again", async || bed.one(&again).await == "t").await;
    bed.database.sql(now).await.unwrap();
    bed.job_is(job, "succeeded").await;
    let row = format!("select attempts || ' ' || fencing_token from app.jobs where job_id = '{job}'");
    assert_eq!(bed.one(&row).await, "1 2");
    let left = format!("select state || attempts from app.jobs where job_id = '{gone}'");
    assert_eq!(bed.one(&left).await, "succeeded0");
    for worker in workers {
        worker.stop().await;
    }
}

/// A coordinator that takes over without the latest claim gives its token out a second time. What guards the effect then
/// is the state of the tenant's row.
#[tokio::test]
async fn two_workers_with_the_same_token_have_one_effect() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    for end_is_lost in [false, true] {
        let upload = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
        let claim = async || -> ClaimedJob {
            let lease = Duration::from_mins(1);
            jobs::claim(&bed.control, 1, lease, "test").await.unwrap().pop().unwrap()
        };
        let first = claim().await;
        let forget =
            "update app.jobs set state = 'queued', fencing_token = fencing_token - 1 where state = 'running'";
        bed.database.sql(forget).await.unwrap();
        let second = claim().await;
        assert_eq!(first.fencing_token(), second.fencing_token());
        let finish = async |job: &ClaimedJob, words: i64| {
            let id = upload.analysis.as_uuid();
            let calls = (
                analyses::finish(writer.project, upload.analysis, Ok(json!({"words": words}))),
                events::record_usage(id, "analysis.words", words, id),
                jobs::end(job, End::Succeeded),
            );
            bed.tenant.write(&Authority::from_job(job), Role::Editor, "test.finish", calls).await
        };
        finish(&first, 1).await.unwrap();
        if end_is_lost {
            let lose = format!(
                "update app.jobs set state = 'running', finished_at = null where job_id = '{}'",
                upload.job()
            );
            bed.database.sql(&lose).await.unwrap();
            finish(&second, 2).await.unwrap();
        } else {
            let late = finish(&second, 2).await;
            assert!(matches!(late, Err(DbError::Refused(Refusal::LeaseLost))), "{late:?}");
        }
        assert_eq!(bed.job_state(upload.job()).await, "succeeded");
        assert_eq!(bed.analysis(&writer, &upload).await.unwrap().result, Some(json!({"words": 1})));
        let used = format!(
            "select string_agg(quantity::text, ',') from app.usage_events where subject_id = '{}'",
            upload.analysis
        );
        assert_eq!(bed.one(&used).await, "1");
    }
}

/// The result was written, the end of its job was lost with the coordinator: it still seems to run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_seems_to_run_after_its_result_was_written_only_ends() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let upload = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    let worker = bed.work("a").await;
    bed.job_is(upload.job(), "succeeded").await;
    let written = bed.one("select a::text from app.analyses a").await;
    let lose = "update app.jobs set state = 'running', finished_at = null, lease_expires_at = now()";
    bed.database.sql(lose).await.unwrap();
    bed.job_is(upload.job(), "succeeded").await;
    assert_eq!(bed.one("select a::text from app.analyses a").await, written);
    assert_eq!(bed.usages(&upload).await, "1");
    assert_eq!(bed.one("select fencing_token from app.jobs").await, "2");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_was_cut_short_is_completed() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    let tenant = writer.authority.tenant_id();
    // As the worker's node has it: marked, and nobody a member; the coordinator knows nothing of that.
    for lost in [
        format!("update app.tenants set deleted_at = now() - interval '2 days' where tenant_id = '{tenant}'"),
        format!("delete from app.memberships where tenant_id = '{tenant}'"),
        "delete from app.jobs".to_owned(),
    ] {
        bed.database.sql(&lost).await.unwrap();
    }
    let worker = bed.work("a").await;
    reconcile(&bed, &writer, 1).await;
    bed.job_is(workspaces::purge_job(tenant), "succeeded").await;
    assert_eq!(kinds(&bed, "purge_workspace").await, "1");
    let listed = format!("select count(*) from app.user_tenants where tenant_id = '{tenant}'");
    assert_eq!(bed.one(&listed).await, "0");
    assert_eq!(
        bed.one(&format!("select count(*) from app.revisions where tenant_id = '{tenant}'")).await,
        "0"
    );
    worker.stop().await;
}
