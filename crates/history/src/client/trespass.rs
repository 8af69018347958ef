//! Tries what must not work: other workspaces' ids, cursors and names.

use novelfoundry_core::Role;
use reqwest::Method;
use serde_json::json;

use crate::{
    history::{Class, Violation},
    plan::Step,
    random::index,
    run::PERSONS,
    sha256,
};

use super::{Client, Request, analysis_path, manuscript_path, project_path, revision_path};

impl Client<'_> {
    fn another(&self, step: &Step) -> usize {
        let all = self.shared.worlds.len();
        (self.tenant + 1 + index(step.pick / 7, all - 1)) % all
    }

    /// Sends any operation at another workspace, its people or its things.
    pub(super) async fn probe(&self, step: &Step) {
        let request =
            if (step.pick / 11).is_multiple_of(4) { self.at_people(step) } else { self.at_texts(step) };
        if let Some(request) = request {
            self.must_fail(step, request).await;
        }
    }

    /// Changes or takes away another workspace's members, an invitation to it, or all of it.
    fn at_people(&self, step: &Step) -> Option<Request> {
        let another = self.another(step);
        // Their owner may be a member here.
        let theirs = self.shared.user(another * PERSONS + 1 + index(step.pick / 3, PERSONS - 1));
        let member = format!("/v1/members/{theirs}");
        let role = [Role::Viewer, Role::Editor, Role::Owner][index(step.pick / 5, 3)];
        Some(match step.pick / 44 % 5 {
            0 => Request { body: Some(json!({ "role": role })), ..Request::new(Method::PATCH, member) },
            1 => Request::new(Method::DELETE, member),
            2 => Request::post(format!("{member}/hand-over"), json!({})),
            3 => {
                let [invitation] = self.shared.worlds[another].invitations.pick(step.pick)?;
                Request::new(Method::DELETE, format!("/v1/invitations/{invitation}"))
            }
            _ => Request::new(Method::DELETE, format!("/v1/tenants/{}", self.shared.tenant(another))),
        })
    }

    fn at_texts(&self, step: &Step) -> Option<Request> {
        let world = &self.shared.worlds[self.another(step)];
        let [project] = world.projects.pick(step.pick)?;
        let manuscript = world.manuscripts.pick(step.pick)?;
        let revision = world.revisions.pick(step.pick)?;
        let analysis = world.analyses.pick(step.pick)?;
        let title = json!({"title": self.marker(step.serial).to_string()});
        let text = self.marker(step.serial).text();
        let upload = json!({
            "filename": "a.txt", "bytes": text.len(), "sha256": sha256(text.as_bytes()), "media_type": "text/plain",
        });
        // Their revision under a project of one's own names nothing either.
        let own = self.world().projects.pick(step.pick).map_or(project, |[own]| own);
        let get = |path: String| Request::new(Method::GET, path);
        let delete = |path: String| Request::new(Method::DELETE, path);
        let patch = |path: String| Request { body: Some(title.clone()), ..Request::new(Method::PATCH, path) };
        let (theirs, text) = (project_path(project), manuscript_path(manuscript));
        Some(match step.pick / 44 % 18 {
            0 => get(theirs),
            1 => patch(theirs),
            2 => delete(theirs),
            3 => get(format!("{theirs}/manuscripts")),
            4 => Request::post(format!("{theirs}/manuscripts"), title),
            5 => get(text),
            6 => patch(text),
            7 => delete(text),
            8 => get(format!("{text}/revisions")),
            9 => Request::post(format!("{text}/revisions"), upload),
            10 => get(revision_path(revision)),
            11 => get(format!("{}/download", revision_path(revision))),
            12 => Request::post(format!("{}/complete", revision_path(revision)), json!({})),
            13 => get(format!("{theirs}/analyses")),
            14 => {
                let body = json!({"manuscript_id": revision[1], "revision_id": revision[2]});
                Request::post(format!("{}/analyses", project_path(own)), body)
            }
            15 => get(analysis_path(analysis)),
            16 => delete(analysis_path(analysis)),
            _ => get(format!("{}/download", revision_path([own, revision[1], revision[2]]))),
        })
    }

    /// Goes on where another workspace's list ended.
    pub(super) async fn foreign_cursor(&self, step: &Step) {
        let cursor = {
            let cursors = self.shared.worlds[self.another(step)].cursors.lock().unwrap();
            if cursors.is_empty() {
                return;
            }
            cursors[index(step.pick, cursors.len())].clone()
        };
        self.must_fail(step, Request::new(Method::GET, format!("/v1/projects?cursor={cursor}"))).await;
    }

    pub(super) async fn activate(&self, step: &Step) {
        let tenant = if step.pick.is_multiple_of(2) { self.tenant } else { self.another(step) };
        let path = format!("/v1/tenants/{}/activate", self.shared.tenant(tenant));
        let request = Request { personal: true, ..Request::new(Method::POST, path) };
        if self.homes.contains(&tenant) {
            self.send_aside(step, request).await;
        } else {
            self.must_fail(step, request).await;
        }
    }

    pub(super) async fn must_fail(&self, step: &Step, request: Request) {
        let reply = self.send_aside(step, request).await;
        if reply.is_done() {
            let (tenant, user) = (self.tenant, self.user);
            let text =
                format!("tenant {tenant} user {user}: {} was answered {}", reply.request, reply.status);
            self.shared.observer.report(Violation::new(Class::ForeignTouched, [], text));
        }
    }
}
