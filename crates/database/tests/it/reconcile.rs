//! Who enqueues reconciliations, of what, and what an index row that was lost takes to come back.

use std::time::Duration;

use novelfoundry_core::{IdSource, Role, UserId};
use novelfoundry_database::{
    Authority, MIGRATIONS, Migrator, NewWorkspace, RoleNames, jobs, reconcile, workspaces,
};
use novelfoundry_testkit::{Database, TestIssuer};

const DAY: Duration = Duration::from_hours(24);

async fn field(database: &Database, sql: &str) -> String {
    let rows = database.sql(sql).await.unwrap();
    rows.into_iter().flatten().next().flatten().unwrap_or_default()
}

/// One effect is never written by two roles.
#[tokio::test]
async fn the_control_login_enqueues_reconciliations_and_nothing_else() {
    let database = Database::shared().await;
    let insert = async |kind: &str, job: &str| {
        let sql = format!(
            "with it as (select gen_random_uuid() as id)
             insert into app.jobs (tenant_id, job_id, kind, payload) select id, {job}, '{kind}', '{{}}' from it"
        );
        let refused = database.sql_as(&database.control, &sql).await.err();
        refused.and_then(|error| error.code().map(|code| code.code().to_owned()))
    };
    for kind in ["analyze_manuscript", "settle_upload", "purge_objects", "reconcile_workspaces"] {
        assert_eq!(insert(kind, "id").await.as_deref(), Some("42501"), "{kind}");
    }
    assert_eq!(insert("reconcile_workspace", "gen_random_uuid()").await.as_deref(), Some("42501"));
    // A job that is there is not made another.
    let rename = "update app.jobs set kind = 'reconcile_workspace'";
    assert!(database.sql_as(&database.control, rename).await.is_err());
}

#[tokio::test]
async fn each_listed_workspace_has_one_job_which_is_kept_for_as_long_as_it_is_listed() {
    let database = Database::fresh().await;
    let control = database.control_db().await;
    let listed = "insert into app.user_tenants (tenant_id, user_id, tenant_name, created_at)
        select tenant, gen_random_uuid(), 'One', now() - interval '2 hours'
          from (select gen_random_uuid() as tenant from generate_series(1, 25)) t, generate_series(1, 3)";
    database.sql(listed).await.unwrap();
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(reconcile::begin(&control, 10).await.unwrap());
    }
    assert_eq!(made, [10, 10, 5, 0]);
    assert_eq!(reconcile::repeat(&control, 100, DAY).await.unwrap(), 0, "none has ended");
    let end =
        "update app.jobs set state = 'succeeded', attempts = 1, finished_at = now() - interval '8 days'";
    database.sql(end).await.unwrap();
    assert_eq!(jobs::forget(&control, 100).await.unwrap(), 0, "they will be wanted again");
    let (one, two) = tokio::join!(reconcile::repeat(&control, 20, DAY), reconcile::repeat(&control, 20, DAY));
    let again = one.unwrap() + two.unwrap();
    assert_eq!(again + reconcile::repeat(&control, 20, DAY).await.unwrap(), 25);
    assert_eq!(
        field(&database, "select count(*) from app.jobs where state = 'queued' and attempts = 0").await,
        "25"
    );

    database.sql(end).await.unwrap();
    database.sql("delete from app.user_tenants").await.unwrap();
    assert_eq!(reconcile::repeat(&control, 100, DAY).await.unwrap(), 0);
    assert_eq!(jobs::forget(&control, 100).await.unwrap(), 25);
}

#[tokio::test]
async fn ensuring_a_workspace_lists_its_maker_again_as_long_as_they_are_a_member() {
    let database = Database::shared().await;
    let issuer = TestIssuer::start().await;
    let db = database.tenant_db(1).await;
    let user = UserId::from_uuid(issuer.id());
    let workspace = NewWorkspace::for_claims(&issuer.claims(user, None).await, &IdSource::default());
    let tenant = workspace.tenant_id();
    let listed = format!("select count(*) from app.user_tenants where tenant_id = '{tenant}'");
    let forget = format!("delete from app.user_tenants where tenant_id = '{tenant}'");
    for _ in 0..2 {
        workspaces::ensure(&db, &workspace, "Mine").await.unwrap();
        assert_eq!(field(&database, &listed).await, "1");
        database.sql(&forget).await.unwrap();
    }
    let remove = format!("delete from app.memberships where tenant_id = '{tenant}'");
    database.sql(&remove).await.unwrap();
    workspaces::ensure(&db, &workspace, "Mine").await.unwrap();
    assert_eq!(field(&database, &listed).await, "0", "who was removed is not let in again");
}

/// Removed and listed again at the same moment: the index ends as the memberships do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_follows_the_memberships_under_races() {
    let database = Database::shared().await;
    let issuer = TestIssuer::start().await;
    let db = database.tenant_db(4).await;
    let claims = issuer.writer(&db).await;
    let (owner, tenant) = (Authority::from_claims(&claims).unwrap(), claims.tenant_id().unwrap());
    let write = async |calls| db.write(&owner, Role::Owner, "test.index", calls).await;
    for round in 0..12 {
        let person = UserId::from_uuid(issuer.id());
        let join = format!(
            "insert into app.memberships (tenant_id, user_id, role) values ('{tenant}', '{person}', 'viewer')"
        );
        let leave = format!(
            "delete from app.memberships where tenant_id = '{tenant}' and user_id = '{person}';
             delete from app.user_tenants where tenant_id = '{tenant}' and user_id = '{person}'"
        );
        let (set, other) =
            (format!("set local app.tenant_id = '{tenant}'"), if round % 2 == 0 { &join } else { &leave });
        if round % 2 == 1 {
            database.sql(&join).await.unwrap();
        }
        let statements: Vec<&str> = std::iter::once(set.as_str()).chain(other.split(';')).collect();
        let (changed, listed, unlisted) = futures_util::join!(
            database.transaction_as(&database.tenant, &statements),
            write(reconcile::list_member(person)),
            write(reconcile::unlist_stranger(person)),
        );
        changed.unwrap();
        listed.unwrap();
        unlisted.unwrap();
        for call in [reconcile::list_member(person), reconcile::unlist_stranger(person)] {
            write(call).await.unwrap();
        }
        let agree = |table: &str| {
            format!("select count(*) from app.{table} where tenant_id = '{tenant}' and user_id = '{person}'")
        };
        let members = field(&database, &agree("memberships")).await;
        assert_eq!(members, field(&database, &agree("user_tenants")).await);
        assert_eq!(members, if round % 2 == 0 { "1" } else { "0" });
    }
}

/// On a cluster the tables are distributed when a later migration comes.
#[tokio::test]
async fn the_schema_of_a_database_in_use_takes_it_in() {
    let empty = Database::empty().await.admin;
    let before = MIGRATIONS.iter().position(|migration| migration.version == 13).unwrap();
    let migrate = async |migrations| {
        let roles = RoleNames::with_prefix("novelfoundry").unwrap();
        let migrator = Migrator::connect(&empty, roles).await.unwrap();
        migrator.with_migrations(migrations).migrate(|_| {}).await.unwrap()
    };
    migrate(&MIGRATIONS[..before]).await;
    assert!(migrate(MIGRATIONS).await.contains(&13));
    assert!(migrate(MIGRATIONS).await.is_empty());
}
