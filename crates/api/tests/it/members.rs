//! Members: what each role may do to them, and that an owner is always left.

use novelfoundry_core::UserId;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, App, Writer};

impl App {
    /// Invites as `owner` and returns the token of the link.
    pub(crate) async fn invitation(&self, owner: &Writer, role: &str) -> String {
        let made = self.post(owner, "/v1/invitations", json!({"role": role})).await.expect(201);
        token_of(&made)
    }

    /// Makes somebody with a token that names no workspace.
    pub(crate) fn stranger(&self, tenant: &Writer) -> Writer {
        let user = UserId::from_uuid(self.issuer.id());
        Writer { token: self.issuer.token(user, None), user, tenant: tenant.tenant }
    }

    pub(crate) async fn accept(&self, person: &Writer, token: &str) -> Answer {
        self.post(person, "/v1/invitations/accept", json!({"token": token})).await
    }

    /// Lets a new person into the workspace of `owner`, with a token that names it.
    pub(crate) async fn joined(&self, owner: &Writer, role: &str) -> Writer {
        let token = self.invitation(owner, role).await;
        let person = self.stranger(owner);
        self.accept(&person, &token).await.expect(200);
        Writer { token: self.issuer.token(person.user, Some(owner.tenant)), ..person }
    }

    async fn patch_role(&self, by: &Writer, of: &Writer, role: &str) -> Answer {
        let request = self.request(&by.token, Method::PATCH, &member(of)).json(&json!({"role": role}));
        self.send(request).await
    }

    async fn hand_over(&self, by: &Writer, to: &Writer) -> Answer {
        self.post(by, &format!("{}/hand-over", member(to)), json!({})).await
    }

    async fn roles(&self, by: &Writer) -> Vec<(String, String)> {
        let list = self.get(by, "/v1/members?limit=100").await.expect(200);
        let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
        list["items"].as_array().unwrap().iter().map(|it| (text(it, "user_id"), text(it, "role"))).collect()
    }
}

pub(crate) fn token_of(made: &Value) -> String {
    made["link"].as_str().unwrap().split_once("/invitation#token=").unwrap().1.to_owned()
}

fn member(person: &Writer) -> String {
    format!("/v1/members/{}", person.user)
}

#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{}", answer.body);
}

