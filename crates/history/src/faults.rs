//! Lets the planned faults strike while the clients work.

use std::time::Duration;

use tokio::{sync::watch, time::timeout};

use crate::{
    plan::Fault,
    random::Random,
    system::{Due, System},
};

/// How long a line is cut at COMMITs where fewer come than are to be cut.
const CUTTING: Duration = Duration::from_millis(400);

/// Runs until the last fault has struck, and returns how many have hit something; `done` counts the steps that were taken.
pub(crate) async fn strike(
    system: &System,
    faults: &[(usize, Fault)],
    steps: usize,
    mut done: watch::Receiver<usize>,
    seed: u64,
) -> usize {
    let mut random = Random::new(seed ^ 0xfa17);
    let mut hits = 0;
    for (thousandth, fault) in faults {
        let due = steps * thousandth / 1000;
        if done.wait_for(|done| *done >= due).await.is_err() {
            break;
        }
        let hit = match fault {
            Fault::KillBackends => system.kill_backends(1 + random.below(6)).await,
            Fault::CutAtCommit => {
                cut(system, 1 + random.below(4), |cut| system.proxy.cut_at_commit(cut)).await
            }
            Fault::CutBeforeCommit => {
                cut(system, 1 + random.below(4), |cut| system.proxy.cut_before_commit(cut)).await
            }
            Fault::CrashDatabase => {
                system.crash_database().await;
                true
            }
            Fault::RestartApi => {
                system.restart_api().await;
                true
            }
            Fault::RestartWorker => {
                system.restart_worker().await;
                true
            }
            Fault::RestartStore => {
                system.restart_store().await;
                true
            }
            Fault::TimePasses => {
                system.hurry(Due::AmidRequests).await;
                false
            }
        };
        hits += usize::from(hit);
    }
    hits
}

async fn cut(system: &System, lines: usize, set: impl Fn(bool)) -> bool {
    let before = system.proxy.commits_swallowed();
    let enough = before + lines;
    set(true);
    let cutting = async {
        while system.proxy.commits_swallowed() < enough {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let _ = timeout(CUTTING, cutting).await;
    set(false);
    system.proxy.commits_swallowed() > before
}
