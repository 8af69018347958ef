//! Hears of new jobs, so that an idle worker need not wait for its next look.

use std::{convert::Infallible, sync::Arc, time::Duration};

use novelfoundry_database::{ControlDb, jobs::Signals};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use crate::backoff::Backoff;

/// A connection that lasted this long was a good one.
const GOOD: Duration = Duration::from_secs(30);

/// Listens on a connection of its own and passes on each signal; connects again where it is lost.
pub(crate) async fn listen(control: ControlDb, wake: Arc<Notify>) -> Infallible {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
    loop {
        let started = Instant::now();
        match Signals::listen(&control).await {
            Ok(mut signals) => {
                // A signal may have been missed in between.
                wake.notify_one();
                while signals.next().await.is_some() {
                    wake.notify_one();
                }
                tracing::debug!("the connection that hears of jobs was lost");
            }
            Err(error) => tracing::debug!(%error, "new jobs are not heard of, only polled for"),
        }
        if started.elapsed() > GOOD {
            backoff.reset();
        }
        sleep(backoff.next()).await;
    }
}
