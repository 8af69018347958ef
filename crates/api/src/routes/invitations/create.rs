//! Invites somebody to the workspace.

use axum::{Json, extract::State as AxumState};
use http::{HeaderMap, StatusCode};
use novelfoundry_core::{InvitationId, ProblemCode, Role, Secret, report};
use novelfoundry_database::{
    DbError, Refusal,
    invitations::{self, InvitationToken, NewInvitation},
    workspaces,
};
use novelfoundry_mail::{Message, is_address};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Invitation;
use crate::{
    State,
    auth::Member,
    idempotency::{Key, Made, replayed},
    invitation_mail,
    json::Body,
    problem::Problem,
    routes::projects::location,
};

/// Whom to invite, as what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInvitee {
    /// Where the link is mailed to; left out, it is only answered. Whoever has the link may use it.
    #[serde(default)]
    email: Option<String>,
    /// `viewer`, `editor` or `owner`.
    #[schema(value_type = String)]
    role: Role,
}

/// An invitation with the link that lets its bearer in.
#[derive(Serialize, ToSchema)]
pub(crate) struct InvitationLink {
    #[serde(flatten)]
    invitation: Invitation,
    /// The link, shown this once. Its token stands behind `#token=`, for pages of your own.
    #[schema(value_type = String)]
    link: Secret,
}

/// Invites whoever brings the link, once and within seven days; mails it where an address is given. Repeated with its
/// `Idempotency-Key` it answers another link to the same invitation, and mails nothing: the first link stays good too,
/// and whichever is followed first ends both.
#[utoipa::path(post, path = "/v1/invitations", tag = "invitations",
    security(("bearer" = [])), request_body = NewInvitee,
    params(("idempotency-key" = Option<String>, Header, description = "Makes repetition safe for 24 hours; the link is made anew")),
    responses(
        (status = 201, body = InvitationLink, headers(("location" = String))),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`, `role-too-low`"),
        (status = 404, description = "`invitation-not-found`: repeated after it had ended"),
        (status = 409, description = "`idempotency-key-in-flight`"),
        (status = 422, description = "`invalid-field`, `idempotency-key-reused`"),
        (status = 429, description = "`rate-limited`: a hundred a day, of a person and of a workspace; ten links to one invitation"),
    ))]
pub(crate) async fn create(
    AxumState(state): AxumState<State>,
    member: Member,
    key: Key,
    Body { value, hash }: Body<NewInvitee>,
) -> Result<(StatusCode, HeaderMap, Json<InvitationLink>), Problem> {
    let email = value.email.map(checked).transpose()?;
    let token = InvitationToken::random();
    let token_hash = token.hash();
    let id = InvitationId::from_uuid(state.ids.next());
    let new = NewInvitation { invitation_id: id, token_hash, email: email.clone(), role: value.role };
    let calls = (
        invitations::spend(member.user_id),
        key.claim(member.user_id, hash, id.as_uuid()),
        invitations::create(Some(member.user_id), new, state.ids.next()),
        invitations::by_id(id),
        workspaces::present(),
    );
    let outcome = member.write(&state, "invitations.create", calls).await;
    let public_url = &state.settings.public_url;
    let link = invitation_mail::link(public_url, &token);
    // A day's allowance is counted before the key is looked at; repeats cost nothing of it.
    let before = match &outcome {
        Err(DbError::Refused(Refusal::DailyLimit)) => key.made_before(&state, &member, hash).await?,
        _ => None,
    };
    let made = match before {
        Some(id) => Made::Before(id),
        None => key.settle(&state, &member, outcome).await?,
    };
    let invitation = match made {
        Made::Now(((), (), (), invitation, workspace)) => {
            if let (Some(email), Some(workspace)) = (email, workspace) {
                post(&state, invitation_mail::letter(public_url, email, &workspace.name, value.role, &link));
            }
            invitation
        }
        Made::Before(id) => {
            let id = InvitationId::from_uuid(id);
            let calls = (invitations::add_token(member.user_id, id, token_hash), invitations::by_id(id));
            let name = "invitations.replay";
            member.write(&state, name, calls).await.map_err(replayed)?.1
        }
    };
    let invitation = invitation.ok_or_else(|| Problem::new(ProblemCode::InvitationNotFound))?;
    let headers = location(&state, &format!("/v1/invitations/{}", invitation.invitation_id), None);
    Ok((StatusCode::CREATED, headers, Json(InvitationLink { invitation: invitation.into(), link })))
}

fn checked(email: String) -> Result<String, Problem> {
    if !is_address(&email) {
        return Err(Problem::field("email", "an address such as anna@example.com, at most 254 bytes"));
    }
    Ok(email)
}

/// Sends the mail in the background; the link is in the answer, whatever becomes of it.
fn post(state: &State, message: Message) {
    if let Err(error) = state.mailer.post(std::future::ready(Some(message))) {
        tracing::warn!(error = report(&error), "an invitation is not mailed");
    }
}
