//! Being asked to stop: once means in order, Ctrl-C again means now.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::output::{Failure, Output};

/// The status a shell shows for a program ended by an interrupt.
const INTERRUPTED: i32 = 130;
/// One wish to stop may come as several signals: `timeout` sends one to the process and one to its group.
const ONE_WISH: Duration = Duration::from_secs(1);

/// Returns the token that Ctrl-C, SIGTERM and the end of the terminal cancel. Ctrl-C after that ends the process at once;
/// what it supervises ends with it.
pub(crate) fn token(output: Output) -> Result<CancellationToken, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new("Signals cannot be received", "Try again; if it comes back, restart the machine.")
            .because(error)
    };
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        cancelled.cancel();
        output.say("Stopping; Ctrl-C again stops at once.");
        let wished = tokio::time::Instant::now();
        loop {
            interrupt.recv().await;
            if wished.elapsed() > ONE_WISH {
                std::process::exit(INTERRUPTED);
            }
        }
    });
    Ok(token)
}
