//! The access-token hook: the one place that decides which workspace a token names.

use novelfoundry_core::UserId;
use novelfoundry_database::{NewWorkspace, directory, workspaces};
use novelfoundry_testkit::{Database, TestIssuer, Testbed};
use serde_json::{Value, json};

async fn hook(database: &Database, event: &Value) -> Value {
    let sql = format!("select app.custom_access_token_hook($${event}$$)");
    let rows = database.sql_as(&database.issuer, &sql).await.unwrap();
    serde_json::from_str(rows[0][0].as_deref().unwrap()).unwrap()
}

#[tokio::test]
async fn hostile_tenants_are_stripped_and_the_own_one_is_named() {
    let database = Database::shared().await;
    let issuer = TestIssuer::start().await;
    let db = database.tenant_db(1).await;
    let claims = issuer.writer(&db).await;
    let tenant = claims.tenant_id().unwrap();
    let stranger = UserId::from_uuid(issuer.id());
    let hostile = json!({
        "sub": claims.user_id(), "tenant_id": "x", "aud": "authenticated",
        "app_metadata": {"tenant_id": issuer.id(), "provider": "email"},
        "user_metadata": {"tenant_id": issuer.id()},
    });
    let answer = hook(&database, &json!({"user_id": claims.user_id(), "claims": hostile})).await;
    assert_eq!(answer["claims"]["app_metadata"], json!({"provider": "email", "tenant_id": tenant}));
    assert_eq!(answer["claims"].get("tenant_id"), None);
    assert_eq!(answer["claims"]["aud"], "authenticated");
    let answer = hook(&database, &json!({"user_id": stranger, "claims": hostile})).await;
    assert_eq!(answer["claims"]["app_metadata"], json!({"provider": "email"}));
}

#[tokio::test]
async fn garbage_never_raises() {
    let database = Database::shared().await;
    for event in [
        json!({}),
        json!([]),
        json!("x"),
        json!({"user_id": 5, "claims": []}),
        json!({"user_id": "x", "claims": {"app_metadata": "y", "session_id": "'"}}),
    ] {
        let answer = hook(&database, &event).await;
        assert_eq!(answer["claims"]["app_metadata"], json!({}), "{event}");
    }
}

