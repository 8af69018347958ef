//! A client: one member of one workspace with a token, who takes one step after another and writes down what was
//! answered.

mod create;
mod read;
mod send;
mod trespass;
mod visit;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use novelfoundry_core::{Operation, Role, TenantId, UserId};
use reqwest::Method;
use uuid::Uuid;

use crate::{
    history::{Event, Kind, What},
    marker::Marker,
    model::Cast,
    observe::{Observer, Viewer},
    plan::{Action, Step},
    system::System,
    world::{Sent, World},
};

use send::{Reply, Request};

/// What all clients share.
pub(crate) struct Shared {
    pub(crate) system: System,
    pub(crate) http: reqwest::Client,
    pub(crate) observer: Observer,
    /// The workspaces of the beginning; of others nothing is picked.
    pub(crate) worlds: Vec<World>,
    pub(crate) elsewhere: World,
    pub(crate) cast: Mutex<Cast>,
    pub(crate) events: Mutex<Vec<Event>>,
    /// Who wrote each revision's text.
    pub(crate) texts: Mutex<HashMap<Uuid, Marker>>,
    /// One clock for all: an event that ends before another starts has happened before it.
    pub(crate) clock: AtomicU64,
    /// The operations that were asked for.
    pub(crate) used: Mutex<HashSet<Operation>>,
    /// Serials beyond the plan's, for steps of people who are not in it.
    pub(crate) serials: AtomicU64,
}

impl Shared {
    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    fn cast(&self) -> MutexGuard<'_, Cast> {
        self.cast.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tenant(&self, number: usize) -> Uuid {
        self.cast().tenants[number]
    }

    fn user(&self, number: usize) -> Uuid {
        self.cast().users[number]
    }

    /// Signs a person in, in a workspace or in none.
    pub(crate) fn token(&self, user: usize, tenant: Option<usize>) -> String {
        let cast = self.cast();
        let tenant = tenant.map(|tenant| TenantId::from_uuid(cast.tenants[tenant]));
        self.system.issuer.token(UserId::from_uuid(cast.users[user]), tenant)
    }

    fn record(&self, event: Event) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

/// One client.
#[derive(Clone)]
pub(crate) struct Client<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) tenant: usize,
    pub(crate) user: usize,
    pub(crate) role: Role,
    pub(crate) token: String,
    pub(crate) homes: Vec<usize>,
    /// Creations with a key, to be repeated.
    pub(crate) sent: Vec<Sent>,
}

impl Client<'_> {
    /// Takes one step.
    pub(crate) async fn take(&mut self, step: &Step) {
        let world = self.world();
        let (project, manuscript) = (world.projects.pick(step.pick), world.manuscripts.pick(step.pick));
        let (revision, analysis) = (world.revisions.pick(step.pick), world.analyses.pick(step.pick));
        match (step.action, project, manuscript, revision, analysis) {
            (Action::GetProject, Some([project]), ..) => {
                self.get(step, &project_path(project), project).await;
            }
            (Action::RenameProject, Some([project]), ..) => {
                self.rename(step, &project_path(project), project).await;
            }
            (Action::DeleteProject, Some([project]), ..) => {
                self.delete(step, &project_path(project), project).await;
            }
            (Action::ListManuscripts, Some([project]), ..) => {
                let path = format!("{}/manuscripts", project_path(project));
                self.walk(step, &path, Kind::Manuscript, project).await;
            }
            (Action::ListAnalyses, Some([project]), ..) => {
                let path = format!("{}/analyses", project_path(project));
                self.walk(step, &path, Kind::Analysis, project).await;
            }
            (Action::CreateManuscript, Some([project]), ..) => {
                self.create_manuscript(step, project).await;
            }
            (Action::GetManuscript, _, Some(ids), ..) => {
                self.get(step, &manuscript_path(ids), ids[1]).await;
            }
            (Action::RenameManuscript, _, Some(ids), ..) => {
                self.rename(step, &manuscript_path(ids), ids[1]).await;
            }
            (Action::DeleteManuscript, _, Some(ids), ..) => {
                self.delete(step, &manuscript_path(ids), ids[1]).await;
            }
            (Action::ListRevisions, _, Some(ids), ..) => {
                let path = format!("{}/revisions", manuscript_path(ids));
                self.walk(step, &path, Kind::Revision, ids[1]).await;
            }
            (Action::Upload, _, Some(ids), ..) => self.upload(step, ids).await,
            (Action::Complete, _, _, Some(ids), _) => self.complete(step, ids).await,
            (Action::GetRevision, _, _, Some(ids), _) => {
                self.get(step, &revision_path(ids), ids[2]).await;
            }
            (Action::Download, _, _, Some(ids), _) => self.download(step, ids).await,
            (Action::Analyze, _, _, Some(ids), _) => self.analyze(step, ids).await,
            (Action::GetAnalysis, .., Some(ids)) => self.get(step, &analysis_path(ids), ids[3]).await,
            (Action::DeleteAnalysis, .., Some(ids)) => {
                self.delete(step, &analysis_path(ids), ids[3]).await;
            }
            (Action::ListProjects, ..) => self.list_projects(step).await,
            (Action::Repeat, ..) => self.repeat(step).await,
            (Action::Misuse, ..) => self.misuse(step).await,
            (Action::Probe, ..) => self.probe(step).await,
            (Action::ForeignCursor, ..) => self.foreign_cursor(step).await,
            (Action::Me, ..) => {
                let request = Request { personal: true, ..Request::new(Method::GET, "/v1/me") };
                self.send_aside(step, request).await;
            }
            (Action::Activate, ..) => self.activate(step).await,
            (Action::Workspace, ..) => self.workspace(step).await,
            (Action::Visit, ..) => self.visit(step).await,
            (Action::Erase, ..) => self.erase(step).await,
            // Where there is nothing yet to work on.
            _ => {
                self.create_project(step).await;
            }
        }
    }

    fn marker(&self, serial: u64) -> Marker {
        Marker { tenant: self.tenant, user: self.user, serial }
    }

    fn world(&self) -> &World {
        self.shared.worlds.get(self.tenant).unwrap_or(&self.shared.elsewhere)
    }

    fn viewer(&self, personal: bool) -> Viewer {
        let person = self.shared.user(self.user);
        Viewer { tenant: self.tenant, user: self.user, person, personal, homes: self.homes.clone() }
    }

    /// Sends a request that changes nothing the model knows of.
    async fn send_aside(&self, step: &Step, request: Request) -> Reply {
        let reply = self.send(step, request).await;
        self.record(step, &reply, What::Other);
        reply
    }

    /// Writes down what a request came to.
    fn record(&self, step: &Step, reply: &Reply, what: What) {
        self.shared.record(Event {
            serial: step.serial,
            tenant: self.tenant,
            user: self.user,
            start: reply.start,
            end: reply.end,
            request: reply.request.clone(),
            what,
            outcome: reply.outcome.clone(),
        });
    }
}

fn project_path(project: Uuid) -> String {
    format!("/v1/projects/{project}")
}

fn manuscript_path([project, manuscript]: [Uuid; 2]) -> String {
    format!("{}/manuscripts/{manuscript}", project_path(project))
}

fn revision_path([project, manuscript, revision]: [Uuid; 3]) -> String {
    format!("{}/revisions/{revision}", manuscript_path([project, manuscript]))
}

fn analysis_path([project, _, _, analysis]: [Uuid; 4]) -> String {
    format!("{}/analyses/{analysis}", project_path(project))
}

fn id(value: &serde_json::Value) -> Option<Uuid> {
    value.as_str()?.parse().ok()
}
