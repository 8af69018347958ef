//! Makes, changes and deletes things.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    history::{Class, Kind, Violation, What},
    plan::Step,
    random::index,
    sha256,
    world::Sent,
};

use super::{Client, Request, id, manuscript_path, project_path, revision_path};

/// How often a creation with a key is sent until its outcome is known.
const TRIES: usize = 8;

impl Client<'_> {
    pub(super) async fn create_project(&mut self, step: &Step) -> Option<Uuid> {
        let body = json!({"title": self.marker(step.serial).to_string()});
        let made = self.create(step, Kind::Project, "/v1/projects".into(), body, Vec::new()).await?;
        id(&made["project_id"])
    }

    pub(super) async fn create_manuscript(&mut self, step: &Step, project: Uuid) -> Option<Uuid> {
        let body = json!({"title": self.marker(step.serial).to_string()});
        let path = format!("{}/manuscripts", project_path(project));
        let made = self.create(step, Kind::Manuscript, path, body, vec![project]).await?;
        id(&made["manuscript_id"])
    }

    pub(super) async fn create_workspace(&mut self, step: &Step) -> Option<Uuid> {
        let body = json!({"name": self.marker(step.serial).to_string()});
        let made = self.create(step, Kind::Workspace, "/v1/tenants".into(), body, Vec::new()).await?;
        id(&made["tenant_id"])
    }

    pub(super) async fn analyze(&mut self, step: &Step, ids: [Uuid; 3]) {
        let path = format!("{}/analyses", project_path(ids[0]));
        let body = json!({"manuscript_id": ids[1], "revision_id": ids[2]});
        self.create(step, Kind::Analysis, path, body, ids.to_vec()).await;
    }

    pub(super) async fn upload(&mut self, step: &Step, ids: [Uuid; 2]) {
        let marker = self.marker(step.serial);
        let text = marker.text();
        let body = json!({
            "filename": format!("{marker}.txt"), "bytes": text.len(), "sha256": sha256(text.as_bytes()),
            "media_type": "text/plain",
        });
        let path = format!("{}/revisions", manuscript_path(ids));
        let Some(ticket) = self.create(step, Kind::Revision, path, body, ids.to_vec()).await else { return };
        let Some(revision) = id(&ticket["revision_id"]) else { return };
        if step.pick % 13 == 5 {
            let text = self.marker(step.serial + 1).text();
            if self.put(&ticket["upload"], text).await {
                let wrong =
                    Violation::new(Class::Unasked, [revision], "the store took other bytes than declared");
                self.shared.observer.report(wrong);
            }
        }
        if step.pick % 11 != 3 {
            self.put(&ticket["upload"], text).await;
        }
        if step.pick % 7 != 2 {
            self.complete(step, [ids[0], ids[1], revision]).await;
        }
    }

    /// PUTs a file, again where the store was away; tells whether it was taken.
    async fn put(&self, upload: &Value, text: String) -> bool {
        let Some(url) = upload["url"].as_str() else { return false };
        for _ in 0..TRIES {
            let mut request = self.shared.http.put(url).body(text.clone());
            for (name, value) in upload["headers"].as_object().into_iter().flatten() {
                request = request.header(name, value.as_str().unwrap_or_default());
            }
            match request.send().await {
                Ok(response) if response.status().is_success() => return true,
                Ok(response) if response.status().is_client_error() => return false,
                _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        }
        false
    }

    pub(super) async fn complete(&self, step: &Step, ids: [Uuid; 3]) {
        let path = format!("{}/complete", revision_path(ids));
        let reply = self.send(step, Request::post(path, json!({}))).await;
        let analysis = id(&reply.body["analysis_id"]);
        self.record(step, &reply, What::Complete { revision: ids[2], analysis });
        if let Some(analysis) = analysis {
            self.world().analyses.add([ids[0], ids[1], ids[2], analysis]);
        }
    }

    /// Sends a creation; with a key, until its outcome is known. Returns what was made.
    pub(super) async fn create(
        &mut self,
        step: &Step,
        kind: Kind,
        path: String,
        body: Value,
        parents: Vec<Uuid>,
    ) -> Option<Value> {
        let sent = Sent { path, body, kind, parents, origin: step.serial };
        let tries = if step.keyed { TRIES } else { 1 };
        for attempt in 0..tries {
            let patient = Step { patience: None, ..step.clone() };
            let now = if attempt == 0 { step } else { &patient };
            let (made, again) = self.post(now, &sent, step.keyed).await;
            if let Some(made) = made {
                if step.keyed {
                    self.sent.push(sent);
                }
                return Some(made);
            }
            if !again {
                return None;
            }
        }
        None
    }

    /// Sends a creation once; returns what was made, and whether another try may fare better.
    async fn post(&self, step: &Step, sent: &Sent, keyed: bool) -> (Option<Value>, bool) {
        let Sent { path, body, kind, parents, origin } = sent;
        let key = keyed.then(|| format!("{}-key", self.marker(*origin)));
        let personal = *kind == Kind::Workspace;
        let request = Request { key, personal, ..Request::post(path, body.clone()) };
        let reply = self.send(step, request).await;
        let field = match kind {
            Kind::Project => "project_id",
            Kind::Manuscript => "manuscript_id",
            Kind::Revision => "revision_id",
            Kind::Analysis => "analysis_id",
            Kind::Workspace => "tenant_id",
            Kind::Invitation => "invitation_id",
        };
        let made = id(&reply.body[field]).filter(|_| reply.is_done());
        if let Some(made) = made {
            // Before it is known to others, who might be told that it is missing.
            if *kind == Kind::Revision {
                self.shared.texts.lock().unwrap().insert(made, self.marker(*origin));
            }
        }
        let what = What::Create { kind: *kind, parents: parents.clone(), origin: *origin, made };
        self.record(step, &reply, what);
        let Some(made) = made else { return (None, reply.is_worth_another_try()) };
        let world = self.world();
        match (kind, parents.as_slice()) {
            (Kind::Project, _) => world.projects.add([made]),
            (Kind::Invitation, _) => world.invitations.add([made]),
            (Kind::Manuscript, [project]) => world.manuscripts.add([*project, made]),
            (Kind::Revision, [project, manuscript]) => world.revisions.add([*project, *manuscript, made]),
            (Kind::Analysis, [project, manuscript, revision]) => {
                world.analyses.add([*project, *manuscript, *revision, made]);
            }
            _ => {}
        }
        (Some(reply.body), false)
    }

    /// Sends an earlier creation again.
    pub(super) async fn repeat(&mut self, step: &Step) {
        if self.sent.is_empty() {
            self.create_project(step).await;
            return;
        }
        let sent = self.sent[index(step.pick, self.sent.len())].clone();
        self.post(step, &sent, true).await;
    }

    /// Uses an earlier creation's key for another.
    pub(super) async fn misuse(&mut self, step: &Step) {
        let of_this_workspace = self.sent.iter().filter(|sent| sent.kind != Kind::Workspace);
        let keys: Vec<_> = of_this_workspace.map(|sent| sent.origin).collect();
        if keys.is_empty() {
            self.create_project(step).await;
            return;
        }
        let key = format!("{}-key", self.marker(keys[index(step.pick, keys.len())]));
        let body = json!({"title": self.marker(step.serial).to_string()});
        let request = Request { key: Some(key), ..Request::post("/v1/projects", body) };
        let reply = self.send_aside(step, request).await;
        if reply.is_done() {
            let text = format!("a key was good for another body: {}", reply.body);
            let made: Vec<_> = id(&reply.body["project_id"]).into_iter().collect();
            self.shared.observer.report(Violation::new(Class::Twice, made, text));
        }
    }

    pub(super) async fn rename(&self, step: &Step, path: &str, thing: Uuid) {
        let if_match = if step.pick.is_multiple_of(3) {
            self.send_patiently(Request::new(Method::GET, path)).await.version
        } else {
            None
        };
        let body = Some(json!({"title": self.marker(step.serial).to_string()}));
        let request = Request { body, if_match, ..Request::new(Method::PATCH, path) };
        let reply = self.send(step, request).await;
        let version = reply.version.filter(|_| reply.is_done());
        self.record(step, &reply, What::Rename { thing, version });
    }

    pub(super) async fn delete(&self, step: &Step, path: &str, thing: Uuid) {
        let reply = self.send(step, Request::new(Method::DELETE, path)).await;
        self.record(step, &reply, What::Delete { thing });
        if reply.is_done() {
            let world = self.world();
            world.projects.remove(thing);
            world.manuscripts.remove(thing);
            world.revisions.remove(thing);
            world.analyses.remove(thing);
        }
    }
}
