//! Completeness of authorisation: every operation of the served OpenAPI document with every kind of caller. What each
//! may do is the table of operations'; a new operation is tried without another word, or fails by name.

mod expected;
mod table;
mod world;

use std::time::Instant;

use novelfoundry_core::Role;
use reqwest::Method;
use serde_json::{Value, json};

use self::{
    expected::{Cell, Outcome},
    world::World,
};
use crate::{
    app::{Answer, App},
    kept::Kept,
    things::{Operation, Things, operations},
};

const ACCEPT: &str = "invitations.accept";

async fn send(
    world: &World<'_>,
    cell: Cell,
    operation: &Operation,
    method: Method,
    things: &Things,
) -> Answer {
    let app = world.app;
    let mut request = app.http.request(method, format!("{}{}", app.url, operation.path(things)));
    if let Some(token) = world.token(cell) {
        request = request.bearer_auth(token);
    }
    if let Some(body) = operation.body(things) {
        request = request.json(&Value::Object(body));
    }
    app.send(request).await
}

/// Refused cells share one world, whose rows no refusal may change; an operation that changes something has others of
/// its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_answers_every_caller_as_the_table_says() {
    let started = Instant::now();
    let app = App::start().await;
    let world = World::make(&app).await;
    let kept = Kept::of(&app, &world.owner).await;
    let (mut refused, mut allowed) = (0, 0);
    for operation in operations(&app).await {
        let before = kept.rows().await;
        let mut own = None;
        for cell in Cell::ALL {
            let what = format!("{} {} by {cell:?}", operation.id, operation.template);
            match expected::outcome(&operation, *cell) {
                Outcome::Refused(status, code) => {
                    let answer =
                        send(&world, *cell, &operation, operation.method.clone(), &world.things).await;
                    assert_eq!((answer.status.as_u16(), answer.code()), (status, code.as_str()), "{what}");
                    assert!(operation.documents(status, &code), "{what}: {status} {code} is not documented");
                    refused += 1;
                }
                Outcome::Allowed => {
                    // What a caller deletes or uses up is not there for the next.
                    let once = operation.method == Method::DELETE || operation.id == ACCEPT;
                    if own.is_none() && operation.method != Method::GET || once {
                        own = Some(World::make(&app).await);
                    }
                    let world = own.as_ref().unwrap_or(&world);
                    let answer =
                        send(world, *cell, &operation, operation.method.clone(), &world.things).await;
                    assert!(answer.status.is_success(), "{what}: {} {}", answer.status, answer.body);
                    // An invitation says where it leads.
                    if *cell == Cell::Stranger && operation.id != ACCEPT {
                        let text = answer.body.to_string();
                        for id in world.things.ids() {
                            assert!(!text.contains(id), "{what} shows another tenant's thing: {text}");
                        }
                    }
                    allowed += 1;
                }
            }
        }
        assert_eq!(kept.rows().await, before, "{} was refused and left a trace", operation.id);
    }
    expected::no_exception_is_stale(&operations(&app).await);
    println!("{refused} cells refused, {allowed} allowed in {:.1} s", started.elapsed().as_secs_f64());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_request_needs_what_its_get_needs() {
    let app = App::start().await;
    let world = World::make(&app).await;
    for operation in operations(&app).await.iter().filter(|operation| operation.method == Method::GET) {
        for cell in Cell::ALL {
            let answer = send(&world, *cell, operation, Method::HEAD, &world.things).await;
            let status = answer.status.as_u16();
            match expected::outcome(operation, *cell) {
                Outcome::Refused(expected, _) => assert_eq!(status, expected, "{} {cell:?}", operation.id),
                Outcome::Allowed => assert_eq!(status, 200, "{} {cell:?}", operation.id),
            }
            assert_eq!(answer.body, json!(""), "{}", operation.id);
        }
    }
}

/// A role is what the membership says now, not when the token was signed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_role_holds_from_the_next_request_on() {
    let app = App::start().await;
    let world = World::make(&app).await;
    let update =
        operations(&app).await.into_iter().find(|operation| operation.id == "projects.update").unwrap();
    let owner = Cell::Member(Role::Owner);
    for (role, status) in [("viewer", 403), ("editor", 200), ("viewer", 403), ("owner", 200)] {
        world.set_role(&world.owner, role).await;
        let answer = send(&world, owner, &update, Method::PATCH, &world.things).await;
        assert_eq!(answer.status, status, "as {role}: {}", answer.body);
    }
}
