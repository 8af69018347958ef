//! Being asked to stop: once means in order, Ctrl-C again means now.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
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
    // `nohup` asks to be left alone when the terminal ends; listening would undo that.
    let mut hangup =
        if ignores_hangup() { None } else { Some(signal(SignalKind::hangup()).map_err(failed)?) };
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = received(hangup.as_mut()) => {}
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

async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Tells whether the process was started with the end of the terminal ignored, where the system says so in /proc.
fn ignores_hangup() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| hangup_in(&status))
}

/// Reads the mask of ignored signals, in which hangup, signal 1, is the lowest bit.
fn hangup_in(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        assert!(hangup_in("SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"));
        assert!(!hangup_in("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\n"));
        assert!(!hangup_in("SigIgn:\tx\n") && !hangup_in(""));
    }
}
