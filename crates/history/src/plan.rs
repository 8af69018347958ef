//! What is to happen, made from a seed: each client's steps, and the faults between them. A step names what it works on
//! by a number that picks among what is there, so that a plan stays a plan when steps are taken out of it.

use std::{collections::BTreeSet, time::Duration};

use crate::random::Random;

/// The size of a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) clients: usize,
    pub(crate) operations: usize,
    /// Whether the database server may be crashed.
    pub(crate) crashes: bool,
}

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    CreateProject,
    GetProject,
    ListProjects,
    RenameProject,
    DeleteProject,
    CreateManuscript,
    GetManuscript,
    ListManuscripts,
    RenameManuscript,
    DeleteManuscript,
    /// Asks for a ticket, PUTs, completes: all of it, mostly.
    Upload,
    Complete,
    Download,
    GetRevision,
    ListRevisions,
    Analyze,
    GetAnalysis,
    ListAnalyses,
    DeleteAnalysis,
    /// Sends an earlier creation again, with its key.
    Repeat,
    /// Sends another body with an earlier key.
    Misuse,
    /// Tries another workspace's thing.
    Probe,
    /// Goes on in another workspace's list.
    ForeignCursor,
    Me,
    Activate,
    /// Makes a workspace; of some, all is deleted again.
    Workspace,
    /// An owner invites somebody, who comes, works, and mostly goes again.
    Visit,
    /// Somebody comes, has a workspace of their own too, and deletes themselves.
    Erase,
}

const WEIGHTS: [(Action, usize); 28] = [
    (Action::CreateProject, 50),
    (Action::GetProject, 90),
    (Action::ListProjects, 30),
    (Action::RenameProject, 60),
    (Action::DeleteProject, 18),
    (Action::CreateManuscript, 70),
    (Action::GetManuscript, 90),
    (Action::ListManuscripts, 40),
    (Action::RenameManuscript, 60),
    (Action::DeleteManuscript, 22),
    (Action::Upload, 80),
    (Action::Complete, 30),
    (Action::Download, 40),
    (Action::GetRevision, 50),
    (Action::ListRevisions, 30),
    (Action::Analyze, 25),
    (Action::GetAnalysis, 50),
    (Action::ListAnalyses, 20),
    (Action::DeleteAnalysis, 15),
    (Action::Repeat, 40),
    (Action::Misuse, 15),
    (Action::Probe, 90),
    (Action::ForeignCursor, 10),
    (Action::Me, 15),
    (Action::Activate, 10),
    (Action::Workspace, 3),
    (Action::Visit, 8),
    (Action::Erase, 3),
];

/// What befalls the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Backends of the runtime logins are terminated.
    KillBackends,
    /// Connections are lost after the server has committed.
    CutAtCommit,
    /// Connections are lost before the server sees COMMIT.
    CutBeforeCommit,
    /// The database server ends at once and recovers.
    CrashDatabase,
    RestartApi,
    RestartWorker,
    RestartStore,
    /// Every waiting job is due: retries, and uploads that were not completed.
    TimePasses,
}

const FAULTS: [(Fault, usize); 7] = [
    (Fault::KillBackends, 30),
    (Fault::CutAtCommit, 30),
    (Fault::CutBeforeCommit, 15),
    (Fault::RestartApi, 8),
    (Fault::RestartWorker, 12),
    (Fault::RestartStore, 5),
    (Fault::TimePasses, 10),
];

/// The supervisor gives a server up that ends too often within two minutes.
const MOST_CRASHES: usize = 2;

/// One step of a client.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Unique in the history.
    pub(crate) serial: u64,
    pub(crate) action: Action,
    /// Whether a creation has an idempotency key.
    pub(crate) keyed: bool,
    /// When the client hangs up, where it does not wait.
    pub(crate) patience: Option<Duration>,
    /// Picks what the step works on, and its variant.
    pub(crate) pick: u64,
}

