//! An invitation as it is handed over.

use novelfoundry_core::{Role, Secret};
use novelfoundry_database::invitations::InvitationToken;
use novelfoundry_mail::Message;

/// Returns the link to the page that accepts. The token stands where no server and no `Referer` sees it.
pub fn link(public_url: &str, token: &InvitationToken) -> Secret {
    Secret::new(format!("{public_url}/invitation#token={}", token.expose()))
}

/// Writes the mail. The workspace's name is its owner's text, so it stands in the subject, where nothing is a link.
pub fn letter(public_url: &str, to: String, workspace: &str, role: Role, link: &Secret) -> Message {
    let public: http::Uri = public_url.parse().unwrap_or_default();
    let place = public.host().unwrap_or("NovelFoundry");
    let name: String = workspace.chars().take(80).collect();
    let article = if role == Role::Viewer { "a" } else { "an" };
    let body = format!(
        "You are invited to a workspace at {place}, as {article} {role}.\n\n\
         Follow this link within seven days; it works once:\n\n{link}\n\n\
         If you expect no invitation, do nothing.\n",
        link = link.expose(),
    );
    Message { to, subject: format!("Invitation to \"{name}\" at {place}"), body }
}
