//! Lists and versions.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::json;

use crate::{
    app::{App, Writer},
    things::{Operation, Things, operations},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_newest_first_and_pages_neither_repeat_nor_skip() {
    let app = App::start().await;
    let anna = app.writer().await;
    let mut made = Vec::new();
    for number in 0..7 {
        let title = json!({"title": format!("Project {number}")});
        made.push(app.post(&anna, "/v1/projects", title).await.expect(201)["project_id"].clone());
    }
    // A tie in time is broken by id.
    let tie = format!(
        "update app.projects set created_at = date_trunc('day', now()) where tenant_id = '{}'",
        anna.tenant
    );
    app.database.sql(&tie).await.unwrap();
    made.reverse();
    let mut seen = Vec::new();
    let mut path = "/v1/projects?limit=3".to_owned();
    loop {
        let page = app.get(&anna, &path).await.expect(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        seen.extend(items.iter().map(|item| item["project_id"].clone()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/projects?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, made);
    assert_eq!(seen.iter().map(ToString::to_string).collect::<HashSet<_>>().len(), 7);

    let first = app.get(&anna, "/v1/projects?limit=2").await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let bruno = app.writer().await;
    let project = app.project(&anna).await;
    for (writer, path) in [
        (&bruno, format!("/v1/projects?cursor={cursor}")),
        (&anna, format!("{project}/manuscripts?cursor={cursor}")),
        (&anna, format!("/v1/projects?cursor={}", &cursor[1..])),
        (&anna, "/v1/projects?cursor=%00".to_owned()),
    ] {
        let answer = app.get(writer, &path).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid-cursor"), "{path}");
    }
}

/// What a list is of: its table and the id that breaks ties.
fn listed(operation: &Operation) -> (&'static str, &'static str) {
    match operation.id.as_str() {
        "projects.list" => ("projects", "project_id"),
        "manuscripts.list" => ("manuscripts", "manuscript_id"),
        "revisions.list" => ("revisions", "revision_id"),
        "analyses.list" => ("analyses", "analysis_id"),
        "members.list" => ("memberships", "user_id"),
        "invitations.list" => ("invitations", "invitation_id"),
        other => unreachable!("say here what `{other}` lists"),
    }
}

/// Makes two more of each thing beside those there are.
async fn make_more(app: &App, anna: &Writer, things: &Things) {
    let project = format!("/v1/projects/{}", things.project);
    let manuscript = format!("{project}/manuscripts/{}", things.manuscript);
    for number in 0..2 {
        app.project(anna).await;
        let title = json!({"title": "Another"});
        app.post(anna, &format!("{project}/manuscripts"), title).await.expect(201);
        app.ticket(anna, &manuscript, &format!("{number}.txt"), b"words").await;
        let body = json!({"manuscript_id": things.manuscript, "revision_id": things.revision});
        app.post(anna, &format!("{project}/analyses"), body).await.expect(201);
        app.joined(anna, "viewer").await;
        app.invitation(anna, "viewer").await;
    }
}

/// Every list of the document: a page of one at a time, all of one moment but one, whose id is the smallest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_is_newest_first_and_breaks_ties_by_id() {
    let app = App::start().await;
    let anna = app.writer().await;
    let things = Things::make(&app, &anna).await;
    make_more(&app, &anna, &things).await;
    let mut walked = 0;
    for operation in operations(&app).await.iter().filter(|operation| operation.takes("query", "cursor")) {
        let (table, id) = listed(operation);
        let path = operation.path(&things);
        let all = app.get(&anna, &format!("{path}?limit=100")).await.expect(200);
        let ids = all["items"].as_array().unwrap().iter().map(|item| item[id].as_str().unwrap().to_owned());
        let mut expected: Vec<_> = ids.collect();
        expected.sort_unstable_by(|one, other| other.cmp(one));
        assert!(expected.len() >= 3, "{path}: {expected:?}");
        let newest = expected.pop().unwrap();
        let tenant = anna.tenant;
        let same_moment = format!(
            "update app.{table} set created_at = date_trunc('hour', now())
              where tenant_id = '{tenant}' and {id} <> '{newest}';
             update app.{table} set created_at = date_trunc('hour', now()) + interval '1 microsecond'
              where tenant_id = '{tenant}' and {id} = '{newest}'"
        );
        for statement in same_moment.split(';') {
            app.database.sql(statement).await.unwrap();
        }
        expected.insert(0, newest);
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = app.get(&anna, &format!("{path}?limit=1{cursor}")).await.expect(200);
            let [item] = &page["items"].as_array().unwrap()[..] else { panic!("{path}: {page}") };
            seen.push(item[id].as_str().unwrap().to_owned());
            let Some(next) = page["next_cursor"].as_str() else { break };
            assert!(seen.len() < 100, "{path} does not end");
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, expected, "{path}");
        walked += 1;
    }
    assert!(walked >= 6, "only {walked} lists were found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_meant_for_another_version_is_refused() {
    let app = App::start().await;
    let anna = app.writer().await;
    let manuscript = app.manuscript(&anna).await;
    let project = manuscript.split("/manuscripts").next().unwrap();
    versions_of(&app, &anna, &manuscript, "manuscript-not-found").await;
    versions_of(&app, &anna, project, "project-not-found").await;
}

/// Changes and deletes a thing by its versions.
async fn versions_of(app: &App, anna: &Writer, thing: &str, missing: &str) {
    let patch = async |tag: Option<&str>, title: &str| {
        let mut request = app.request(&anna.token, Method::PATCH, thing).json(&json!({"title": title}));
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        app.send(request).await
    };
    let read = app.get(anna, thing).await;
    let tag = read.headers["etag"].to_str().unwrap().to_owned();
    let changed = patch(Some(&tag), "Second").await;
    let newer = changed.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(changed.expect(200)["title"], "Second");
    assert_ne!(tag, newer);
    let stale = patch(Some(&tag), "Third").await;
    assert_eq!((stale.status.as_u16(), stale.code()), (412, "precondition-failed"), "{thing}");
    assert_eq!(patch(Some("W/\"1\""), "Third").await.code(), "precondition-failed");
    patch(Some("*"), "Fourth").await.expect(200);
    patch(None, "Fifth").await.expect(200);
    let request = app.request(&anna.token, Method::DELETE, thing).header("if-match", &tag);
    let stale = app.send(request).await;
    assert_eq!((stale.status.as_u16(), stale.code()), (412, "precondition-failed"), "{thing}");
    assert_eq!(app.get(anna, thing).await.expect(200)["title"], "Fifth");
    app.delete(anna, thing).await.expect(204);
    for answer in [app.get(anna, thing).await, app.delete(anna, thing).await, patch(None, "x").await] {
        assert_eq!((answer.status.as_u16(), answer.code()), (404, missing));
    }
    let list = thing.rsplit_once('/').unwrap().0;
    assert!(app.get(anna, list).await.expect(200)["items"].as_array().unwrap().is_empty());
}
