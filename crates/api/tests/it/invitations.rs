//! Invitations: a link lets one person in, once, and every other way in is the same 404.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use novelfoundry_core::UserId;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    app::{Answer, App, Writer},
    members::{recorded, refused, token_of},
};

const LIST: &str = "/v1/invitations";

async fn create(app: &App, owner: &Writer, key: &str, body: &Value) -> Answer {
    let request = app.request(&owner.token, Method::POST, LIST).header("idempotency-key", key).json(body);
    app.send(request).await
}

fn id(made: &Value) -> String {
    format!("{LIST}/{}", made["invitation_id"].as_str().unwrap())
}

/// The refusal without what differs between any two answers.
fn comparable(mut answer: Answer) -> (u16, Value, Vec<String>) {
    answer.body["instance"] = json!(null);
    let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort();
    (answer.status.as_u16(), answer.body, names)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_lets_one_person_in_and_tells_them_so_again() {
    let app = App::start().await;
    let anna = app.writer().await;
    let made = app.post(&anna, LIST, json!({"role": "editor"})).await;
    assert_eq!(made.headers["location"].to_str().unwrap(), id(&made.body));
    let made = made.expect(201);
    assert_eq!((&made["role"], &made["email"]), (&json!("editor"), &Value::Null));
    assert_eq!(made["invited_by"], json!(anna.user));
    assert!(made["link"].as_str().unwrap().starts_with(&format!("{}/invitation#token=", app.url)));
    let listed = app.get(&anna, LIST).await.expect(200);
    assert_eq!(listed["items"][0]["invitation_id"], made["invitation_id"]);
    assert!(!listed.to_string().contains("link"));
    let token = token_of(&made);
    assert_eq!(token.len(), 64);
    let kept = format!("select count(*) from app.invitation_tokens where token_hash = sha256('{token}')");
    assert_eq!(app.database.sql(&kept).await.unwrap()[0][0].as_deref(), Some("1"), "as a digest");

    let people: Vec<_> = (0..6).map(|_| app.stranger(&anna)).collect();
    let answers =
        futures_util::future::join_all(people.iter().map(|person| app.accept(person, &token))).await;
    let joins: Vec<_> = answers.iter().map(|answer| answer.status == 200).collect();
    assert_eq!(joins.iter().filter(|joins| **joins).count(), 1, "one of them");
    for (person, (answer, joins)) in people.iter().zip(answers.into_iter().zip(joins)) {
        if joins {
            let first = answer.expect(200);
            assert_eq!((&first["tenant_id"], &first["role"]), (&json!(anna.tenant), &json!("editor")));
            assert_eq!(app.accept(person, &token).await.expect(200), first, "an answer may be lost");
            let me = app.get(person, "/v1/me").await.expect(200);
            assert_eq!(me["workspaces"][0]["tenant_id"], json!(anna.tenant));
            let activate = format!("/v1/tenants/{}/activate", anna.tenant);
            app.post(person, &activate, json!({})).await.expect(200);
        } else {
            refused(&answer, 404, "invitation-not-found");
        }
    }
    assert_eq!(app.get(&anna, LIST).await.expect(200)["items"], json!([]));
    refused(&app.delete(&anna, &id(&made)).await, 404, "invitation-not-found");
    let actions = recorded(&app, &anna).await;
    assert_eq!(actions, ["invitation.created", "invitation.accepted", "member.added"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_with_a_token_the_answer_is_one() {
    let app = App::start().await;
    let anna = app.writer().await;
    let unknown = comparable(app.accept(&app.stranger(&anna), &"0".repeat(64)).await);
    assert_eq!((unknown.0, &unknown.1["code"]), (404, &json!("invitation-not-found")));
    let same = async |person: &Writer, token: &str, what: &str| {
        assert_eq!(comparable(app.accept(person, token).await), unknown, "{what}");
    };
    for garbage in ["", "x", "\0", &"A".repeat(64), &"0".repeat(10_000)] {
        same(&app.stranger(&anna), garbage, "garbage").await;
    }
    let used = app.invitation(&anna, "viewer").await;
    app.accept(&app.stranger(&anna), &used).await.expect(200);
    same(&app.stranger(&anna), &used, "used").await;

    let made = app.post(&anna, LIST, json!({"role": "viewer"})).await.expect(201);
    app.delete(&anna, &id(&made)).await.expect(204);
    same(&app.stranger(&anna), &token_of(&made), "withdrawn").await;
    refused(&app.delete(&anna, &id(&made)).await, 404, "invitation-not-found");

    // Either row alone ends it, whichever a crash of a cluster has left behind.
    for table in ["invitation_tokens", "invitations"] {
        let token = app.invitation(&anna, "viewer").await;
        let late = format!(
            "update app.{table} set expires_at = now() - interval '1 second' where tenant_id = '{}'",
            anna.tenant
        );
        app.database.sql(&late).await.unwrap();
        same(&app.stranger(&anna), &token, table).await;
    }
    assert_eq!(app.get(&anna, LIST).await.expect(200)["items"], json!([]), "expired ones are not listed");

    let removed = app.joined(&anna, "owner").await;
    let theirs = app.invitation(&removed, "owner").await;
    let demoted = app.joined(&anna, "owner").await;
    let demoteds = app.invitation(&demoted, "owner").await;
    let token = app.invitation(&anna, "editor").await;
    let bruno = app.stranger(&anna);
    app.accept(&bruno, &token).await.expect(200);
    for person in [&removed, &bruno] {
        app.delete(&anna, &format!("/v1/members/{}", person.user)).await.expect(204);
    }
    let demotion = app.request(&anna.token, Method::PATCH, &format!("/v1/members/{}", demoted.user));
    app.send(demotion.json(&json!({"role": "viewer"}))).await.expect(200);
    same(&removed, &theirs, "of an owner who was removed").await;
    same(&demoted, &demoteds, "of an owner who is none any more").await;
    same(&bruno, &token, "of a person who was removed after they had used it").await;

    let token = app.invitation(&anna, "viewer").await;
    let gone = format!("update app.tenants set deleted_at = now() where tenant_id = '{}'", anna.tenant);
    app.database.sql(&gone).await.unwrap();
    same(&app.stranger(&anna), &token, "of a deleted workspace").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_is_raised_and_never_lowered() {
    let app = App::start().await;
    let anna = app.writer().await;
    let token = app.invitation(&anna, "editor").await;
    assert_eq!(app.accept(&anna, &token).await.expect(200)["role"], "owner");
    assert_eq!(app.get(&anna, LIST).await.expect(200)["items"].as_array().unwrap().len(), 1, "not used up");
    let viewer = app.joined(&anna, "viewer").await;
    assert_eq!(app.accept(&viewer, &token).await.expect(200)["role"], "editor");
    assert_eq!(app.accept(&viewer, &token).await.expect(200)["role"], "editor");
    refused(&app.accept(&app.stranger(&anna), &token).await, 404, "invitation-not-found");
    assert!(recorded(&app, &anna).await.contains(&"member.role.editor".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_creation_answers_another_link_to_the_same_invitation() {
    let app = App::start().await;
    let anna = app.writer().await;
    let body = json!({"role": "viewer"});
    let first = create(&app, &anna, "once", &body).await;
    let again = create(&app, &anna, "once", &body).await;
    assert_eq!(first.headers["location"], again.headers["location"]);
    let (first, again) = (first.expect(201), again.expect(201));
    assert_eq!(first["invitation_id"], again["invitation_id"]);
    assert_ne!(first["link"], again["link"]);
    assert_eq!(app.get(&anna, LIST).await.expect(200)["items"].as_array().unwrap().len(), 1);
    refused(&create(&app, &anna, "once", &json!({"role": "owner"})).await, 422, "idempotency-key-reused");
    let (bruno, carla) = (app.stranger(&anna), app.stranger(&anna));
    app.accept(&bruno, &token_of(&again)).await.expect(200);
    app.accept(&bruno, &token_of(&first)).await.expect(200);
    for link in [&first, &again] {
        refused(&app.accept(&carla, &token_of(link)).await, 404, "invitation-not-found");
    }
    refused(&create(&app, &anna, "once", &body).await, 404, "invitation-not-found");

    // It has few links, however often it is repeated; the first, which may have been mailed, stays good.
    let mailed = create(&app, &anna, "often", &body).await.expect(201);
    for _ in 0..9 {
        create(&app, &anna, "often", &body).await.expect(201);
    }
    refused(&create(&app, &anna, "often", &body).await, 429, "rate-limited");
    app.accept(&carla, &token_of(&mailed)).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_owners_invite_and_another_workspace_s_invitation_is_a_missing_one() {
    let app = App::start().await;
    let anna = app.writer().await;
    let made = app.post(&anna, LIST, json!({"role": "viewer"})).await.expect(201);
    for role in ["viewer", "editor"] {
        let low = app.joined(&anna, role).await;
        refused(&app.post(&low, LIST, json!({"role": "viewer"})).await, 403, "role-too-low");
        refused(&app.get(&low, LIST).await, 403, "role-too-low");
        refused(&app.delete(&low, &id(&made)).await, 403, "role-too-low");
    }
    let bruno = app.writer().await;
    let foreign = comparable(app.delete(&bruno, &id(&made)).await);
    let missing = format!("{LIST}/0190b3f8-1c2d-7a3b-8c4d-5e6f70819293");
    assert_eq!(foreign, comparable(app.delete(&bruno, &missing).await));
    assert_eq!(foreign.0, 404);
    assert_eq!(app.get(&bruno, LIST).await.expect(200)["items"], json!([]));
    let wrong =
        ["", "anna", "anna@", "a@b.example\r\nBcc: c@d.example", "Anna <a@b.example>", &"a".repeat(300)];
    for email in wrong {
        let answer = app.post(&anna, LIST, json!({"role": "viewer", "email": email})).await;
        refused(&answer, 422, "invalid-field");
    }
    for body in [
        json!({"role": "viewer", "email": 5}),
        json!({"role": "viewer", "email": ["a@b.example"]}),
        json!({"email": "a@b.example"}),
        json!({}),
        json!({"role": "king"}),
        json!({"role": "viewer", "tenant_id": bruno.tenant}),
    ] {
        refused(&app.post(&anna, LIST, body).await, 422, "invalid-field");
    }
    refused(&app.post(&anna, "/v1/invitations/accept", json!({})).await, 422, "invalid-field");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_link_is_mailed_once() {
    let app = App::start().await;
    let anna = app.writer().await;
    let body = json!({"role": "owner", "email": "bruno@example.com"});
    let made = create(&app, &anna, "mail", &body).await.expect(201);
    assert_eq!(made["email"], "bruno@example.com");
    create(&app, &anna, "mail", &body).await.expect(201);
    // What is mailed next comes after whatever was mailed before.
    let body = json!({"role": "viewer", "email": "carla@example.com"});
    let hers = app.post(&anna, LIST, body).await.expect(201);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    let mails = loop {
        let entries =
            std::fs::read_dir(app.outbox()).into_iter().flatten().map(|entry| entry.unwrap().path());
        let files: Vec<_> = entries.filter(|file| file.extension().is_some_and(|it| it == "eml")).collect();
        if files.len() >= 2 {
            break files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect::<Vec<_>>();
        }
        assert!(tokio::time::Instant::now() < deadline, "no mail came");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(mails.len(), 2);
    let to = |address: &str| mails.iter().find(|mail| mail.contains(&format!("To: {address}"))).unwrap();
    let first = to("bruno@example.com");
    assert!(first.contains(made["link"].as_str().unwrap()), "{first}");
    assert!(
        first.contains("as an owner") && first.contains("Subject: Invitation to \"A workspace\" at"),
        "{first}"
    );
    assert!(to("carla@example.com").contains(hers["link"].as_str().unwrap()));
    // Nobody is matched by the address: whoever holds the link may use it.
    app.accept(&app.stranger(&anna), &token_of(&made)).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workspace_invites_a_hundred_times_a_day_and_a_full_person_joins_no_other() {
    let app = App::start().await;
    let anna = app.writer().await;
    let token = app.invitation(&anna, "viewer").await;
    let full = app.stranger(&anna);
    let others = format!(
        "insert into app.user_tenants (tenant_id, user_id, tenant_name)
         select gen_random_uuid(), '{}', 'Another' from generate_series(1, 100)",
        full.user
    );
    app.database.sql(&others).await.unwrap();
    refused(&app.accept(&full, &token).await, 409, "too-many-workspaces");
    app.accept(&app.stranger(&anna), &token).await.expect(200);

    let earlier = (0..99).map(|_| {
        format!("('{}', '{}', 'invitation.created')", anna.tenant, UserId::from_uuid(app.issuer.id()))
    });
    let earlier = earlier.collect::<Vec<_>>().join(", ");
    let sql = format!("insert into app.audit_events (tenant_id, event_id, action) values {earlier}");
    app.database.sql(&sql).await.unwrap();
    let answer = app.post(&anna, LIST, json!({"role": "viewer"})).await;
    refused(&answer, 429, "rate-limited");
    assert!(answer.headers.contains_key("retry-after"));
    let bruno = app.writer().await;
    app.invitation(&bruno, "viewer").await;
    // Nor does it help to have another workspace.
    let body = json!({"role": "viewer"});
    let first = create(&app, &bruno, "once", &body).await.expect(201);
    let spent = format!("update app.users set invitations_made = 100 where user_id = '{}'", bruno.user);
    app.database.sql(&spent).await.unwrap();
    refused(&app.post(&bruno, LIST, body.clone()).await, 429, "rate-limited");
    refused(&create(&app, &bruno, "another", &body).await, 429, "rate-limited");
    let again = create(&app, &bruno, "once", &body).await.expect(201);
    assert_eq!(again["invitation_id"], first["invitation_id"], "a repeat is none more");
    refused(&create(&app, &bruno, "once", &json!({"role": "owner"})).await, 422, "idempotency-key-reused");
    let yesterday =
        format!("update app.users set counted_on = counted_on - 1 where user_id = '{}'", bruno.user);
    app.database.sql(&yesterday).await.unwrap();
    app.invitation(&bruno, "viewer").await;
    let make = async |key: &str| {
        let request = app.request(&bruno.token, Method::POST, "/v1/tenants").header("idempotency-key", key);
        app.send(request.json(&json!({"name": "One more"}))).await
    };
    let first = make("first").await.expect(201);
    let spent = format!("update app.users set workspaces_made = 100 where user_id = '{}'", bruno.user);
    app.database.sql(&spent).await.unwrap();
    refused(&make("second").await, 429, "rate-limited");
    assert_eq!(make("first").await.expect(201)["tenant_id"], first["tenant_id"], "a repeat is none more");
}

/// A cluster's crash between two nodes leaves the membership without its entry in the directory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeating_an_acceptance_mends_the_directory() {
    let app = App::start().await;
    let anna = app.writer().await;
    let token = app.invitation(&anna, "viewer").await;
    let bruno = app.stranger(&anna);
    app.accept(&bruno, &token).await.expect(200);
    for lost in [
        format!("delete from app.user_tenants where user_id = '{}'", bruno.user),
        format!("update app.invitation_tokens set accepted_by = null where tenant_id = '{}'", anna.tenant),
    ] {
        app.database.sql(&lost).await.unwrap();
    }
    refused(&app.accept(&app.stranger(&anna), &token).await, 404, "invitation-not-found");
    app.accept(&bruno, &token).await.expect(200);
    let me = app.get(&bruno, "/v1/me").await.expect(200);
    assert_eq!(me["workspaces"][0]["tenant_id"], json!(anna.tenant));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_runs_its_own_script_and_nothing_else() {
    let app = App::start().await;
    let page = app.http.get(format!("{}/invitation", app.url)).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    for (name, value) in [("referrer-policy", "no-referrer"), ("x-frame-options", "DENY")] {
        assert_eq!(page.headers()[name], value);
    }
    let html = page.text().await.unwrap();
    for element in ["script", "style"] {
        let text = html.split_once(&format!("<{element}>")).unwrap().1;
        let text = text.split_once(&format!("</{element}>")).unwrap().0;
        let digest = STANDARD.encode(Sha256::digest(text));
        assert!(policy.contains(&format!("{element}-src 'sha256-{digest}'")), "{policy}");
    }
    for rule in ["default-src 'none'", "connect-src 'self'", "form-action 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    for foreign in ["http://", "https://", " onclick", " onsubmit", "src=", "style=\""] {
        assert!(!html.contains(foreign), "{foreign}");
    }
}