/// A whole history to be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) clients: Vec<Vec<Step>>,
    /// Each with the thousandth of all steps after which it strikes.
    pub(crate) faults: Vec<(usize, Fault)>,
    /// Whether deleted things are purged at once, amid everything, or only at the end.
    pub(crate) purge_soon: bool,
}

impl Plan {
    pub(crate) fn new(seed: u64, shape: Shape) -> Self {
        let mut random = Random::new(seed);
        let mut clients = vec![Vec::new(); shape.clients];
        for serial in 0..shape.operations {
            let step = Step {
                serial: u64::try_from(serial).unwrap_or(u64::MAX),
                action: weighted(&mut random, &WEIGHTS),
                keyed: !random.one_in(5),
                patience: random
                    .one_in(12)
                    .then(|| Duration::from_micros(u64::try_from(random.below(25_000)).unwrap_or(0))),
                pick: random.next(),
            };
            clients[random.below(shape.clients)].push(step);
        }
        let count = (shape.operations / 400).clamp(8, 250);
        let mut faults: Vec<_> =
            (0..count).map(|_| (random.below(1000), weighted(&mut random, &FAULTS))).collect();
        if shape.crashes {
            faults.extend((0..MOST_CRASHES).map(|_| (random.below(900), Fault::CrashDatabase)));
        }
        faults.sort_by_key(|(at, _)| *at);
        Self { clients, faults, purge_soon: random.one_in(2) }
    }

    pub(crate) fn steps(&self) -> usize {
        self.clients.iter().map(Vec::len).sum()
    }

    /// Returns how many parts can be left out: steps and faults.
    pub(crate) fn parts(&self) -> usize {
        self.steps() + self.faults.len()
    }

    /// Returns the plan with only these of its parts.
    pub(crate) fn only(&self, kept: &BTreeSet<usize>) -> Self {
        let mut part = 0..;
        let mut keep = || part.next().is_some_and(|part| kept.contains(&part));
        let clients =
            self.clients.iter().map(|steps| steps.iter().filter(|_| keep()).cloned().collect()).collect();
        let faults = self.faults.iter().filter(|_| keep()).copied().collect();
        Self { clients, faults, purge_soon: self.purge_soon }
    }
}

fn weighted<T: Copy>(random: &mut Random, choices: &[(T, usize)]) -> T {
    let mut at = random.below(choices.iter().map(|(_, weight)| weight).sum());
    for (choice, weight) in choices {
        if at < *weight {
            return *choice;
        }
        at -= weight;
    }
    choices[0].0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHAPE: Shape = Shape { clients: 5, operations: 300, crashes: true };

    proptest! {
        #[test]
        fn a_seed_always_gives_the_same_plan(seed: u64) {
            let (one, other) = (Plan::new(seed, SHAPE), Plan::new(seed, SHAPE));
            prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
            prop_assert_eq!(one.steps(), 300);
        }

        #[test]
        fn parts_are_left_out_and_nothing_else_changes(seed: u64, kept: BTreeSet<u8>) {
            let plan = Plan::new(seed, SHAPE);
            let kept: BTreeSet<_> = kept.into_iter().map(usize::from).collect();
            let part = plan.only(&kept);
            prop_assert_eq!(part.parts(), kept.len());
            prop_assert_eq!(plan.only(&(0..plan.parts()).collect()).parts(), plan.parts());
            for (steps, all) in part.clients.iter().zip(&plan.clients) {
                let whole: BTreeSet<_> = all.iter().map(|step| step.serial).collect();
                prop_assert!(steps.iter().all(|step| whole.contains(&step.serial)));
            }
        }
    }

    #[test]
    fn every_action_and_every_fault_happens() {
        let plan = Plan::new(1, Shape { operations: 40_000, ..SHAPE });
        let done: Vec<_> = plan.clients.iter().flatten().map(|step| step.action).collect();
        assert!(WEIGHTS.iter().all(|(action, _)| done.contains(action)));
        assert!(FAULTS.iter().all(|(fault, _)| plan.faults.iter().any(|(_, planned)| planned == fault)));
    }
}
