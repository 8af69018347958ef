//! What has ended is not kept for ever.

use novelfoundry_core::UserId;
use novelfoundry_database::{Authority, idempotency, jobs};
use novelfoundry_testkit::{Database, TestIssuer};

#[tokio::test]
async fn ended_jobs_are_forgotten_after_a_week_and_failed_ones_after_ninety_days() {
    let database = Database::fresh().await;
    let control = database.control_db().await;
    let insert = "insert into app.jobs (tenant_id, job_id, kind, state, payload, finished_at)
        select gen_random_uuid(), gen_random_uuid(), 'test', state, '{}', case when state = 'queued' then null else now() - age end
          from unnest(array['succeeded', 'failed', 'cancelled', 'queued']) as state,
               unnest(array['6 days', '8 days', '91 days']::interval[]) as age";
    database.sql(insert).await.unwrap();
    assert_eq!(jobs::forget(&control, 1).await.unwrap(), 1, "in batches");
    assert_eq!(jobs::forget(&control, 100).await.unwrap(), 4);
    let left = "select state, count(*) from app.jobs group by state order by state";
    let left = database.sql(left).await.unwrap();
    let left: Vec<_> =
        left.iter().map(|row| (row[0].as_deref().unwrap(), row[1].as_deref().unwrap())).collect();
    assert_eq!(left, [("cancelled", "1"), ("failed", "2"), ("queued", "3"), ("succeeded", "1")]);
}

#[tokio::test]
async fn a_key_is_free_again_after_a_day() {
    let database = Database::shared().await;
    let issuer = TestIssuer::start().await;
    let db = database.tenant_db(1).await;
    let anna = Authority::from_claims(&issuer.writer(&db).await).unwrap();
    let user: UserId = anna.user_id().unwrap();
    let claim = async |hash: u8| {
        let call = idempotency::claim(user, "daily".into(), [hash; 32], issuer.id());
        db.write(&anna, novelfoundry_core::Role::Editor, "test.claim", call).await
    };
    claim(1).await.unwrap();
    assert!(claim(2).await.is_err(), "another request's");
    let age = format!(
        "update app.idempotency_keys set created_at = now() - interval '25 hours' where user_id = '{user}'"
    );
    database.sql(&age).await.unwrap();
    claim(2).await.unwrap();
    assert!(claim(1).await.is_err());
}
