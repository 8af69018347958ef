//! Every operation of the API and who may call it, in one table: the routes ask it for the role they demand, the
//! OpenAPI document and the documentation show it, and the tests try each row with every kind of caller.

use crate::Role;

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody; a token is not looked at.
    Public,
    /// A person with a valid token, in a workspace or not.
    Person,
    /// A member of the token's workspace with at least this role.
    Member(Role),
}

impl Access {
    /// Returns the minimum role; none where no membership is asked for.
    pub const fn role(self) -> Option<Role> {
        match self {
            Self::Member(role) => Some(role),
            Self::Public | Self::Person => None,
        }
    }

    /// Tells in a word who may call.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "anybody",
            Self::Person => "signed in",
            Self::Member(role) => role.as_str(),
        }
    }
}

/// One row of the table of operations.
#[derive(Clone, Copy, Debug)]
pub struct OperationDefinition {
    /// The name: the `operationId` of the OpenAPI document.
    pub id: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
}

macro_rules! operations {
    ($($variant:ident $id:literal $method:ident $path:literal $access:expr;)+) => {
        /// An operation of the API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Operation {
            $(#[doc = concat!("`", stringify!($method), " ", $path, "`")] $variant,)+
        }

        impl Operation {
            /// Every operation, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the operation's row of the table.
            pub const fn definition(self) -> &'static OperationDefinition {
                match self {
                    $(Self::$variant => &OperationDefinition {
                        id: $id,
                        method: stringify!($method),
                        path: $path,
                        access: $access,
                    },)+
                }
            }
        }
    };
}

const VIEWER: Access = Access::Member(Role::Viewer);
const EDITOR: Access = Access::Member(Role::Editor);
const OWNER: Access = Access::Member(Role::Owner);

operations! {
    HealthLive "health.live" GET "/healthz" Access::Public;
    HealthReady "health.ready" GET "/readyz" Access::Public;
    MeGet "me.get" GET "/v1/me" Access::Person;
    TenantsCreate "tenants.create" POST "/v1/tenants" Access::Person;
    MeDelete "me.delete" DELETE "/v1/me" Access::Person;
    TenantsActivate "tenants.activate" POST "/v1/tenants/{tenant_id}/activate" Access::Person;
    TenantsDelete "tenants.delete" DELETE "/v1/tenants/{tenant_id}" OWNER;
    MembersList "members.list" GET "/v1/members" VIEWER;
    MembersUpdate "members.update" PATCH "/v1/members/{user_id}" OWNER;
    // Oneself; of others only an owner, which the statement itself sees to.
    MembersDelete "members.delete" DELETE "/v1/members/{user_id}" VIEWER;
    MembersHandOver "members.hand_over" POST "/v1/members/{user_id}/hand-over" OWNER;
    InvitationsList "invitations.list" GET "/v1/invitations" OWNER;
    InvitationsCreate "invitations.create" POST "/v1/invitations" OWNER;
    InvitationsDelete "invitations.delete" DELETE "/v1/invitations/{invitation_id}" OWNER;
    InvitationsAccept "invitations.accept" POST "/v1/invitations/accept" Access::Person;
    ProjectsList "projects.list" GET "/v1/projects" VIEWER;
    ProjectsCreate "projects.create" POST "/v1/projects" EDITOR;
    ProjectsGet "projects.get" GET "/v1/projects/{project_id}" VIEWER;
    ProjectsUpdate "projects.update" PATCH "/v1/projects/{project_id}" EDITOR;
    ProjectsDelete "projects.delete" DELETE "/v1/projects/{project_id}" EDITOR;
    ManuscriptsList "manuscripts.list" GET "/v1/projects/{project_id}/manuscripts" VIEWER;
    ManuscriptsCreate "manuscripts.create" POST "/v1/projects/{project_id}/manuscripts" EDITOR;
    ManuscriptsGet "manuscripts.get" GET "/v1/projects/{project_id}/manuscripts/{manuscript_id}" VIEWER;
    ManuscriptsUpdate "manuscripts.update" PATCH "/v1/projects/{project_id}/manuscripts/{manuscript_id}" EDITOR;
    ManuscriptsDelete "manuscripts.delete" DELETE "/v1/projects/{project_id}/manuscripts/{manuscript_id}" EDITOR;
    RevisionsList "revisions.list" GET "/v1/projects/{project_id}/manuscripts/{manuscript_id}/revisions" VIEWER;
    RevisionsCreate "revisions.create" POST "/v1/projects/{project_id}/manuscripts/{manuscript_id}/revisions" EDITOR;
    RevisionsGet "revisions.get" GET "/v1/projects/{project_id}/manuscripts/{manuscript_id}/revisions/{revision_id}" VIEWER;
    RevisionsComplete "revisions.complete" POST "/v1/projects/{project_id}/manuscripts/{manuscript_id}/revisions/{revision_id}/complete" EDITOR;
    RevisionsDownload "revisions.download" GET "/v1/projects/{project_id}/manuscripts/{manuscript_id}/revisions/{revision_id}/download" VIEWER;
    AnalysesList "analyses.list" GET "/v1/projects/{project_id}/analyses" VIEWER;
    AnalysesCreate "analyses.create" POST "/v1/projects/{project_id}/analyses" EDITOR;
    AnalysesGet "analyses.get" GET "/v1/projects/{project_id}/analyses/{analysis_id}" VIEWER;
    AnalysesDelete "analyses.delete" DELETE "/v1/projects/{project_id}/analyses/{analysis_id}" EDITOR;
}

impl Operation {
    /// Returns the operation of a method and a path with its parameters in braces; HEAD is answered as GET is.
    pub fn at(method: &str, path: &str) -> Option<Self> {
        let method = if method == "HEAD" { "GET" } else { method };
        let is_here = |operation: &&Self| {
            let row = operation.definition();
            row.path == path && row.method == method
        };
        Self::ALL.iter().find(is_here).copied()
    }

    /// Tells whether it changes who belongs where: people, invitations, whole workspaces. A session that has ended may
    /// do nothing of the kind, though its last token has not run out; texts it may still read, write and delete.
    pub const fn is_lasting(self) -> bool {
        matches!(
            self,
            Self::TenantsCreate
                | Self::TenantsDelete
                | Self::MeDelete
                | Self::MembersUpdate
                | Self::MembersDelete
                | Self::MembersHandOver
                | Self::InvitationsCreate
                | Self::InvitationsDelete
                | Self::InvitationsAccept
        )
    }

    /// Returns who may call it.
    pub const fn access(self) -> Access {
        self.definition().access
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_operation_has_one_name_and_one_address() {
        let mut ids = HashSet::new();
        for operation in Operation::ALL {
            let row = operation.definition();
            assert!(ids.insert(row.id), "{} stands twice", row.id);
            assert!(
                row.id.bytes().all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte)),
                "{}",
                row.id
            );
            assert_eq!(
                Operation::at(row.method, row.path),
                Some(*operation),
                "{} has another's address",
                row.id
            );
        }
        for operation in Operation::ALL {
            let row = operation.definition();
            let about_people =
                ["me.", "tenants.", "members.", "invitations."].iter().any(|of| row.id.starts_with(of));
            let passes = row.method == "GET" || *operation == Operation::TenantsActivate;
            assert_eq!(operation.is_lasting(), about_people && !passes, "{}", row.id);
        }
        assert_eq!(Operation::at("HEAD", "/v1/me"), Some(Operation::MeGet));
        assert_eq!(Operation::at("POST", "/v1/me"), None);
        assert_eq!(Operation::at("GET", "/v1/projects/"), None);
    }
}