/// A caller's own type must not run the caller's code with the rights of the function's owner.
#[tokio::test]
async fn a_caller_s_temporary_type_is_not_used() {
    let database = Database::shared().await;
    let trap = "create function pg_temp.evil(pg_catalog.uuid) returns boolean language plpgsql as
                  $$ begin raise exception 'ran as %', current_user; end $$;
                create domain pg_temp.uuid as pg_catalog.uuid check (pg_temp.evil(value));
                select app.custom_access_token_hook('{\"user_id\":\"00000000-0000-0000-0000-000000000001\",\"claims\":{}}')";
    // The shared database lets everybody make temporary things, as a managed one does.
    let rows = database.sql_as(&database.issuer, trap).await.unwrap();
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn the_session_s_workspace_wins_over_the_default_and_the_oldest() {
    let database = Database::shared().await;
    let issuer = TestIssuer::start().await;
    let (db, control) = (database.tenant_db(1).await, database.control_db().await);
    let claims = issuer.writer(&db).await;
    let first = claims.tenant_id().unwrap();
    let second = NewWorkspace::for_claims(&claims, &novelfoundry_core::IdSource::default());
    workspaces::create(&db, &second, "Second", None).await.unwrap();
    let event = |session: Value| json!({"user_id": claims.user_id(), "claims": {"session_id": session}});
    let tenant = async |session: Value| {
        hook(&database, &event(session)).await["claims"]["app_metadata"]["tenant_id"].clone()
    };
    assert_eq!(tenant(Value::Null).await, json!(first));
    let membership = directory::confirm(&control, &claims, second.tenant_id()).await.unwrap().unwrap();
    directory::activate(&control, &claims, &membership).await.unwrap();
    assert_eq!(tenant(json!(claims.session_id())).await, json!(second.tenant_id()));
    assert_eq!(tenant(json!(issuer.id())).await, json!(first), "another session stays where it was");
    let foreign = issuer.writer(&db).await.tenant_id().unwrap();
    assert!(directory::confirm(&control, &claims, foreign).await.unwrap().is_none());
}

/// Asks in every way that decides something, and returns the answers with names in place of ids.
async fn answers(database: &Database) -> Vec<Value> {
    Box::pin(ask(database)).await
}

async fn ask(database: &Database) -> Vec<Value> {
    let issuer = TestIssuer::start().await;
    let (db, control) = (database.tenant_db(1).await, database.control_db().await);
    let (anna, bruno) = (issuer.writer(&db).await, issuer.writer(&db).await);
    let (stranger, ids) = (issuer.id(), novelfoundry_core::IdSource::default());
    let second = NewWorkspace::for_claims(&anna, &ids);
    workspaces::create(&db, &second, "Second", None).await.unwrap();
    let membership = directory::confirm(&control, &anna, second.tenant_id()).await.unwrap().unwrap();
    directory::activate(&control, &anna, &membership).await.unwrap();
    let own = |claims: Value| json!({"user_id": anna.user_id(), "claims": claims});
    let events = [
        own(json!({})),
        own(json!({"session_id": anna.session_id()})),
        own(json!({"session_id": bruno.session_id(), "app_metadata": {"tenant_id": bruno.tenant_id()}})),
        own(json!({"tenant_id": [bruno.tenant_id()], "user_metadata": {"tenant_id": bruno.tenant_id()}})),
        json!({"user_id": bruno.user_id(), "claims": {"session_id": anna.session_id()}}),
        json!({"user_id": stranger, "claims": {"app_metadata": {"tenant_id": anna.tenant_id()}}}),
        json!({"user_id": [anna.user_id()], "claims": "x"}),
        json!(null),
    ];
    let names = [
        (json!(anna.user_id()), "anna"),
        (json!(anna.session_id()), "anna's session"),
        (json!(anna.tenant_id()), "anna's first"),
        (json!(second.tenant_id()), "anna's second"),
        (json!(bruno.user_id()), "bruno"),
        (json!(bruno.session_id()), "bruno's session"),
        (json!(bruno.tenant_id()), "bruno's"),
        (json!(stranger), "a stranger"),
    ];
    let mut answers = Vec::new();
    for event in &events {
        let text = hook(database, event).await.to_string();
        let readable = names.iter().fold(text, |text, (id, name)| text.replace(id.as_str().unwrap(), name));
        answers.push(serde_json::from_str(&readable).unwrap());
    }
    answers
}

/// Played on one server and, with the other tests, on a cluster: what is written down is the same.
#[tokio::test]
async fn the_answers_are_as_written_down_wherever_they_are_given() {
    insta::assert_json_snapshot!(answers(&Database::shared().await).await);
}

/// A managed platform's owner bypasses row security, ours does not: the hook must not depend on it.
#[tokio::test]
async fn the_answer_is_the_same_whether_or_not_the_owner_bypasses_row_security() {
    let testbed = Testbed::start(false).await;
    let database = &testbed.database;
    let without = answers(database).await;
    let bypasses = "select rolbypassrls or rolsuper from pg_roles where rolname = 'novelfoundry_owner'";
    assert_eq!(database.sql(bypasses).await.unwrap()[0][0].as_deref(), Some("f"));
    database.sql("alter role novelfoundry_owner bypassrls").await.unwrap();
    assert_eq!(answers(database).await, without);
    let named = |answer: &Value| answer["claims"]["app_metadata"]["tenant_id"].clone();
    assert_eq!(named(&without[0]), json!("anna's first"));
    assert_eq!(named(&without[1]), json!("anna's second"));
    assert_eq!(named(&without[4]), json!("bruno's"));
    assert_eq!(named(&without[5]), Value::Null);
    testbed.stop().await;
}
