//! Row level security from the first row: another tenant's things cannot be read, written or counted.

use novelfoundry_core::{ProjectId, Role, TenantId, UserId};
use novelfoundry_database::{Authority, DbError, Page, Refusal, projects};
use novelfoundry_testkit::{Database, TestIssuer};

#[tokio::test]
async fn a_project_is_seen_by_its_tenant_only() {
    let database = Database::shared().await;
    let issuer = TestIssuer::start().await;
    let db = database.tenant_db(2).await;
    let anna = Authority::from_claims(&issuer.writer(&db).await).unwrap();
    let bruno = Authority::from_claims(&issuer.writer(&db).await).unwrap();
    let id = ProjectId::from_uuid(issuer.id());
    let author = anna.user_id().unwrap();
    db.write(&anna, Role::Editor, "test.create", projects::insert(id, "Salt".into(), author)).await.unwrap();

    let mine = db.read(&anna, Role::Viewer, "test.read", projects::by_id(id)).await.unwrap();
    assert_eq!(mine.unwrap().title, "Salt");
    assert!(db.read(&bruno, Role::Viewer, "test.read", projects::by_id(id)).await.unwrap().is_none());
    let page = Page { after: None, limit: 100 };
    assert!(db.read(&bruno, Role::Viewer, "test.list", projects::list(page)).await.unwrap().is_empty());
    let renamed = projects::update_title(id, "Theirs".into(), None);
    assert!(db.write(&bruno, Role::Editor, "test.rename", renamed).await.unwrap().is_none());
}

#[tokio::test]
async fn strangers_and_viewers_leave_no_row() {
    let database = Database::shared().await;
    let issuer = TestIssuer::start().await;
    let db = database.tenant_db(2).await;
    let owner = issuer.writer(&db).await;
    let tenant = owner.tenant_id().unwrap();
    let viewer = UserId::from_uuid(issuer.id());
    let removed = UserId::from_uuid(issuer.id());
    for user in [viewer, removed] {
        let sql = format!("insert into app.memberships values ('{tenant}', '{user}', 'viewer')");
        database.sql(&sql).await.unwrap();
    }
    database.sql(&format!("delete from app.memberships where user_id = '{removed}'")).await.unwrap();
    let stranger = UserId::from_uuid(issuer.id());
    let cases =
        [(viewer, Refusal::RoleTooLow), (removed, Refusal::NotAMember), (stranger, Refusal::NotAMember)];
    for (user, expected) in cases {
        let authority = Authority::from_claims(&issuer.claims(user, Some(tenant)).await).unwrap();
        let id = ProjectId::from_uuid(issuer.id());
        let insert = projects::insert(id, "Not mine".into(), user);
        match db.write(&authority, Role::Editor, "test.create", insert).await {
            Err(DbError::Refused(refusal)) => assert_eq!(refusal, expected),
            other => panic!("{user}: {other:?}"),
        }
        assert_eq!(count(&database, tenant).await, 0);
    }
}

/// The guard stands before an INSERT *and its COMMIT* that are already on the wire.
#[tokio::test]
async fn a_pipelined_commit_behind_a_refusing_guard_commits_nothing() {
    let database = Database::shared().await;
    let issuer = TestIssuer::start().await;
    let db = database.tenant_db(1).await;
    let owner = issuer.writer(&db).await;
    let tenant = owner.tenant_id().unwrap();
    let client = database.connect_as(&database.tenant).await.unwrap();
    let [stranger, viewer, removed] = [(); 3].map(|()| UserId::from_uuid(issuer.id()));
    let members = format!(
        "insert into app.memberships values ('{tenant}', '{viewer}', 'viewer'), ('{tenant}', '{removed}', 'editor');
         delete from app.memberships where user_id = '{removed}'"
    );
    database.sql(&members).await.unwrap();
    for (user, rows) in [(stranger, 0), (viewer, 0), (removed, 0), (owner.user_id(), 1)] {
        let set = format!("set local app.tenant_id = '{tenant}'");
        let guard = format!("select app.require_role('{tenant}', '{user}', 'editor')");
        let id = issuer.id();
        let insert = format!(
            "insert into app.projects (tenant_id, project_id, title, created_by) values ('{tenant}', '{id}', 'x', '{user}')"
        );
        let (begun, _, guarded, _, _) = futures_util::join!(
            client.batch_execute("begin"),
            client.batch_execute(&set),
            client.batch_execute(&guard),
            client.batch_execute(&insert),
            client.batch_execute("commit"),
        );
        begun.unwrap();
        assert_eq!(guarded.is_ok(), rows == 1);
        assert_eq!(count(&database, tenant).await, rows, "{user}");
    }
}

