//! Attempts: statements played as somebody, what came of them, and everything taken back.

use super::{Actor, Outcome, Stage, changed, render};
use crate::session::SessionError;

/// How it is seen whether the victim's rows changed.
enum Watch<'a> {
    /// Nobody looks.
    Nothing,
    /// By a fingerprint that was taken before.
    Against(&'a str),
    /// By one taken in the world that the attempt is played in.
    World,
}

impl Stage {
    /// Plays statements as somebody and takes everything back; with `watch` it looks whether the victim's rows are as
    /// they were.
    pub(in crate::attack) async fn attempt(
        &mut self,
        actor: Actor,
        statements: &[String],
        watch: Option<&str>,
    ) -> Result<Outcome, SessionError> {
        self.attempt_after(&[], actor, statements, watch).await
    }

    /// Plays statements as somebody after some of the superuser's, and takes everything back.
    pub(in crate::attack) async fn attempt_after(
        &mut self,
        before: &[String],
        actor: Actor,
        statements: &[String],
        watch: Option<&str>,
    ) -> Result<Outcome, SessionError> {
        self.play(before, actor, statements, watch.map_or(Watch::Nothing, Watch::Against)).await
    }

    /// Plays statements as somebody in a world where the superuser has changed something before, and looks whether they
    /// change the victim's rows there.
    pub(in crate::attack) async fn attempt_in(
        &mut self,
        before: &[String],
        actor: Actor,
        statements: &[String],
    ) -> Result<Outcome, SessionError> {
        self.play(before, actor, statements, Watch::World).await
    }

    /// Plays statements as the attacker in a world without the victim's and the neighbours' rows.
    pub(in crate::attack) async fn without_victims(
        &mut self,
        statements: &[String],
    ) -> Result<Outcome, SessionError> {
        self.play(&self.without_victim(), Actor::Attacker, statements, Watch::Nothing).await
    }

    async fn play(
        &mut self,
        before: &[String],
        actor: Actor,
        statements: &[String],
        watch: Watch<'_>,
    ) -> Result<Outcome, SessionError> {
        self.attempts += 1;
        let mut script = vec!["begin".to_owned()];
        script.extend(before.iter().cloned());
        let taken = script.len();
        if matches!(watch, Watch::World) {
            script.push(self.fingerprint.clone());
        }
        // What is deferred would be told only at the end, which never comes.
        script.push("set constraints all immediate".to_owned());
        script.extend(self.enter(actor));
        let first = script.len();
        script.extend(statements.iter().cloned());
        let behind = script.len();
        if !matches!(watch, Watch::Nothing) {
            script.push("reset session authorization".to_owned());
            script.push("set local statement_timeout = 0".to_owned());
            script.push(self.fingerprint.clone());
        }
        script.push("rollback".to_owned());
        let session = if actor == Actor::Unset { &mut self.fresh } else { &mut self.used };
        session.heard();
        let results = session.try_run_all(&script).await?;
        let mut outcome = Outcome { heard: session.heard(), ..Outcome::default() };
        let mut baseline = match watch {
            Watch::Against(baseline) => baseline.to_owned(),
            _ => String::new(),
        };
        for (index, result) in results.into_iter().enumerate().take(script.len() - 1) {
            match result {
                Ok(answer) if (first..behind).contains(&index) => outcome.answers.push(answer),
                Ok(answer) if index == taken && matches!(watch, Watch::World) => baseline = render(&answer),
                Ok(answer) if index == behind + 2 => outcome.changed = changed(&baseline, &answer),
                Ok(_) => {}
                Err(refusal) => {
                    outcome.refusal = Some(refusal);
                    break;
                }
            }
        }
        Ok(outcome)
    }
}
