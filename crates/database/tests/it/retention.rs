//! What has ended is not kept for ever.

use std::time::Duration;

use jiff::Timestamp;
use novelfoundry_core::{Role, UserId};
use novelfoundry_database::{Authority, directory, idempotency, jobs, purge, tombstones};
use novelfoundry_testkit::{Database, TestIssuer};

/// Five weeks.
const RETENTION: Duration = Duration::from_hours(35 * 24);

async fn field(database: &Database, sql: &str) -> String {
    let rows = database.sql(sql).await.unwrap();
    rows.into_iter().flatten().next().flatten().unwrap_or_default()
}

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
        db.write(&anna, Role::Editor, "test.claim", call).await
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

#[tokio::test]
async fn a_session_that_activated_nothing_for_400_days_is_forgotten() {
    let database = Database::fresh().await;
    let issuer = TestIssuer::start().await;
    let (control, db) = (database.control_db().await, database.tenant_db(1).await);
    let insert = "insert into app.session_tenants (session_id, user_id, tenant_id, activated_at)
        select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now() - age
          from unnest(array['399 days', '401 days', '402 days', '403 days']::interval[]) as age";
    database.sql(insert).await.unwrap();
    // Activating again is a sign of life.
    let claims = issuer.writer(&db).await;
    let active = async || {
        let membership =
            directory::confirm(&control, &claims, claims.tenant_id().unwrap()).await.unwrap().unwrap();
        directory::activate(&control, &claims, &membership).await.unwrap();
    };
    active().await;
    let user = claims.user_id();
    let age = format!(
        "update app.session_tenants set activated_at = now() - interval '500 days' where user_id = '{user}'"
    );
    database.sql(&age).await.unwrap();
    active().await;
    assert_eq!(directory::forget_sessions(&control, 2).await.unwrap(), 2, "in batches");
    assert_eq!(directory::forget_sessions(&control, 100).await.unwrap(), 1);
    assert_eq!(directory::forget_sessions(&control, 100).await.unwrap(), 0);
    let left = "select string_agg(extract(day from now() - activated_at)::text, ' ' order by activated_at)
                  from app.session_tenants";
    assert_eq!(field(&database, left).await, "399 0");
}

#[tokio::test]
async fn a_tombstone_is_due_again_at_growing_intervals_until_no_backup_knows_its_object() {
    let database = Database::fresh().await;
    let issuer = TestIssuer::start().await;
    let (control, db) = (database.control_db().await, database.tenant_db(1).await);
    let anna = Authority::from_claims(&issuer.writer(&db).await).unwrap();
    let bury = async |due_at: Timestamp, retention| {
        let calls =
            [purge::bury("key".into(), due_at, retention), purge::bury("key".into(), due_at, retention)];
        db.write(&anna, Role::Editor, "test.bury", Vec::from(calls)).await.unwrap();
    };
    // A ticket may outlast a short retention.
    let far: Timestamp = "2100-01-01T00:00:00Z".parse().unwrap();
    bury(far, RETENTION).await;
    let row = "select due_at = keep_until and due_at = '2100-01-01Z' from app.object_tombstones";
    assert_eq!(field(&database, row).await, "t");
    assert!(tombstones::claim(&control, 10, RETENTION).await.unwrap().is_empty(), "its ticket is good");
    database.sql("delete from app.object_tombstones").await.unwrap();

    bury(Timestamp::UNIX_EPOCH, RETENTION).await;
    let days = "select round(extract(epoch from due_at - now()) / 86400) from app.object_tombstones";
    let mut intervals = Vec::new();
    loop {
        let due = tombstones::claim(&control, 10, RETENTION).await.unwrap();
        assert_eq!(due.len(), 1, "after {intervals:?}");
        tombstones::settle(&control, due, RETENTION).await.unwrap();
        let next = field(&database, days).await;
        if next.is_empty() {
            break;
        }
        intervals.push(next.parse::<u32>().unwrap());
        let later = "update app.object_tombstones
                        set created_at = created_at - (due_at - now()), keep_until = keep_until - (due_at - now()),
                            due_at = now()";
        database.sql(later).await.unwrap();
    }
    assert_eq!(intervals, [1, 1, 2, 4, 7, 7, 7, 6]);
}

