//! What can be seen after a first step: several looks, of which each is taken back before the next.

use std::collections::HashSet;

use crate::{
    attack::{
        Hunt,
        links::Link,
        reads,
        stage::{Actor, Stage, Tenant, setting_of},
    },
    catalog::Relation,
    infer::settings_read,
    session::{Answer, Refusal, SessionError, identifier, literal},
};

/// What was seen.
pub(super) struct Seen {
    /// The refusal of a first step.
    pub(super) refusal: Option<Refusal>,
    /// What each look brought.
    pub(super) looks: Vec<Result<Answer, Refusal>>,
}

impl Stage {
    /// Takes first steps as the attacker, then looks; a look that is refused does not end the others.
    pub(super) async fn looks(&mut self, first: &[String], looks: &[String]) -> Result<Seen, SessionError> {
        self.looks_in(&[], first, looks).await
    }

    /// Does so in a world where the superuser has changed something before.
    pub(super) async fn looks_in(
        &mut self,
        before: &[String],
        first: &[String],
        looks: &[String],
    ) -> Result<Seen, SessionError> {
        self.attempts += 1;
        let mut script = vec!["begin".to_owned()];
        script.extend(before.iter().cloned());
        script.push("set constraints all immediate".to_owned());
        script.extend(self.enter(Actor::Attacker));
        script.extend(first.iter().cloned());
        let begun = script.len();
        for look in looks {
            script.extend(["savepoint nf_look".to_owned(), look.clone(), "rollback to nf_look".to_owned()]);
        }
        script.push("rollback".to_owned());
        let mut results = self.used.try_run_all(&script).await?;
        self.used.heard();
        let behind = results.split_off(begun.min(results.len()));
        let refusal = results.into_iter().find_map(Result::err);
        let looks = if refusal.is_some() {
            Vec::new()
        } else {
            behind.into_iter().skip(1).step_by(3).take(looks.len()).collect()
        };
        Ok(Seen { refusal, looks })
    }
}

/// Where something of another's is seen that was not seen before.
pub(super) struct Shows {
    pub(super) relation: Relation,
    pub(super) query: String,
    /// The row is the attacker's own, and says what another's says.
    pub(super) own: bool,
}

/// What the attacker sees of others before anything was done.
pub(super) struct Before {
    /// The relations that can be read, with what reads them.
    pub(super) readable: Vec<(Relation, String)>,
    /// The tenants that there are, but the attacker.
    others: HashSet<String>,
    /// Rows of others that are visible anyway.
    visible: HashSet<(u32, Vec<Option<String>>)>,
    /// Asks in what context one is.
    pub(super) context: String,
    /// The attacker's own.
    entered: Option<String>,
}

impl Before {
    /// Looks at everything that the attacker can read.
    pub(super) async fn take(hunt: &mut Hunt) -> Result<Self, SessionError> {
        let readable: Vec<(Relation, String)> = hunt
            .stage
            .targets()
            .into_iter()
            .filter(|relation| hunt.readable.contains(&relation.oid))
            .map(|relation| {
                let query = reads::select_all(&hunt.stage, &relation);
                (relation, query)
            })
            .collect();
        let mut others = HashSet::new();
        let tied: Vec<String> = hunt
            .stage
            .targets()
            .iter()
            .filter(|relation| relation.is_table() && !relation.partition)
            .filter_map(|relation| match hunt.stage.links.get(&relation.oid) {
                Some(Link::Tenant(column)) => Some(format!(
                    "select distinct {c}::text from {} where {c} is not null limit 200",
                    relation.quoted(),
                    c = identifier(column)
                )),
                _ => None,
            })
            .collect();
        for query in tied {
            let rows = hunt.stage.used.run(&query).await?.rows;
            others.extend(rows.into_iter().filter_map(|row| row.into_iter().next()?));
        }
        others.remove(&hunt.stage.attacker.id);
        let context = context(hunt);
        let mut before = Self { readable, others, visible: HashSet::new(), context, entered: None };
        let mut looks = vec![before.context.clone()];
        looks.extend(before.queries());
        let seen = hunt.stage.looks(&[], &looks).await?;
        before.entered = value(seen.looks.first());
        for ((relation, _), look) in before.readable.iter().zip(seen.looks.iter().skip(1)) {
            let Ok(answer) = look else { continue };
            before.visible.extend(answer.rows.iter().map(|row| (relation.oid, row.clone())));
        }
        Ok(before)
    }

