//! Compares what the answers allow with what was answered, and with what is there.

mod answers;
mod objects;
mod people;
mod rows;
#[cfg(test)]
mod tests;
mod work;

use uuid::Uuid;

use crate::{
    history::{Class, Event, Violation},
    model::{Cast, Model},
    snapshot::Snapshot,
};

/// Judges a history by itself and by what it left behind.
pub(crate) fn check(cast: &Cast, events: &[Event], snapshot: &Snapshot) -> Vec<Violation> {
    let (model, violations) = Model::new(cast.clone(), events);
    let mut found = Found { violations };
    answers::check(&model, events, &mut found);
    people::check(&model, snapshot, &mut found);
    rows::check(&model, snapshot, &mut found);
    work::check(&model, events, snapshot, &mut found);
    objects::check(&model, snapshot, &mut found);
    found.violations
}

/// What was found so far.
struct Found {
    violations: Vec<Violation>,
}

impl Found {
    fn add(&mut self, class: Class, subjects: impl Into<Vec<Uuid>>, text: impl Into<String>) {
        self.violations.push(Violation::new(class, subjects, text));
    }

    fn unless(&mut self, holds: bool, class: Class, subject: Uuid, text: impl FnOnce() -> String) {
        if !holds {
            self.add(class, [subject], text());
        }
    }
}
