//! People whose deletion of themselves was cut short: the sweep finishes it, and nobody else's.

use novelfoundry_core::UserId;
use novelfoundry_database::{IssuerDb, PoolOptions, Statements};
use novelfoundry_worker::WorkerOptions;

use crate::{
    bed::{Bed, Writer, start, until},
    files::Files,
};

/// Marks a person as one who leaves, as long ago as it is said, with an address and an account still.
async fn mark(bed: &Bed, user: UserId, ago: &str) {
    let sql = format!(
        "insert into app.users (user_id, email, departed_at) values ('{user}', 'x@example.com', now() - interval '{ago}')
             on conflict (user_id) do update set email = excluded.email, departed_at = excluded.departed_at;
         insert into issuer.accounts
           (user_id, email, email_normalised, password_hash, user_metadata, first_tenant_id, created_at)
         values ('{user}', 'x@example.com', '{user}', 'x', '{{}}', gen_random_uuid(), now())"
    );
    bed.database.sql(&sql).await.unwrap();
}

/// Whether the account is there, how many workspaces the person is in, and whether the directory knows an address and the
/// mark.
async fn state(bed: &Bed, user: UserId) -> String {
    // A statement each: a cluster plans no query that joins tables of different kinds without their key.
    let mut counts = Vec::new();
    for sql in [
        format!("select count(*) from issuer.accounts where user_id = '{user}'"),
        format!("select count(*) from app.memberships where user_id = '{user}'"),
        format!("select count(*) from app.user_tenants where user_id = '{user}'"),
        format!("select count(email) || ' ' || count(departed_at) from app.users where user_id = '{user}'"),
    ] {
        counts.push(bed.one(&sql).await);
    }
    counts.join(" ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_departure_that_was_cut_short_is_finished_where_nobody_has_come_back() {
    let bed = Bed::make().await;
    let mut writers: Vec<Writer> = Vec::new();
    for _ in 0..6 {
        writers.push(bed.writer().await);
    }
    let [cut, under_way, long_ago, back, sole, guest] = &writers[..] else { unreachable!() };
    mark(&bed, cut.user, "1 second").await;
    mark(&bed, under_way.user, "-1 minute").await;
    mark(&bed, long_ago.user, "2 days").await;
    mark(&bed, back.user, "1 second").await;
    mark(&bed, sole.user, "1 second").await;
    let (tenant, user) = (sole.authority.tenant_id(), guest.user);
    // One had left everything; one has come back since; one is the only owner of somebody else.
    let left = UserId::from_uuid(bed.issuer.id());
    mark(&bed, left, "1 second").await;
    for sql in [
        format!("update app.users set departed_at = null where user_id = '{}'", back.user),
        format!("insert into app.memberships values ('{tenant}', '{user}', 'editor')"),
    ] {
        bed.database.sql(&sql).await.unwrap();
    }

    let options = PoolOptions { size: 2, statements: Statements::Named };
    let accounts = IssuerDb::connect(&bed.database.issuer, "novelfoundry/test", options).await.unwrap();
    let options = bed.options(Files::store_at(bed.files.address), "a").await;
    let worker = start(WorkerOptions { accounts: Some(accounts), ..options });
    for person in [cut.user, left] {
        until("the departure is finished", async || state(&bed, person).await == "0 0 0 0 1").await;
    }
    until("the sole owner stays", async || state(&bed, sole.user).await == "1 1 1 1 0").await;
    assert_eq!(state(&bed, under_way.user).await, "1 1 1 1 1");
    assert_eq!(state(&bed, long_ago.user).await, "1 1 1 1 1");
    assert_eq!(state(&bed, back.user).await, "1 1 1 1 0");
    let tenant = cut.authority.tenant_id();
    let purge =
        format!("select count(*) from app.jobs where kind = 'purge_workspace' and tenant_id = '{tenant}'");
    assert_eq!(bed.one(&purge).await, "1");
    worker.stop().await;
}
