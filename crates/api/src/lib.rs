//! The HTTP API: JSON under `/v1`, described by OpenAPI, with every failure a problem document.
//!
//! It is stateless and never touches a document's bytes: files go between client and object store by signed URL.

mod accounts;
mod auth;
mod cursor;
mod docs;
mod document;
mod etag;
mod idempotency;
pub mod invitation_mail;
mod invitation_page;
mod json;
mod middleware;
mod page;
mod problem;
mod routes;
mod server;
mod wake;

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use novelfoundry_core::{Clock, IdSource};
use novelfoundry_database::{ControlDb, TenantDb, workspaces::Deletion};
use novelfoundry_identity::Verifier;
use novelfoundry_mail::Mailer;
use novelfoundry_objects::Store;

pub use accounts::{Accounts, Answer};
pub use invitation_page::SignIn;
pub use routes::{openapi, router};
pub use server::serve;

/// Everything a request may need.
pub struct Api {
    /// The tenant transactions.
    pub tenant: TenantDb,
    /// The directory and the job table.
    pub control: ControlDb,
    /// Signs URLs and asks the object store.
    pub store: Store,
    /// Checks bearer tokens.
    pub verifier: Verifier,
    /// Sends invitations.
    pub mailer: Mailer,
    /// Makes ids.
    pub ids: IdSource,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The people's accounts, where the issuer is embedded.
    pub accounts: Option<Arc<dyn Accounts>>,
    /// What an operator chose.
    pub settings: Settings,
}

/// What an operator chooses about the API.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where clients reach the API, without a slash at the end.
    pub public_url: String,
    /// The origins whose pages may call it.
    pub allowed_origins: Vec<String>,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// How long an upload ticket is good.
    pub upload_expiry: Duration,
    /// How long a download URL is good.
    pub download_expiry: Duration,
    /// How long after a deletion its files are kept, so that a copy of the database taken meanwhile still finds them.
    pub purge_after: Duration,
    /// What the page of an invitation offers.
    pub sign_in: SignIn,
    /// The program's version.
    pub version: &'static str,
}

/// The state shared by all requests.
#[derive(Clone)]
pub(crate) struct State(Arc<Inner>);

pub(crate) struct Inner {
    api: Api,
    base_path: String,
    wake: wake::Wake,
}

impl State {
    fn new(api: Api) -> Self {
        let wake = wake::Wake::new(api.control.clone());
        let public: http::Uri = api.settings.public_url.parse().unwrap_or_default();
        let base_path = public.path().trim_end_matches('/').to_owned();
        Self(Arc::new(Inner { api, base_path, wake }))
    }

    /// The path that a proxy takes off before a request arrives here: that of the public URL, empty where it has none.
    pub(crate) fn base_path(&self) -> &str {
        &self.0.base_path
    }

    /// Tells when the files of what is deleted now are to be purged.
    pub(crate) fn purge_at(&self) -> Timestamp {
        let now = self.clock.now();
        SignedDuration::try_from(self.settings.purge_after)
            .ok()
            .and_then(|wait| now.checked_add(wait).ok())
            .unwrap_or(now)
    }

    /// Plans the deletion of a workspace now.
    pub(crate) fn deletion(&self) -> Deletion {
        Deletion::plan(&self.ids, self.clock.now(), self.settings.purge_after)
    }

    /// Wakes the workers, after the commit of what they are to do.
    pub(crate) fn wake_workers(&self) {
        self.0.wake.signal();
    }
}

impl std::ops::Deref for State {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.0.api
    }
}
