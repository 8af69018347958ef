//! What each kind of caller is to be answered, by rule from the table of operations.

use novelfoundry_core::{Access, Operation as Row, Role};

use crate::things::Operation;

/// A kind of caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    NoToken,
    Expired,
    /// The owner, with a token that names no workspace.
    NoWorkspace,
    /// The owner of another workspace.
    Stranger,
    /// Somebody who was a member when the token was signed.
    Removed,
    Member(Role),
}

impl Cell {
    pub(super) const ALL: &'static [Self] = &[
        Self::NoToken,
        Self::Expired,
        Self::NoWorkspace,
        Self::Stranger,
        Self::Removed,
        Self::Member(Role::Viewer),
        Self::Member(Role::Editor),
        Self::Member(Role::Owner),
    ];
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Allowed,
    /// With a status and a code.
    Refused(u16, String),
}

/// An operation that answers a caller otherwise than the rule has it: which, and with what status and code; none where
/// it is allowed.
type Exception = (&'static str, Cell, Option<(u16, &'static str)>);

/// It may only shrink. One that the rule covers, or that names no operation, fails the test.
const EXCEPTIONS: &[Exception] = &[
    // Everybody may take themselves out, and only an owner somebody else.
    ("members.delete", Cell::Member(Role::Viewer), Some((403, "role-too-low"))),
    ("members.delete", Cell::Member(Role::Editor), Some((403, "role-too-low"))),
    // Others are left behind without an owner.
    ("me.delete", Cell::NoWorkspace, Some((409, "last-owner"))),
    ("me.delete", Cell::Member(Role::Owner), Some((409, "last-owner"))),
    // Who repeats the deletion is no member any more, and is told what a repeated deletion is told.
    ("tenants.delete", Cell::Removed, Some((404, "tenant-not-found"))),
];

const _: () = assert!(EXCEPTIONS.len() <= 5, "the list of exceptions may only shrink: find another rule");

fn excepted((.., answer): &Exception) -> Outcome {
    answer.map_or(Outcome::Allowed, |(status, code)| refused(status, code))
}

fn refused(status: u16, code: &str) -> Outcome {
    Outcome::Refused(status, code.to_owned())
}

pub(super) fn outcome(operation: &Operation, cell: Cell) -> Outcome {
    let exception = EXCEPTIONS.iter().find(|(id, except, _)| *id == operation.id && *except == cell);
    exception.map_or_else(|| by_rule(operation, cell), excepted)
}

fn by_rule(operation: &Operation, cell: Cell) -> Outcome {
    let row = Row::at(operation.method.as_str(), &operation.template);
    let Some(row) = row else { unreachable!("{} is not in the table of operations", operation.id) };
    match (row.access(), cell) {
        (Access::Public, _) => Outcome::Allowed,
        (_, Cell::NoToken) => refused(401, "unauthenticated"),
        (_, Cell::Expired) => refused(401, "invalid-token"),
        (Access::Member(_), Cell::NoWorkspace) => refused(403, "no-workspace"),
        (Access::Member(_), Cell::Removed) => refused(403, "not-a-member"),
        (Access::Member(minimum), Cell::Member(role)) if role < minimum => refused(403, "role-too-low"),
        (_, Cell::Member(_)) | (Access::Person, Cell::NoWorkspace) => Outcome::Allowed,
        (_, Cell::Stranger | Cell::Removed) => missing(operation),
    }
}

/// Whoever names another's thing is told that it is missing, by the code that the document lists first; where nothing
/// is named there is nothing to refuse.
fn missing(operation: &Operation) -> Outcome {
    if operation.path_parameters().is_empty() {
        return Outcome::Allowed;
    }
    let description = operation.document["responses"]["404"]["description"].as_str().unwrap_or_default();
    refused(404, description.split('`').nth(1).unwrap_or("(no 404 is documented)"))
}

/// Fails where an exception has nothing left to except.
pub(super) fn no_exception_is_stale(operations: &[Operation]) {
    for exception in EXCEPTIONS {
        let (id, cell, _) = exception;
        let operation = operations.iter().find(|operation| operation.id == *id);
        let Some(operation) = operation else { unreachable!("the exception {id} names no operation") };
        assert_ne!(
            by_rule(operation, *cell),
            excepted(exception),
            "the rule says the same of {id} by {cell:?}"
        );
    }
}