/// What was recorded in the workspace, in any order of the same moment.
pub(crate) async fn recorded(app: &App, writer: &Writer) -> Vec<String> {
    let sql = format!(
        "select action from app.audit_events where tenant_id = '{}' order by created_at, action",
        writer.tenant
    );
    app.database.sql(&sql).await.unwrap().into_iter().map(|mut row| row.swap_remove(0).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_listed_changed_and_taken_out_by_owners_and_leave_by_themselves() {
    let app = App::start().await;
    let anna = app.writer().await;
    let viewer = app.joined(&anna, "viewer").await;
    let editor = app.joined(&anna, "editor").await;
    let listed = app.get(&viewer, "/v1/members?limit=2").await.expect(200);
    let newest = &listed["items"][0];
    assert_eq!((&newest["user_id"], &newest["role"]), (&json!(editor.user), &json!("editor")));
    assert_eq!(newest["email"], format!("{}@example.com", editor.user));
    assert!(newest["joined_at"].as_str().unwrap().ends_with('Z'));
    let cursor = listed["next_cursor"].as_str().unwrap();
    let rest = app.get(&viewer, &format!("/v1/members?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!((&rest["items"][0]["user_id"], &rest["next_cursor"]), (&json!(anna.user), &Value::Null));
    assert_eq!(rest["items"][0]["email"], format!("{}@example.com", anna.user), "of the first owner too");

    for low in [&viewer, &editor] {
        refused(&app.patch_role(low, low, "owner").await, 403, "role-too-low");
        refused(&app.delete(low, &member(&anna)).await, 403, "role-too-low");
        refused(&app.hand_over(low, low).await, 403, "role-too-low");
    }
    let stranger = app.writer().await;
    for missing in [member(&stranger), "/v1/members/x".to_owned()] {
        refused(&app.delete(&anna, &missing).await, 404, "member-not-found");
        let patch = app.request(&anna.token, Method::PATCH, &missing).json(&json!({"role": "viewer"}));
        refused(&app.send(patch).await, 404, "member-not-found");
        let to_herself = app.post(&anna, &format!("{}/hand-over", member(&anna)), json!({})).await;
        assert_eq!((to_herself.status.as_u16(), to_herself.code()), (409, "last-owner"));
        let answer = app.post(&anna, &format!("{missing}/hand-over"), json!({})).await;
        refused(&answer, 404, "member-not-found");
    }
    refused(&app.patch_role(&anna, &viewer, "king").await, 422, "invalid-field");

    assert_eq!(app.patch_role(&anna, &viewer, "editor").await.expect(200)["role"], "editor");
    assert_eq!(app.patch_role(&anna, &viewer, "editor").await.expect(200)["role"], "editor");
    app.post(&viewer, "/v1/projects", json!({"title": "Now I may"})).await.expect(201);
    app.delete(&editor, &member(&editor)).await.expect(204);
    app.delete(&anna, &member(&viewer)).await.expect(204);
    for out in [&viewer, &editor] {
        refused(&app.get(out, "/v1/members").await, 403, "not-a-member");
        refused(&app.delete(out, &member(out)).await, 403, "not-a-member");
        let index = format!("select count(*) from app.user_tenants where user_id = '{}'", out.user);
        assert_eq!(app.database.sql(&index).await.unwrap()[0][0].as_deref(), Some("0"));
    }
    let actions = recorded(&app, &anna).await;
    let count = |action: &str| actions.iter().filter(|it| *it == action).count();
    assert_eq!(
        ["member.added", "member.role.editor", "member.left", "member.removed"].map(count),
        [2, 1, 1, 1]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_owner_stays_until_the_workspace_is_handed_over() {
    let app = App::start().await;
    let anna = app.writer().await;
    let bruno = app.joined(&anna, "viewer").await;
    refused(&app.delete(&anna, &member(&anna)).await, 409, "last-owner");
    refused(&app.patch_role(&anna, &anna, "viewer").await, 409, "last-owner");
    refused(&app.hand_over(&anna, &anna).await, 409, "last-owner");
    assert_eq!(app.hand_over(&anna, &bruno).await.expect(200)["role"], "owner");
    let roles = app.roles(&anna).await;
    assert!(roles.contains(&(anna.user.to_string(), "editor".to_owned())), "{roles:?}");
    assert!(roles.contains(&(bruno.user.to_string(), "owner".to_owned())), "{roles:?}");
    refused(&app.hand_over(&anna, &bruno).await, 403, "role-too-low");
    app.delete(&anna, &member(&anna)).await.expect(204);
    assert!(recorded(&app, &bruno).await.contains(&"member.handed_over".to_owned()));
}

/// Both owners act at the same moment, in every pair of ways, many times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_owners_who_act_on_each_other_at_once_leave_one() {
    const ROUNDS: usize = 6;
    let app = App::start().await;
    let act = async |way: usize, one: &Writer, other: &Writer| match way {
        0 => app.delete(one, &member(other)).await,
        1 => app.patch_role(one, other, "viewer").await,
        2 => app.delete(one, &member(one)).await,
        3 => app.patch_role(one, one, "editor").await,
        _ => app.hand_over(one, other).await,
    };
    for way in 0..5 {
        for other_way in way..5 {
            for _ in 0..ROUNDS {
                let anna = app.writer().await;
                let bruno = app.stranger(&anna);
                let bruno = Writer { token: app.issuer.token(bruno.user, Some(anna.tenant)), ..bruno };
                let (tenant, user) = (anna.tenant, bruno.user);
                for sql in [
                    format!("insert into app.memberships values ('{tenant}', '{user}', 'owner')"),
                    format!("insert into app.user_tenants values ('{tenant}', '{user}', 'Both')"),
                ] {
                    app.database.sql(&sql).await.unwrap();
                }
                let (first, second) = tokio::join!(act(way, &anna, &bruno), act(other_way, &bruno, &anna));
                let what = format!("{way}, {other_way}: {} {}", first.body, second.body);
                for answer in [&first, &second] {
                    let known = ["", "last-owner", "role-too-low", "not-a-member", "member-not-found"];
                    assert!(answer.status.as_u16() < 500 && known.contains(&answer.code()), "{what}");
                }
                assert!(first.status.is_success() || second.status.is_success(), "{what}");
                let owners = format!(
                    "select count(*) from app.memberships where tenant_id = '{tenant}' and role = 'owner'"
                );
                let owners = app.database.sql(&owners).await.unwrap()[0][0].clone().unwrap();
                assert_ne!(owners, "0", "{what}");
                let strays = format!(
                    "select count(*) from app.user_tenants ut
                      where ut.tenant_id = '{tenant}'
                        and ut.user_id not in (select m.user_id from app.memberships m where m.tenant_id = '{tenant}')"
                );
                assert_eq!(app.database.sql(&strays).await.unwrap()[0][0].as_deref(), Some("0"), "{what}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_a_removed_member_falls_back_to_another_workspace() {
    let app = App::start().await;
    let anna = app.writer().await;
    let bruno = app.writer().await;
    let token = app.invitation(&anna, "editor").await;
    app.accept(&bruno, &token).await.expect(200);
    app.post(&bruno, &format!("/v1/tenants/{}/activate", anna.tenant), json!({})).await.expect(200);
    let named = async || {
        let session = format!("select session_id from app.session_tenants where user_id = '{}'", bruno.user);
        let session = app.database.sql(&session).await.unwrap()[0][0].clone().unwrap();
        let event = json!({"user_id": bruno.user, "claims": {"session_id": session}});
        let hook =
            format!("select app.custom_access_token_hook('{event}') #>> '{{claims,app_metadata,tenant_id}}'");
        app.database.sql_as(&app.database.issuer, &hook).await.unwrap()[0][0].clone()
    };
    assert_eq!(named().await, Some(anna.tenant.to_string()));
    app.delete(&anna, &member(&bruno)).await.expect(204);
    assert_eq!(named().await, Some(bruno.tenant.to_string()));
}