#[tokio::test]
async fn without_a_context_the_login_sees_and_writes_nothing() {
    let database = Database::shared().await;
    let issuer = TestIssuer::start().await;
    let db = database.tenant_db(1).await;
    let tenant = issuer.writer(&db).await.tenant_id().unwrap();
    let count = ["set local citus.multi_task_query_log_level = 'off'", "select count(*) from app.tenants"];
    for setting in ["", "set local app.tenant_id = ''", "set local app.tenant_id = 'x'"] {
        let rows = database.transaction_as(&database.tenant, &[&[setting][..], &count[..]].concat()).await;
        assert_eq!(rows.unwrap()[0][0].as_deref(), Some("0"), "{setting}");
    }
    // What a transaction has set is empty after it, and not unset.
    let client = database.connect_as(&database.tenant).await.unwrap();
    for statement in ["begin", &format!("set local app.tenant_id = '{tenant}'"), "commit", "begin", count[0]]
    {
        client.batch_execute(statement).await.unwrap();
    }
    let rows: i64 = client.query_one(count[1], &[]).await.unwrap().get(0);
    assert_eq!(rows, 0);
    let insert = format!(
        "insert into app.projects (tenant_id, project_id, title, created_by) values ('{tenant}', '{tenant}', 'x', '{tenant}')"
    );
    let refused = database.sql_as(&database.tenant, &insert).await.unwrap_err();
    assert_eq!(refused.code().map(tokio_postgres::error::SqlState::code), Some("42501"));
}

/// A setting of the whole session, which the application never makes, names its tenant and no other just the same.
#[tokio::test]
async fn a_setting_outside_a_transaction_opens_that_tenant_only() {
    let database = Database::shared().await;
    if database.nodes.is_some() {
        println!("skipped: a cluster does not take a session's setting to its workers");
        return;
    }
    let issuer = TestIssuer::start().await;
    let db = database.tenant_db(1).await;
    let tenant = issuer.writer(&db).await.tenant_id().unwrap();
    let other = issuer.writer(&db).await.tenant_id().unwrap();
    let client = database.connect_as(&database.tenant).await.unwrap();
    let insert = |into: TenantId| {
        let id = issuer.id();
        format!(
            "insert into app.projects (tenant_id, project_id, title, created_by) values ('{into}', '{id}', 'x', '{id}')"
        )
    };
    let tenants = "select coalesce(string_agg(tenant_id::text, ' '), '') from app.tenants";
    for (setting, seen) in [(tenant.to_string(), tenant.to_string()), (String::new(), String::new())] {
        client.batch_execute(&format!("set app.tenant_id = '{setting}'")).await.unwrap();
        let rows: String = client.query_one(tenants, &[]).await.unwrap().get(0);
        assert_eq!(rows, seen, "set to {setting:?}");
        let refused = client.batch_execute(&insert(other)).await.unwrap_err();
        assert_eq!(refused.code().map(tokio_postgres::error::SqlState::code), Some("42501"), "{setting:?}");
        let own = client.batch_execute(&insert(tenant)).await;
        assert_eq!(own.is_ok(), !seen.is_empty(), "{own:?}");
    }
    assert_eq!((count(&database, tenant).await, count(&database, other).await), (1, 0));
}

#[tokio::test]
async fn a_setting_and_claims_that_differ_name_no_tenant() {
    let database = Database::shared().await;
    let issuer = TestIssuer::start().await;
    let db = database.tenant_db(1).await;
    let tenant = issuer.writer(&db).await.tenant_id().unwrap();
    let other = TenantId::from_uuid(issuer.id());
    let setting = |tenant: &str| format!("set local app.tenant_id = '{tenant}'");
    let json = |text: &str| format!("set local request.jwt.claims = '{text}'");
    let claims = |tenant: &str| json(&format!("{{\"app_metadata\":{{\"tenant_id\":\"{tenant}\"}}}}"));
    let id = tenant.to_string();
    let cases = [
        (vec![setting(&id)], "1"),
        (vec![claims(&id)], "1"),
        (vec![setting(&id), claims(&id.to_uppercase())], "1"),
        (vec![setting(&id), claims(&other.to_string())], "0"),
        (vec![setting(&id), json("{}")], "1"),
        (vec![setting("x"), claims(&id)], "0"),
        (vec![claims("x")], "0"),
        (vec![json("[]")], "0"),
        (vec![json(&format!("{{\"user_metadata\":{{\"tenant_id\":\"{id}\"}}}}"))], "0"),
    ];
    let count = format!("select count(*) from app.tenants where tenant_id = '{tenant}'");
    for (settings, expected) in cases {
        let mut statements: Vec<_> = settings.iter().map(String::as_str).collect();
        statements.push(&count);
        let rows = database.transaction_as(&database.tenant, &statements).await.unwrap();
        assert_eq!(rows[0][0].as_deref(), Some(expected), "{settings:?}");
    }
    let garbage = [json("{")];
    assert!(database.transaction_as(&database.tenant, &[&garbage[0], &count]).await.is_err());
}

async fn count(database: &Database, tenant: TenantId) -> i64 {
    let sql = format!("select count(*) from app.projects where tenant_id = '{tenant}'");
    database.sql(&sql).await.unwrap()[0][0].as_deref().unwrap().parse().unwrap()
}
