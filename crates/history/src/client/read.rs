//! Reads things, lists and files.

use reqwest::Method;
use uuid::Uuid;

use crate::{
    history::{Class, Kind, Outcome, Violation, What},
    marker::Marker,
    plan::Step,
};

use super::{Client, Request, id, revision_path};

/// No list of one parent is as long.
const MOST_PAGES: usize = 200;

impl Client<'_> {
    pub(super) async fn get(&self, step: &Step, path: &str, thing: Uuid) {
        let reply = self.send(step, Request::new(Method::GET, path)).await;
        let title = reply.body["title"].as_str().and_then(Marker::of).map(|marker| marker.serial);
        self.record(step, &reply, What::Read { thing, title });
    }

    pub(super) async fn list_projects(&self, step: &Step) {
        let limit = step.pick % 30 + 1;
        let path = format!("/v1/projects?limit={limit}");
        let first = self.send_aside(step, Request::new(Method::GET, path)).await;
        let Some(cursor) = first.body["next_cursor"].as_str().map(str::to_owned) else { return };
        let path = format!("/v1/projects?limit={limit}&cursor={cursor}");
        let second = self.send_patiently(Request::new(Method::GET, path)).await;
        let ids = |body: &serde_json::Value| -> Vec<_> {
            let items = body["items"].as_array().into_iter().flatten();
            items.filter_map(|item| id(&item["project_id"])).collect()
        };
        let (first, second) = (ids(&first.body), ids(&second.body));
        if let Some(twice) = second.iter().find(|id| first.contains(id)) {
            let text = format!("two pages of /v1/projects show {twice}");
            self.shared.observer.report(Violation::new(Class::Twice, [*twice], text));
        }
        let mut cursors = self.world().cursors.lock().unwrap();
        cursors.push(cursor);
        // Old ones are as good as new ones, and enough is enough.
        let length = cursors.len();
        cursors.drain(..length.saturating_sub(50));
    }

    /// Walks a list to its end.
    pub(super) async fn walk(&self, step: &Step, path: &str, kind: Kind, parent: Uuid) {
        let limit = if step.pick.is_multiple_of(5) { step.pick % 7 + 1 } else { 100 };
        let field = match kind {
            Kind::Manuscript => "manuscript_id",
            Kind::Revision => "revision_id",
            _ => "analysis_id",
        };
        let mut items = Vec::new();
        let mut start = None;
        let mut next = format!("{path}?limit={limit}");
        for _ in 0..MOST_PAGES {
            let mut reply = self.send_patiently(Request::new(Method::GET, &*next)).await;
            if !reply.is_done() {
                return;
            }
            start = start.or(Some(reply.start));
            let page = reply.body["items"].as_array().into_iter().flatten();
            items.extend(page.filter_map(|item| id(&item[field])));
            if let Some(cursor) = reply.body["next_cursor"].as_str() {
                next = format!("{path}?limit={limit}&cursor={cursor}");
                continue;
            }
            reply.start = start.unwrap_or(reply.start);
            self.record(step, &reply, What::Walk { kind, parent, items });
            return;
        }
    }

    /// Downloads a file and compares it with what was uploaded.
    pub(super) async fn download(&self, step: &Step, ids: [Uuid; 3]) {
        let path = format!("{}/download", revision_path(ids));
        let reply = self.send(step, Request::new(Method::GET, &*path)).await;
        let not_stored = matches!(&reply.outcome, Outcome::Refused(why) if why.starts_with("409"));
        if !not_stored {
            self.record(step, &reply, What::Read { thing: ids[2], title: None });
        }
        let Some(url) = reply.body["url"].as_str() else { return };
        let Ok(response) = self.shared.http.get(url).send().await else { return };
        if !response.status().is_success() {
            return;
        }
        let Ok(bytes) = response.bytes().await else { return };
        self.shared.observer.see(&self.viewer(false), &bytes, true, &path);
        let written = self.shared.texts.lock().unwrap().get(&ids[2]).copied();
        if written.is_none_or(|marker| marker.text().as_bytes() != bytes) {
            let text = format!("{path} gave other bytes than {written:?} wrote");
            self.shared.observer.report(Violation::new(Class::ForeignObject, [ids[2]], text));
        }
    }
}
