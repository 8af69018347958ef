//! Deleted objects that come back: with a late upload, and with a restored copy.

use novelfoundry_core::{ProjectId, RevisionId, TenantId, UserId};
use novelfoundry_objects::{FileType, ObjectKey};
use novelfoundry_worker::{TombstoneError, apply_tombstones};
use tokio_util::sync::CancellationToken;

use crate::bed::{Bed, STORY, until};

const COUNT: &str = "select count(*) from app.object_tombstones";

fn key(bed: &Bed) -> ObjectKey {
    let [tenant, user, project, revision] = [(); 4].map(|()| bed.issuer.id());
    ObjectKey::new(
        TenantId::from_uuid(tenant),
        UserId::from_uuid(user),
        ProjectId::from_uuid(project),
        FileType::Manuscript,
        RevisionId::from_uuid(revision),
        "story.txt",
    )
}

/// Buries keys, as of a day ago, with moments they are due at.
async fn bury(bed: &Bed, keys: &[String], due_at: &str) {
    let rows: Vec<_> = keys
        .iter()
        .map(|key| {
            format!(
                "(gen_random_uuid(), '{key}', now() - interval '1 day', {due_at}, now() + interval '34 days')"
            )
        })
        .collect();
    let insert = format!(
        "insert into app.object_tombstones (tenant_id, object_key, created_at, due_at, keep_until) values {}",
        rows.join(", ")
    );
    bed.database.sql(&insert).await.unwrap();
}

async fn put(bed: &Bed, key: &ObjectKey) {
    bed.files.put(key, STORY.as_bytes()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_came_back_is_deleted_every_time_and_a_last_time() {
    let bed = Bed::make().await;
    let key = key(&bed);
    bury(&bed, &[key.to_string()], "now() + interval '1 day'").await;
    let stays = "select due_at > now() + interval '23 hours' from app.object_tombstones";
    for _ in 0..2 {
        put(&bed, &key).await;
        bed.database.sql("update app.object_tombstones set due_at = now()").await.unwrap();
        let worker = bed.work("a").await;
        until("the object is gone", async || !bed.files.has(&key).await).await;
        until("the tombstone has its next time", async || bed.one(stays).await == "t").await;
        worker.stop().await;
    }
    put(&bed, &key).await;
    let ended = "update app.object_tombstones
                    set created_at = now() - interval '36 days', keep_until = now(), due_at = now()";
    bed.database.sql(ended).await.unwrap();
    let worker = bed.work("b").await;
    until("the tombstone is gone", async || bed.one(COUNT).await == "0").await;
    assert!(!bed.files.has(&key).await);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tombstones_that_fail_hold_up_no_other_and_stay() {
    let bed = Bed::make().await;
    let hopeless: Vec<_> = (0..60).map(|n| format!("no key {n}")).collect();
    bury(&bed, &hopeless, "now() - interval '1 hour'").await;
    let keys: Vec<_> = (0..120).map(|_| key(&bed)).collect();
    put(&bed, &keys[0]).await;
    put(&bed, &keys[119]).await;
    let texts: Vec<_> = keys.iter().map(ToString::to_string).collect();
    bury(&bed, &texts, "now()").await;
    let worker = bed.work("a").await;
    let applied = "select count(*) from app.object_tombstones where due_at > now() + interval '23 hours'";
    until("the others are applied", async || bed.one(applied).await == "120").await;
    assert!(!bed.files.has(&keys[0]).await && !bed.files.has(&keys[119]).await);
    let tried = "select count(*) from app.object_tombstones
                  where due_at between now() + interval '50 minutes' and now() + interval '1 hour'";
    assert_eq!(bed.one(tried).await, "60", "they are tried again in an hour");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_store_loses_no_tombstone() {
    let mut bed = Bed::make().await;
    let key = key(&bed);
    put(&bed, &key).await;
    bury(&bed, &[key.to_string()], "now()").await;
    bed.files.stop().await;
    let worker = bed.work("a").await;
    let tried = "select due_at > now() + interval '50 minutes' from app.object_tombstones";
    until("it was tried", async || bed.one(tried).await == "t").await;
    worker.stop().await;
    bed.files.start_again().await;
    assert!(bed.files.has(&key).await);
    bed.database.sql("update app.object_tombstones set due_at = now()").await.unwrap();
    let worker = bed.work("b").await;
    until("the object is gone", async || !bed.files.has(&key).await).await;
    worker.stop().await;
    assert_eq!(bed.one(COUNT).await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_request_every_tombstone_is_applied_now_and_nothing_else() {
    let mut bed = Bed::make().await;
    let keys: Vec<_> = (0..230).map(|_| key(&bed)).collect();
    let living = key(&bed);
    for back in [&keys[0], &keys[100], &keys[229], &living] {
        put(&bed, back).await;
    }
    let texts: Vec<_> = keys.iter().map(ToString::to_string).collect();
    bury(&bed, &texts, "now() + interval '6 days'").await;
    let rows = "select md5(string_agg(t::text, ',' order by object_key)) from app.object_tombstones t";
    let before = bed.one(rows).await;

    let stop = CancellationToken::new();
    let mut told = Vec::new();
    for found in [3, 0] {
        let sum =
            apply_tombstones(&bed.control, &bed.files.store(), &stop, |sum| told.push(sum.applied)).await;
        assert_eq!((sum.applied, sum.found, sum.failed, sum.complete), (230, found, 0, true), "{sum:?}");
    }
    assert_eq!(told, [100, 200, 230, 100, 200, 230]);
    assert!(!bed.files.has(&keys[0]).await && !bed.files.has(&keys[100]).await);
    assert!(!bed.files.has(&keys[229]).await);
    assert!(bed.files.has(&living).await);
    assert_eq!(bed.one(rows).await, before, "each stays, due when it was");

    bury(&bed, &["no key".to_owned()], "now()").await;
    let sum = apply_tombstones(&bed.control, &bed.files.store(), &stop, |_| {}).await;
    assert_eq!((sum.applied, sum.failed, sum.complete), (230, 1, true), "{sum:?}");
    assert!(matches!(sum.failure, Some(TombstoneError::Key(_))), "{sum:?}");

    let store = bed.files.store();
    bed.files.stop().await;
    let sum = apply_tombstones(&bed.control, &store, &stop, |_| {}).await;
    assert_eq!((sum.applied, sum.failed, sum.complete), (0, 100, false), "{sum:?}");
    stop.cancel();
    let sum = apply_tombstones(&bed.control, &store, &stop, |_| {}).await;
    assert!(!sum.complete && sum.failure.is_none(), "{sum:?}");
    bed.files.start_again().await;
    assert!(bed.files.has(&living).await);
}
