//! Deleting a workspace and a person, in nasty orders: with requests under way, twice at once, from another workspace.

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::json;

use crate::app::{App, Writer};

async fn one(app: &App, sql: &str) -> String {
    let rows = app.database.sql(sql).await.unwrap();
    rows.into_iter().flatten().next().flatten().unwrap_or_default()
}

/// What the counters say, and what the rows say.
async fn usage(app: &App, writer: &Writer) -> (String, String) {
    let tenant = writer.tenant;
    let counted = format!(
        "select reserved_bytes || ' ' || stored_bytes from app.tenant_usage where tenant_id = '{tenant}'"
    );
    let summed = format!(
        "select coalesce(sum(bytes) filter (where state = 'pending'), 0) || ' '
             || coalesce(sum(bytes) filter (where state = 'stored'), 0)
           from app.revisions where tenant_id = '{tenant}'"
    );
    (one(app, &counted).await, one(app, &summed).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_a_workspace_ends_every_right_in_it_at_once() {
    let app = App::start().await;
    let (anna, bruno) = (app.writer().await, app.writer().await);
    let manuscript = app.manuscript(&anna).await;
    let (revision, _) = app.upload(&anna, &manuscript, "a.txt", b"words").await;
    let hers = format!("/v1/tenants/{}", anna.tenant);
    let invited =
        format!("insert into app.memberships values ('{}', '{}', 'editor')", anna.tenant, bruno.user);
    app.database.sql(&invited).await.unwrap();
    let index = format!(
        "insert into app.user_tenants (tenant_id, user_id, tenant_name) values ('{}', '{}', 'Hers')",
        anna.tenant, bruno.user
    );
    app.database.sql(&index).await.unwrap();
    let token = format!(
        "insert into app.invitation_tokens values (sha256('x'), '{}', gen_random_uuid(), now() + interval '1 day')",
        anna.tenant
    );
    app.database.sql(&token).await.unwrap();

    // A workspace of somebody else's, one that never was, no id at all: all are missing.
    for path in [hers.as_str(), "/v1/tenants/0190b3f8-1c2d-7a3b-8c4d-5e6f70819293", "/v1/tenants/x"] {
        let answer = app.delete(&bruno, path).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "tenant-not-found"), "{path}");
    }
    let editor = app.issuer.token(bruno.user, Some(anna.tenant));
    let answer = app.send(app.request(&editor, Method::DELETE, &hers)).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "role-too-low"));
    app.get(&anna, &revision).await.expect(200);

    app.delete(&anna, &hers).await.expect(204);
    let again = app.delete(&anna, &hers).await;
    assert_eq!((again.status.as_u16(), again.code()), (404, "tenant-not-found"));
    for writer in [&anna, &Writer { token: editor, ..bruno.clone() }] {
        for path in [revision.as_str(), "/v1/projects"] {
            let answer = app.get(writer, path).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (403, "not-a-member"), "{path}");
        }
    }
    let made = app.post(&anna, "/v1/projects", json!({"title": "x"})).await;
    assert_eq!((made.status.as_u16(), made.code()), (403, "not-a-member"));
    let me = app.get(&anna, "/v1/me").await.expect(200);
    assert!(me["workspace"].is_null() && me["workspaces"].as_array().unwrap().is_empty(), "{me}");
    app.get(&bruno, "/v1/projects").await.expect(200);

    let left = format!(
        "select (select count(*) from app.user_tenants where tenant_id = t) || ' '
             || (select count(*) from app.invitation_tokens where tenant_id = t) || ' '
             || (select count(*) from app.jobs where tenant_id = t and state in ('queued', 'running')) || ' '
             || (select string_agg(kind, ',') from app.jobs where tenant_id = t and state = 'queued') || ' '
             || (select run_at between now() + interval '23 hours' and now() + interval '25 hours'
                   from app.jobs where tenant_id = t and state = 'queued')
           from (select '{}'::uuid as t) x",
        anna.tenant
    );
    assert_eq!(one(&app, &left).await, "0 0 1 purge_workspace true");

    // The token hook names it no more, whatever the session had activated.
    let hook = format!(
        "select app.custom_access_token_hook(jsonb_build_object('user_id', '{}', 'claims', '{{}}'::jsonb))
                #>> '{{claims,app_metadata,tenant_id}}'",
        anna.user
    );
    assert_eq!(one(&app, &hook).await, "");
    let nowhere = app.issuer.token(anna.user, None);
    let answer = app.send(app.request(&nowhere, Method::GET, "/v1/projects")).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "no-workspace"));
    let new = app.request(&nowhere, Method::POST, "/v1/tenants").json(&json!({"name": "A new start"}));
    let new = app.send(new).await.expect(201);
    assert_ne!(new["tenant_id"], anna.tenant.to_string());
    assert_eq!(one(&app, &hook).await, new["tenant_id"].as_str().unwrap());
}

