//! Wakes workers after commits, many of them with one NOTIFY: each would take a lock of the whole database.

use std::{sync::Arc, time::Duration};

use novelfoundry_database::{ControlDb, jobs};
use tokio::sync::Notify;

const AT_MOST_EVERY: Duration = Duration::from_millis(50);

/// A wake-up for the workers that is sent soon, once for all who asked.
pub(crate) struct Wake(Arc<Notify>);

impl Wake {
    pub(crate) fn new(control: ControlDb) -> Self {
        let notify = Arc::new(Notify::new());
        let weak = Arc::downgrade(&notify);
        tokio::spawn(async move {
            while let Some(notify) = weak.upgrade() {
                // Wakes up now and then to see whether anybody is left to ask.
                let asked = tokio::time::timeout(Duration::from_mins(1), notify.notified()).await;
                drop(notify);
                if asked.is_ok() {
                    // Workers poll too: a lost wake-up costs a moment, not a job.
                    if let Err(error) = jobs::wake(&control).await {
                        tracing::debug!(%error, "workers were not woken");
                    }
                    tokio::time::sleep(AT_MOST_EVERY).await;
                }
            }
        });
        Self(notify)
    }

    pub(crate) fn signal(&self) {
        self.0.notify_one();
    }
}
