//! The same question in two worlds, with and without the other tenants: who is isolated gets the same answer.

use super::{Hunt, reads, stage::Actor};
use crate::{
    catalog::RelationKind,
    finding::{TenantContext, Verb},
    rules,
    session::SessionError,
};

/// Asks every view and the like in both worlds; a table's rows are looked at themselves.
pub(super) async fn run(hunt: &mut Hunt) -> Result<(), SessionError> {
    for relation in hunt.stage.targets() {
        if relation.is_table() || relation.kind == RelationKind::Foreign || hunt.spent() {
            continue;
        }
        let object = relation.object();
        if !hunt.stage.may(&relation, "SELECT") || hunt.has(&object) || hunt.unbound().is_some() {
            continue;
        }
        hunt.count(&object, Verb::Select, TenantContext::Tenant, "world without");
        let statements = vec![reads::select_all(&hunt.stage, &relation)];
        let passes_on =
            relation.reads.iter().any(|base| hunt.read_leaks.contains(&(*base, TenantContext::Tenant)));
        if !passes_on && hunt.interferes(&statements).await? {
            let evidence = "the answer is another one where the other tenants' rows do not exist";
            hunt.leak(
                &rules::INTERFERES,
                relation.oid,
                &object,
                Verb::Select,
                TenantContext::Tenant,
                &statements,
                evidence,
            );
        }
    }
    Ok(())
}

impl Hunt {
    /// Tells whether the attacker's answer depends on rows of the victim's or the neighbours'.
    pub(crate) async fn interferes(&mut self, statements: &[String]) -> Result<bool, SessionError> {
        let told = |outcome: &super::stage::Outcome| {
            let mut rows = outcome.last().map(|answer| answer.rows.clone()).unwrap_or_default();
            rows.sort();
            (outcome.refusal.as_ref().map(|refusal| (refusal.code.clone(), refusal.message.clone())), rows)
        };
        let with = self.stage.attempt(Actor::Attacker, statements, None).await?;
        let without = self.stage.without_victims(statements).await?;
        if told(&with) == told(&without) {
            return Ok(false);
        }
        // What differs from one time to the next in the same world tells nothing.
        let again = self.stage.attempt(Actor::Attacker, statements, None).await?;
        let without_again = self.stage.without_victims(statements).await?;
        Ok(told(&with) == told(&again) && told(&without) == told(&without_again))
    }
}