/// Even a membership that came too late opens nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_membership_in_a_deleted_workspace_is_none() {
    let app = App::start().await;
    let anna = app.writer().await;
    app.delete(&anna, &format!("/v1/tenants/{}", anna.tenant)).await.expect(204);
    let late = format!("insert into app.memberships values ('{}', '{}', 'owner')", anna.tenant, anna.user);
    app.database.sql(&late).await.unwrap();
    let answer = app.get(&anna, "/v1/projects").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "not-a-member"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_deletions_of_a_workspace_at_once_are_one() {
    let app = App::start().await;
    let anna = app.writer().await;
    let path = format!("/v1/tenants/{}", anna.tenant);
    let mut answers: Vec<_> = join_all((0..8).map(|_| app.delete(&anna, &path)))
        .await
        .into_iter()
        .map(|answer| answer.status.as_u16())
        .collect();
    answers.sort_unstable();
    assert_eq!(answers, [204, 404, 404, 404, 404, 404, 404, 404]);
    let count = |table: &str, rest: &str| {
        format!("select count(*) from app.{table} where tenant_id = '{}' {rest}", anna.tenant)
    };
    assert_eq!(one(&app, &count("jobs", "and kind = 'purge_workspace'")).await, "1");
    assert_eq!(one(&app, &count("audit_events", "and action = 'workspace.deleted'")).await, "1");
}

/// Whichever comes first, the bytes are given back once and nothing is left to do but the purge.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_races_completing() {
    let app = App::start().await;
    let anna = app.writer().await;
    for round in 0..12 {
        let manuscript = app.manuscript(&anna).await;
        let project = manuscript.split("/manuscripts").next().unwrap().to_owned();
        let ticket = app.ticket(&anna, &manuscript, "a.txt", b"words").await;
        assert_eq!(app.put(&ticket, b"words".to_vec()).await, 200);
        let revision = format!("{manuscript}/revisions/{}", ticket["revision_id"].as_str().unwrap());
        let path = if round % 2 == 0 { &manuscript } else { &project };
        let complete = format!("{revision}/complete");
        let (done, (first, second)) = join(
            app.post(&anna, &complete, json!({})),
            join(app.delete(&anna, path), app.delete(&anna, path)),
        )
        .await;
        assert!([200, 404].contains(&done.status.as_u16()), "{}", done.body);
        let mut deleted = [first.status.as_u16(), second.status.as_u16()];
        deleted.sort_unstable();
        assert_eq!(deleted, [204, 404]);
        app.get(&anna, &revision).await.expect(404);
        assert_eq!(app.post(&anna, &complete, json!({})).await.status, 404);
        let (counted, summed) = usage(&app, &anna).await;
        assert_eq!((counted.as_str(), summed.as_str()), ("0 0", "0 0"), "round {round}");
        let unfinished = format!(
            "select count(*) from app.jobs where tenant_id = '{}' and kind = 'analyze_manuscript'
                and state in ('queued', 'running')",
            anna.tenant
        );
        assert_eq!(one(&app, &unfinished).await, "0", "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_is_alone_takes_their_workspaces_along() {
    let app = App::start().await;
    let (anna, bruno) = (app.writer().await, app.writer().await);
    let second = app.post(&anna, "/v1/tenants", json!({"name": "Second"})).await.expect(201);
    let second = second["tenant_id"].as_str().unwrap().to_owned();
    app.post(&anna, &format!("/v1/tenants/{second}/activate"), json!({})).await.expect(200);
    for sql in [
        format!("insert into app.memberships values ('{}', '{}', 'editor')", bruno.tenant, anna.user),
        format!(
            "insert into app.user_tenants (tenant_id, user_id, tenant_name) values ('{}', '{}', 'His')",
            bruno.tenant, anna.user
        ),
    ] {
        app.database.sql(&sql).await.unwrap();
    }
    for _ in 0..2 {
        let gone = app.delete(&anna, "/v1/me").await.expect(200);
        assert_eq!(gone["account"], "at-issuer");
    }
    let left = format!(
        "select (select count(*) from app.user_tenants where user_id = p) || ' '
             || (select count(*) from app.session_tenants where user_id = p) || ' '
             || (select count(*) from app.users where user_id = p and (email is not null or departed_at is null))
           from (select '{}'::uuid as p) x",
        anna.user
    );
    assert_eq!(one(&app, &left).await, "0 0 0");
    let member = format!("select count(*) from app.memberships where user_id = '{}'", anna.user);
    assert_eq!(one(&app, &member).await, "0");
    let purges = format!(
        "select count(*) from app.jobs where kind = 'purge_workspace' and tenant_id in ('{}', '{second}')",
        anna.tenant
    );
    assert_eq!(one(&app, &purges).await, "2");
    app.get(&bruno, "/v1/projects").await.expect(200);
    assert_eq!(app.get(&anna, "/v1/projects").await.code(), "not-a-member");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_only_owner_of_others_stays_until_they_hand_over() {
    let app = App::start().await;
    let (anna, bruno) = (app.writer().await, app.writer().await);
    let second = app.post(&anna, "/v1/tenants", json!({"name": "Second"})).await.expect(201);
    let second = second["tenant_id"].as_str().unwrap().to_owned();
    let join = format!("insert into app.memberships values ('{second}', '{}', 'editor')", bruno.user);
    app.database.sql(&join).await.unwrap();
    let answer = app.delete(&anna, "/v1/me").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "last-owner"));
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains(&second) && !detail.contains(&anna.tenant.to_string()), "{detail}");
    app.get(&anna, "/v1/projects").await.expect(200);

    let promote = format!("update app.memberships set role = 'owner' where user_id = '{}'", bruno.user);
    app.database.sql(&promote).await.unwrap();
    app.delete(&anna, "/v1/me").await.expect(200);
    let owners =
        format!("select string_agg(user_id::text, ',') from app.memberships where tenant_id = '{second}'");
    assert_eq!(one(&app, &owners).await, bruno.user.to_string());
    let left = "select count(*) from app.audit_events where action = 'member.left' and tenant_id = ";
    assert_eq!(one(&app, &format!("{left}'{second}' and subject_id = '{}'", anna.user)).await, "1");
}