    /// Returns what reads everything.
    pub(super) fn queries(&self) -> Vec<String> {
        self.readable.iter().map(|(_, query)| query.clone()).collect()
    }

    /// Tells whether the context is another one.
    pub(super) fn is_left(&self, look: Option<&Result<Answer, Refusal>>) -> bool {
        value(look) != self.entered
    }

    /// Tells whether one of the arguments is what only others' rows say.
    pub(super) fn names_another(&self, hunt: &Hunt, arguments: &[String]) -> bool {
        let said = |tenant: &Tenant, argument: &str| {
            hunt.seeds.rows.iter().filter(|((_, id), _)| *id == tenant.id).any(|(_, rows)| {
                rows.iter().flat_map(|row| row.values()).flatten().any(|value| literal(value) == argument)
            })
        };
        arguments.iter().any(|argument| {
            self.others.iter().any(|id| argument.contains(&literal(id)))
                || hunt.stage.foreign().any(|tenant| said(tenant, argument))
                    && !said(&hunt.stage.attacker, argument)
        })
    }

    /// Tells whether the same is seen where the victim's rows are not: it was made of what was asked, then.
    pub(super) async fn shows_anyway(
        &self,
        hunt: &mut Hunt,
        first: &[String],
        asked: &str,
    ) -> Result<bool, SessionError> {
        let world = hunt.stage.without_victim();
        let seen = hunt.stage.looks_in(&world, first, &self.queries()).await?;
        Ok(self.shows(hunt, &seen.looks, asked).is_some_and(|shows| shows.own))
    }

    /// Finds a relation that shows rows of anybody else's which it did not show before.
    pub(super) fn shows(&self, hunt: &Hunt, looks: &[Result<Answer, Refusal>], asked: &str) -> Option<Shows> {
        for ((relation, query), look) in self.readable.iter().zip(looks) {
            let Ok(answer) = look else { continue };
            let column = match hunt.stage.links.get(&relation.oid) {
                Some(Link::Tenant(column)) => Some(column.as_str()),
                _ => hunt.stage.subject.tenant_column.as_deref(),
            };
            let is_text = |name: &str| {
                let column = relation.column_named(name);
                let kind = column.and_then(|column| hunt.stage.catalog.base_type(column.type_oid));
                kind.is_some_and(|kind| kind.category == "S")
            };
            let at = column.and_then(|name| answer.columns.iter().position(|other| other == name));
            let seen = answer.rows.iter().find_map(|row| {
                let whose = at.and_then(|at| row[at].as_deref());
                let own = whose == Some(hunt.stage.attacker.id.as_str());
                // A row of one's own that has come to say what only another's says was copied from there. Numbers and
                // times come back in another form than they were written in.
                let mut cells = answer.columns.iter().zip(row).filter(|(name, _)| !own || is_text(name));
                let theirs = whose.is_some_and(|id| self.others.contains(id))
                    || cells.any(|(_, cell)| {
                        cell.as_deref().is_some_and(|cell| hunt.tokens.in_text(cell, asked).is_some())
                    });
                let new = theirs && !self.visible.contains(&(relation.oid, row.clone()));
                new.then_some(own)
            });
            if let Some(own) = seen {
                return Some(Shows { relation: relation.clone(), query: query.clone(), own });
            }
        }
        None
    }
}

fn value(look: Option<&Result<Answer, Refusal>>) -> Option<String> {
    look?.as_ref().ok()?.value().map(ToOwned::to_owned)
}

/// Writes the query that tells in what context one is.
fn context(hunt: &Hunt) -> String {
    let catalog = &hunt.stage.catalog;
    let mut names: Vec<String> =
        hunt.stage.subject.context.iter().filter_map(|text| setting_of(text)).collect();
    names.extend(catalog.policies.iter().flat_map(|policy| settings_read(&catalog.policy_text(policy))));
    names.sort();
    names.dedup();
    let mut parts = vec!["current_user::text".to_owned()];
    parts.extend(names.iter().map(|name| format!("coalesce(current_setting({}, true), '')", literal(name))));
    format!("select concat_ws('|', {})", parts.join(", "))
}
