//! `Idempotency-Key`: a creation repeated with its key takes effect once and answers alike.

use axum::extract::FromRequestParts;
use http::request::Parts;
use novelfoundry_core::{ProblemCode, UserId};
use novelfoundry_database::{Call, DbError, Refusal, idempotency};
use uuid::Uuid;

use crate::{State, auth::Member, problem::Problem};

/// The request's key, where it has one.
pub(crate) struct Key(pub(crate) Option<String>);

impl FromRequestParts<State> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all("idempotency-key").iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let text = value.to_str().unwrap_or_default().trim();
        let fits = (1..=200).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if !fits || values.next().is_some() {
            return Err(Problem::parameter(
                "idempotency-key",
                "one value of 1 to 200 printable ASCII characters",
            ));
        }
        Ok(Self(Some(text.to_owned())))
    }
}

/// What a creation led to.
pub(crate) enum Made<T> {
    /// It took effect now.
    Now(T),
    /// It had taken effect before: this is the resource it made.
    Before(Uuid),
}

/// What keeps a repeat from being answered. It changes nothing itself, but the request that it repeats did: who is told
/// the contrary asks for the same under another key.
pub(crate) fn replayed(error: impl Into<Problem>) -> Problem {
    error.into().after_a_change()
}

impl Key {
    /// The claim that stands before the effect, in its transaction.
    pub(crate) fn claim(&self, user: UserId, hash: [u8; 32], resource: Uuid) -> Option<Call<()>> {
        self.0.clone().map(|key| idempotency::claim(user, key, hash, resource))
    }

    /// Looks whether a creation that was refused before its key was looked at had taken effect with it already.
    pub(crate) async fn made_before(
        &self,
        state: &State,
        member: &Member,
        hash: [u8; 32],
    ) -> Result<Option<Uuid>, Problem> {
        let Some(key) = self.0.clone() else { return Ok(None) };
        let read = idempotency::recorded(member.user_id, key);
        match member.read(state, "idempotency.look", read).await.map_err(replayed)? {
            Some(recorded) if recorded.request_hash != hash => {
                Err(DbError::Refused(Refusal::IdempotencyMismatch).into())
            }
            recorded => Ok(recorded.map(|recorded| recorded.resource)),
        }
    }

    /// Sorts the outcome of a creation; a replay is answered by what the first request made.
    pub(crate) async fn settle<T>(
        self,
        state: &State,
        member: &Member,
        outcome: Result<T, DbError>,
    ) -> Result<Made<T>, Problem> {
        match (outcome, self.0) {
            (Ok(made), _) => Ok(Made::Now(made)),
            (Err(DbError::Refused(Refusal::IdempotencyReplayed)), Some(key)) => {
                let read = idempotency::recorded(member.user_id, key);
                let recorded = member.read(state, "idempotency.replay", read).await.map_err(replayed)?;
                recorded
                    .map(|recorded| Made::Before(recorded.resource))
                    .ok_or_else(|| Problem::new(ProblemCode::IdempotencyInFlight))
            }
            (Err(error), _) => Err(error.into()),
        }
    }
}