#[tokio::test]
async fn a_claimed_tombstone_is_nobody_else_s_for_an_hour_and_then_due_again() {
    let database = Database::fresh().await;
    let control = database.control_db().await;
    let insert = "insert into app.object_tombstones (tenant_id, object_key, keep_until, due_at)
        select gen_random_uuid(), n::text, now() + interval '1 day', now() - n * interval '1 second'
          from generate_series(1, 60) as n";
    database.sql(insert).await.unwrap();
    let claims = (0..6).map(|_| tombstones::claim(&control, 10, RETENTION));
    let claimed = futures_util::future::join_all(claims).await;
    let mut keys: Vec<u32> = claimed
        .into_iter()
        .flat_map(Result::unwrap)
        .map(|due| due.tombstone.object_key.parse().unwrap())
        .collect();
    keys.extend(
        tombstones::claim(&control, 100, RETENTION)
            .await
            .unwrap()
            .iter()
            .map(|due| due.tombstone.object_key.parse::<u32>().unwrap()),
    );
    keys.sort_unstable();
    assert_eq!(keys, (1..=60).collect::<Vec<_>>(), "each once");
    let hour = "select count(*) from app.object_tombstones
                 where due_at between now() + interval '59 minutes' and now() + interval '1 hour'";
    assert_eq!(field(&database, hour).await, "60");
}

/// The program before knows no retention: its tombstones would go when a ticket has ended.
#[tokio::test]
async fn the_retention_of_today_counts_for_earlier_deletions_too() {
    let database = Database::fresh().await;
    let control = database.control_db().await;
    let old = "insert into app.object_tombstones (tenant_id, object_key, keep_until)
               values (gen_random_uuid(), 'key', now() + interval '1 hour')";
    database.sql(old).await.unwrap();
    for _ in 0..2 {
        let due = tombstones::claim(&control, 10, RETENTION).await.unwrap();
        assert_eq!(due.len(), 1);
        tombstones::settle(&control, due, RETENTION).await.unwrap();
        let later = "update app.object_tombstones
                        set created_at = created_at - interval '1 day', keep_until = keep_until - interval '1 day',
                            due_at = now()";
        database.sql(later).await.unwrap();
    }
    let due = tombstones::claim(&control, 10, Duration::ZERO).await.unwrap();
    tombstones::settle(&control, due, Duration::ZERO).await.unwrap();
    assert_eq!(field(&database, "select count(*) from app.object_tombstones").await, "0");
}

#[tokio::test]
async fn tombstones_are_listed_once_each_in_pages() {
    let database = Database::fresh().await;
    let control = database.control_db().await;
    let insert = "insert into app.object_tombstones (tenant_id, object_key, keep_until)
        select tenant, n::text, now() from generate_series(1, 25) as n,
               (values (gen_random_uuid()), (gen_random_uuid())) as tenants (tenant)";
    database.sql(insert).await.unwrap();
    let mut keys = Vec::new();
    let mut after = None;
    loop {
        let page = tombstones::list(&control, after.as_ref(), 10).await.unwrap();
        let Some(last) = page.last().cloned() else { break };
        keys.extend(page.into_iter().map(|tombstone| tombstone.object_key));
        after = Some(last);
    }
    let mut numbers: Vec<u32> = keys.iter().map(|key| key.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=25).flat_map(|n| [n, n]).collect::<Vec<_>>());
}

#[tokio::test]
async fn that_somebody_has_left_is_known_for_as_long_as_backups_are_kept_and_for_30_days_at_least() {
    let database = Database::fresh().await;
    let control = database.control_db().await;
    let insert = "insert into app.users (user_id, departed_at)
        select gen_random_uuid(), now() - age
          from unnest(array['29 days', '31 days', '34 days', '36 days']::interval[]) as age";
    database.sql(insert).await.unwrap();
    database.sql("insert into app.users (user_id) values (gen_random_uuid())").await.unwrap();
    let left = "select count(*) from app.users";
    assert_eq!(directory::forget_departed(&control, 100, RETENTION).await.unwrap(), 1);
    assert_eq!(directory::forget_departed(&control, 100, Duration::ZERO).await.unwrap(), 2);
    assert_eq!(field(&database, left).await, "2", "who has not left, and who left lately");
}
