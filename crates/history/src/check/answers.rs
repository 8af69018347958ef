//! Answers against one another: nobody is shown what was gone, or is told that something is gone which is not.

use std::collections::HashMap;

use uuid::Uuid;

use crate::{
    history::{Class, Event, Kind, Outcome, What},
    model::{Made, Model},
};

use super::Found;

pub(super) fn check(model: &Model, events: &[Event], found: &mut Found) {
    let mut inside: HashMap<(Kind, Uuid), Vec<(Uuid, &Made)>> = HashMap::new();
    for (id, made) in &model.made {
        for parent in &made.parents {
            inside.entry((made.kind, *parent)).or_default().push((*id, made));
        }
    }
    for event in events {
        match &event.what {
            What::Read { thing, title } => {
                let Some(made) = model.made.get(thing) else { continue };
                let missing = matches!(&event.outcome, Outcome::Refused(why) if why.starts_with("404"));
                if missing && made.since < event.start && !model.may_be_gone(*thing, &made.parents, event.end)
                {
                    let text = format!("{thing} was said to be missing: {event}");
                    found.add(Class::Missing, [*thing], text);
                }
                if event.is_done() && model.must_be_gone(*thing, &made.parents, event.start) {
                    found.add(
                        Class::Stale,
                        [*thing],
                        format!("{thing} was shown when it was deleted: {event}"),
                    );
                }
                if let Some(title) = title.filter(|_| event.is_done()) {
                    found.unless(
                        model.may_show(*thing, title, event.start, event.end),
                        Class::Stale,
                        *thing,
                        || format!("{thing} was shown as step {title} left it: {event}"),
                    );
                }
            }
            What::Walk { kind, parent, items } if event.is_done() => {
                let mut once = items.clone();
                once.sort_unstable();
                once.dedup();
                if once.len() != items.len() {
                    found.add(Class::Twice, [*parent], format!("a list shows an item twice: {event}"));
                }
                for item in items {
                    let Some(made) = model.made.get(item) else { continue };
                    found.unless(made.parents.contains(parent), Class::Unasked, *item, || {
                        format!("{item} is in the list of {parent}: {event}")
                    });
                    found.unless(
                        !model.must_be_gone(*item, &made.parents, event.start),
                        Class::Stale,
                        *item,
                        || format!("{item} was listed when it was deleted: {event}"),
                    );
                }
                let due = inside.get(&(*kind, *parent)).map_or(&[][..], Vec::as_slice);
                for (id, made) in due.iter().filter(|(_, made)| made.since < event.start) {
                    let listed = items.contains(id) || model.may_be_gone(*id, &made.parents, event.end);
                    found.unless(listed, Class::Missing, *id, || format!("{id} is not listed: {event}"));
                }
            }
            _ => {}
        }
    }
}
