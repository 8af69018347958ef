//! What was asked and what was answered: all that a client can know, from which the model judges.

use std::{fmt, fmt::Write as _};

use novelfoundry_core::Role;
use uuid::Uuid;

/// What a creation makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Project,
    Manuscript,
    Revision,
    Analysis,
    Workspace,
    Invitation,
}

/// What became of a request, as far as its client knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Acknowledged: it took effect once.
    Done,
    /// It took no effect, for this reason.
    Refused(String),
    /// It may have taken effect, or may yet.
    Unknown(String),
}

/// What a request was for.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Create {
        kind: Kind,
        /// The things it lies in, the outermost first.
        parents: Vec<Uuid>,
        /// The serial of the step that first asked for it: repeats with the key ask for the same.
        origin: u64,
        made: Option<Uuid>,
    },
    Rename {
        thing: Uuid,
        /// The version that the answer named.
        version: Option<i32>,
    },
    Delete {
        thing: Uuid,
    },
    Read {
        thing: Uuid,
        /// The serial in the title that was shown, where the thing has one.
        title: Option<u64>,
    },
    Complete {
        revision: Uuid,
        analysis: Option<Uuid>,
    },
    /// Somebody accepts an invitation; repeats of one person are one.
    Join {
        workspace: Uuid,
        person: Uuid,
        role: Role,
    },
    /// A member is given another role.
    Promote {
        workspace: Uuid,
        person: Uuid,
        role: Role,
    },
    /// A member leaves or is taken out.
    Leave {
        workspace: Uuid,
        person: Uuid,
    },
    /// A person deletes themselves.
    Erase {
        person: Uuid,
    },
    /// A whole list, walked page by page.
    Walk {
        kind: Kind,
        parent: Uuid,
        items: Vec<Uuid>,
    },
    Other,
}

/// One request and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) serial: u64,
    pub(crate) tenant: usize,
    pub(crate) user: usize,
    /// When it was sent, on the clock that all clients share.
    pub(crate) start: u64,
    /// When it was answered or given up.
    pub(crate) end: u64,
    pub(crate) request: String,
    pub(crate) what: What,
    pub(crate) outcome: Outcome,
}

impl Event {
    pub(crate) fn is_done(&self) -> bool {
        self.outcome == Outcome::Done
    }

    /// Tells whether it may have taken effect.
    pub(crate) fn may_have_happened(&self) -> bool {
        !matches!(self.outcome, Outcome::Refused(_))
    }

    /// When it had taken effect at the latest: an unanswered request may do so at any time.
    pub(crate) fn over(&self) -> u64 {
        if self.is_done() { self.end } else { u64::MAX }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { serial, tenant, user, start, end, request, what, outcome } = self;
        write!(f, "{start:>7}–{end:<7} tenant {tenant} user {user} step {serial}: {request}: ")?;
        match outcome {
            Outcome::Done => write!(f, "done")?,
            Outcome::Refused(why) => write!(f, "refused ({why})")?,
            Outcome::Unknown(why) => write!(f, "unknown ({why})")?,
        }
        if let What::Create { made: Some(made), .. } = what {
            write!(f, ", made {made}")?;
        }
        Ok(())
    }
}

/// What a violation is about: its kind decides whether a shorter history shows the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Class {
    /// An answer showed something of another workspace.
    ForeignShown,
    /// A request changed or read another workspace's thing.
    ForeignTouched,
    /// A row is not its writer's.
    ForeignRow,
    /// An object lies under another's key, or holds another's text.
    ForeignObject,
    /// A member did what their role does not allow.
    RoleIgnored,
    /// The server failed for no reason that a client could know.
    Internal,
    /// What was acknowledged is not there.
    Missing,
    /// What was asked for once is there twice.
    Twice,
    /// Nobody asked for it.
    Unasked,
    /// An answer was older than it may be, or newer.
    Stale,
    /// The counters are not what the rows add up to.
    Usage,
    /// Jobs and what they work for do not agree.
    Job,
    /// A connection or a transaction was left behind.
    LeftOpen,
}

/// Something that must not be.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) class: Class,
    /// What it is about; events that name it are shown with it.
    pub(crate) subjects: Vec<Uuid>,
    pub(crate) text: String,
}

impl Violation {
    pub(crate) fn new(class: Class, subjects: impl Into<Vec<Uuid>>, text: impl Into<String>) -> Self {
        Self { class, subjects: subjects.into(), text: text.into() }
    }

    /// Writes the violation with the events that have to do with it.
    pub(crate) fn with_events(&self, events: &[Event]) -> String {
        let mut text = format!("{:?}: {}\n", self.class, self.text);
        let named = |event: &&Event| self.subjects.iter().any(|id| touches(event, *id));
        for event in events.iter().filter(named).take(40) {
            let _ = writeln!(text, "  {event}");
        }
        text
    }
}

fn touches(event: &Event, id: Uuid) -> bool {
    let named = match &event.what {
        What::Create { parents, made, .. } => *made == Some(id) || parents.contains(&id),
        What::Rename { thing, .. } | What::Delete { thing } | What::Read { thing, .. } => *thing == id,
        What::Complete { revision, analysis } => *revision == id || *analysis == Some(id),
        What::Walk { parent, .. } => *parent == id,
        What::Join { workspace, person, .. }
        | What::Promote { workspace, person, .. }
        | What::Leave { workspace, person } => *workspace == id || *person == id,
        What::Erase { person } => *person == id,
        What::Other => false,
    };
    named || event.request.contains(&id.to_string())
}
