//! People who come and go: they join by an invitation, work, are given another role, leave or are taken out, delete a
//! workspace or themselves. Each is here for one step; what they do amid it happens to everybody at once.

use std::sync::atomic::Ordering;

use futures_util::future::join;
use novelfoundry_core::Role;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::{
    history::{Class, Kind, Outcome, Violation, What},
    observe::Owner,
    plan::Step,
};

use super::{Client, Request, Shared, send::Reply};

/// How often a request is sent until its outcome is known.
const TRIES: usize = 12;

impl Shared {
    fn newcomer(&self, owner: Owner) -> usize {
        let person = self.system.issuer.id();
        self.observer.introduce(person, owner);
        let mut cast = self.cast();
        cast.users.push(person);
        cast.users.len() - 1
    }

    fn new_tenant(&self, id: Uuid) -> usize {
        let mut cast = self.cast();
        cast.tenants.push(id);
        cast.tenants.len() - 1
    }

    /// Returns a step for somebody who is not in the plan.
    fn step(&self, of: &Step) -> Step {
        Step { serial: self.serials.fetch_add(1, Ordering::Relaxed), keyed: true, ..of.clone() }
    }
}

impl<'a> Client<'a> {
    fn guest(&self, user: usize, role: Role, tenant: usize) -> Client<'a> {
        let token = self.shared.token(user, None);
        Client { shared: self.shared, tenant, user, role, token, homes: vec![tenant], sent: Vec::new() }
    }

    /// Refreshes the session, so that it names the workspace.
    fn enter(&mut self) {
        self.token = self.shared.token(self.user, Some(self.tenant));
    }

    /// Sends a request until its outcome is known; the first with the step's patience.
    async fn insist(&self, step: &Step, request: impl Fn() -> Request, what: impl Fn() -> What) -> Reply {
        self.insist_on_all(step, request, || vec![what()]).await
    }

    /// Does the same with a request that is for several things.
    async fn insist_on_all(
        &self,
        step: &Step,
        request: impl Fn() -> Request,
        what: impl Fn() -> Vec<What>,
    ) -> Reply {
        let mut reply = self.send(step, request()).await;
        for attempt in 1..=TRIES {
            for what in what() {
                self.record(step, &reply, what);
            }
            if attempt == TRIES || !reply.is_worth_another_try() {
                break;
            }
            reply = self.send_patiently(request()).await;
        }
        reply
    }

    /// Invites as an owner and returns the token.
    async fn invite(&mut self, step: &Step, role: Role) -> Option<String> {
        let step = Step { keyed: true, ..step.clone() };
        let body = json!({ "role": role });
        let made = self.create(&step, Kind::Invitation, "/v1/invitations".into(), body, Vec::new()).await?;
        made["link"].as_str()?.split("#token=").nth(1).map(str::to_owned)
    }

    async fn join(&self, step: &Step, token: &str, role: Role) -> Outcome {
        let body = json!({ "token": token });
        let request = || Request { personal: true, ..Request::post("/v1/invitations/accept", body.clone()) };
        let (workspace, person) = (self.shared.tenant(self.tenant), self.shared.user(self.user));
        self.insist(step, request, || What::Join { workspace, person, role }).await.outcome
    }

    /// An owner has a visitor; anybody else tries to and is refused.
    pub(super) async fn visit(&mut self, step: &Step) {
        let role = if step.pick.is_multiple_of(2) { Role::Viewer } else { Role::Editor };
        if self.role != Role::Owner {
            return self.must_fail(step, Request::post("/v1/invitations", json!({ "role": role }))).await;
        }
        let shared = self.shared;
        for path in ["/v1/members", "/v1/invitations?limit=100"] {
            self.send_aside(&shared.step(step), Request::new(Method::GET, path)).await;
        }
        if (step.pick / 128).is_multiple_of(2) {
            self.withdraw(&shared.step(step), role).await;
        }
        let Some(token) = self.invite(step, role).await else { return };
        let mut guest = self.guest(shared.newcomer(Owner::Tenant(self.tenant)), role, self.tenant);
        if (step.pick / 2).is_multiple_of(4) {
            let mut rival = self.guest(shared.newcomer(Owner::Tenant(self.tenant)), role, self.tenant);
            let (one, other) = join(
                guest.join(&shared.step(step), &token, role),
                rival.join(&shared.step(step), &token, role),
            )
            .await;
            if (&one, &other) == (&Outcome::Done, &Outcome::Done) {
                let persons = [guest.user, rival.user].map(|user| shared.user(user));
                let text = "two persons have come by one invitation";
                shared.observer.report(Violation::new(Class::Twice, persons, text));
            }
            if other == Outcome::Done {
                std::mem::swap(&mut guest, &mut rival);
            } else if one != Outcome::Done {
                return;
            }
        } else if guest.join(&shared.step(step), &token, role).await != Outcome::Done {
            return;
        }
        guest.enter();
        self.receive(step, guest).await;
    }

    /// Invites somebody and takes it back: they come too late.
    async fn withdraw(&mut self, step: &Step, role: Role) {
        let shared = self.shared;
        let body = json!({ "role": role });
        let kind = Kind::Invitation;
        let Some(made) = self.create(step, kind, "/v1/invitations".into(), body, Vec::new()).await else {
            return;
        };
        let (Some(id), Some(link)) = (made["invitation_id"].as_str(), made["link"].as_str()) else { return };
        let request = || Request::new(Method::DELETE, format!("/v1/invitations/{id}"));
        if !self.insist(&shared.step(step), request, || What::Other).await.is_done() {
            return;
        }
        let guest = self.guest(shared.newcomer(Owner::Tenant(self.tenant)), role, self.tenant);
        let body = json!({ "token": link.split("#token=").nth(1) });
        let late = Request { personal: true, ..Request::post("/v1/invitations/accept", body) };
        guest.must_fail(&shared.step(step), late).await;
    }

    /// Hands the workspace over to somebody who comes for that, and hands it back.
    async fn lend(&mut self, step: &Step) {
        let shared = self.shared;
        let Some(token) = self.invite(&shared.step(step), Role::Editor).await else { return };
        let mut guest = self.guest(shared.newcomer(Owner::Tenant(self.tenant)), Role::Editor, self.tenant);
        if guest.join(&shared.step(step), &token, Role::Editor).await != Outcome::Done {
            return;
        }
        guest.enter();
        let workspace = shared.tenant(self.tenant);
        for (from, to) in [(&*self, &guest), (&guest, &*self)] {
            let person = shared.user(to.user);
            let request = || Request::post(format!("/v1/members/{person}/hand-over"), json!({}));
            from.insist(&shared.step(step), request, || What::Other).await;
        }
        let person = shared.user(guest.user);
        let request = || Request::new(Method::DELETE, format!("/v1/members/{person}"));
        guest.insist(&shared.step(step), request, || What::Leave { workspace, person }).await;
    }

    /// Has a visitor work here, until they go.
    async fn receive(&self, step: &Step, mut guest: Client<'a>) {
        let shared = self.shared;
        let (workspace, person) = (shared.tenant(self.tenant), shared.user(guest.user));
        guest.create_project(&shared.step(step)).await;
        if guest.role == Role::Viewer {
            let request = || Request {
                body: Some(json!({ "role": Role::Editor })),
                ..Request::new(Method::PATCH, format!("/v1/members/{person}"))
            };
            let what = || What::Promote { workspace, person, role: Role::Editor };
            if !self.insist(&shared.step(step), request, what).await.is_done() {
                return;
            }
            guest.role = Role::Editor;
            if guest.create_project(&shared.step(step)).await.is_none() {
                // Whoever may is refused nothing, but for a server that is away.
                guest.create_project(&shared.step(step)).await;
            }
        }
        // Some stay.
        if (step.pick / 16).is_multiple_of(4) {
            return;
        }
        // They go while they write; who has gone is out from the next request on.
        let request = || Request::new(Method::DELETE, format!("/v1/members/{person}"));
        let what = || What::Leave { workspace, person };
        let (going, writing) = (shared.step(step), shared.step(step));
        let out = if (step.pick / 64).is_multiple_of(2) {
            join(self.insist(&going, request, what), guest.create_project(&writing)).await.0
        } else {
            // Leaving needs no role.
            let leaver = Client { role: Role::Owner, ..guest.clone() };
            join(leaver.insist(&going, request, what), guest.create_project(&writing)).await.0
        };
        if out.is_done() {
            guest.must_fail(&shared.step(step), Request::new(Method::GET, "/v1/projects")).await;
            guest.role = Role::Viewer;
            guest.create_project(&shared.step(step)).await;
        }
    }

    /// Makes a workspace; in every other one something is made, and then it is deleted while something is written.
    pub(super) async fn workspace(&mut self, step: &Step) {
        let Some(id) = self.create_workspace(step).await else { return };
        if step.pick.is_multiple_of(2) {
            return;
        }
        let shared = self.shared;
        let tenant = shared.new_tenant(id);
        // Guests of it see its name and its owner.
        shared.observer.lend(self.marker(step.serial), tenant);
        shared.observer.introduce(id, Owner::Lent { tenant, user: self.user });
        shared.observer.introduce(shared.user(self.user), Owner::Anyone);
        let mut owner = self.guest(self.user, Role::Owner, tenant);
        owner.enter();
        owner.work(step).await;
        owner.lend(step).await;
        let same = owner.clone();
        let request = || Request::new(Method::DELETE, format!("/v1/tenants/{id}"));
        let (deleting, writing) = (shared.step(step), shared.step(step));
        let what = || What::Delete { thing: id };
        let (deleted, ()) = join(same.insist(&deleting, request, what), owner.work(&writing)).await;
        if deleted.is_done() {
            owner.must_fail(&shared.step(step), Request::new(Method::GET, "/v1/projects")).await;
            owner.role = Role::Viewer;
            owner.create_project(&shared.step(step)).await;
        }
    }

    /// Fills a workspace a little.
    async fn work(&mut self, step: &Step) {
        let shared = self.shared;
        let Some(project) = self.create_project(&shared.step(step)).await else { return };
        let Some(manuscript) = self.create_manuscript(&shared.step(step), project).await else { return };
        self.upload(&shared.step(step), [project, manuscript]).await;
    }

    /// Somebody comes where an owner is there to invite them, makes a workspace of their own, and deletes themselves.
    pub(super) async fn erase(&mut self, step: &Step) {
        let shared = self.shared;
        let user = shared.newcomer(Owner::Anyone);
        let person = shared.user(user);
        let mut guest = self.guest(user, Role::Editor, self.tenant);
        if self.role == Role::Owner
            && let Some(token) = self.invite(step, Role::Editor).await
            && guest.join(&shared.step(step), &token, Role::Editor).await == Outcome::Done
        {
            guest.enter();
            guest.create_project(&shared.step(step)).await;
        }
        let own = guest.create_workspace(&shared.step(step)).await.map(|id| (id, shared.new_tenant(id)));
        if let Some((_, tenant)) = own {
            let mut alone = self.guest(user, Role::Owner, tenant);
            alone.enter();
            alone.work(step).await;
        }
        let request = || Request { personal: true, ..Request::new(Method::DELETE, "/v1/me") };
        // Nobody else is in their own, so it goes with them: perhaps with an attempt that was cut short after it.
        let what = || {
            let own = own.map(|(thing, _)| What::Delete { thing });
            own.into_iter().chain([What::Erase { person }]).collect()
        };
        let erased = guest.insist_on_all(&shared.step(step), request, what).await;
        if erased.is_done() {
            guest.must_fail(&shared.step(step), Request::new(Method::GET, "/v1/projects")).await;
        }
    }
}