/// Both may go, one of them as the last: never is somebody left without an owner.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_owners_who_leave_at_once_leave_no_workspace_without_an_owner() {
    let app = App::start().await;
    for round in 0..8 {
        let (anna, bruno, clara) = (app.writer().await, app.writer().await, app.writer().await);
        for (user, role) in [(bruno.user, "owner"), (clara.user, "viewer")] {
            let tenant = anna.tenant;
            let member = format!("insert into app.memberships values ('{tenant}', '{user}', '{role}')");
            app.database.sql(&member).await.unwrap();
            let index = format!(
                "insert into app.user_tenants (tenant_id, user_id, tenant_name) values ('{tenant}', '{user}', 'Theirs')"
            );
            app.database.sql(&index).await.unwrap();
        }
        let (first, second) = join(app.delete(&anna, "/v1/me"), app.delete(&bruno, "/v1/me")).await;
        let mut answers = [first.status.as_u16(), second.status.as_u16()];
        answers.sort_unstable();
        assert_eq!(answers, [200, 409], "round {round}");
        let roles = format!(
            "select string_agg(role, ',' order by role) from app.memberships where tenant_id = '{}'",
            anna.tenant
        );
        assert_eq!(one(&app, &roles).await, "owner,viewer", "round {round}");
    }
}

/// The token of somebody who is gone lives on for a while. It brings nothing of them back, whatever they sent beforehand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_left_enters_no_workspace_with_a_token_of_before() {
    let app = App::start().await;
    let owner = app.writer().await;
    for round in 0..8 {
        let anna = app.stranger(&owner);
        let token = app.invitation(&owner, "editor").await;
        let (made, accepted, gone) = tokio::join!(
            app.post(&anna, "/v1/tenants", json!({"name": "Amid it"})),
            app.accept(&anna, &token),
            app.delete(&anna, "/v1/me"),
        );
        gone.expect(200);
        for answer in [&made, &accepted] {
            assert!(matches!(answer.status.as_u16(), 200 | 201 | 401), "{answer:?}");
        }
        let token = app.invitation(&owner, "editor").await;
        let again = app.post(&anna, "/v1/tenants", json!({"name": "Afterwards"})).await;
        assert_eq!((again.status.as_u16(), again.code()), (401, "invalid-token"), "round {round}");
        let again = app.accept(&anna, &token).await;
        assert_eq!((again.status.as_u16(), again.code()), (401, "invalid-token"), "round {round}");
        for rows in ["user_tenants where true", "memberships where true", "users where email is not null"] {
            let left = format!("select count(*) from app.{rows} and user_id = '{}'", anna.user);
            assert_eq!(one(&app, &left).await, "0", "round {round}: {rows}");
        }

        // With another issuer the account may be there still, and sign in again.
        let mut later = app.issuer.payload(anna.user, None);
        later["iat"] = json!(later["iat"].as_i64().unwrap() + 3);
        let back = app.issuer.sign(&later);
        let new = app.request(&back, Method::POST, "/v1/tenants").json(&json!({"name": "Back"}));
        assert_eq!(app.send(new).await.status.as_u16(), 201);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_who_was_taken_out_deletes_no_workspace() {
    let app = App::start().await;
    for round in 0..12 {
        let anna = app.writer().await;
        let bruno = app.joined(&anna, "owner").await;
        let (member, workspace) =
            (format!("/v1/members/{}", bruno.user), format!("/v1/tenants/{}", anna.tenant));
        let (removed, deleted) = join(app.delete(&anna, &member), app.delete(&bruno, &workspace)).await;
        let both = removed.status.as_u16() == 204 && deleted.status.as_u16() == 204;
        assert!(!both, "round {round}: he was out, and deleted it");
        assert!(removed.status.as_u16() == 204 || deleted.status.as_u16() == 204, "round {round}");
    }
}
