//! Two workspaces with real things in them, and everybody who might call.

use std::fmt::Write as _;

use novelfoundry_core::{Role, UserId};

use super::expected::Cell;
use crate::{
    app::{App, Writer},
    things::Things,
};

pub(super) struct World<'a> {
    pub(super) app: &'a App,
    pub(super) owner: Writer,
    pub(super) things: Things,
    editor: Writer,
    viewer: Writer,
    removed: Writer,
    stranger: Writer,
}

impl<'a> World<'a> {
    pub(super) async fn make(app: &'a App) -> Self {
        Box::pin(Self::make_all(app)).await
    }

    async fn make_all(app: &'a App) -> Self {
        let (owner, stranger) = (app.writer().await, app.writer().await);
        let things = Things::make(app, &owner).await;
        let another = || {
            let user = UserId::from_uuid(app.issuer.id());
            Writer { token: app.issuer.token(user, Some(owner.tenant)), user, tenant: owner.tenant }
        };
        let world =
            Self { app, editor: another(), viewer: another(), removed: another(), stranger, things, owner };
        let (tenant, mut sql) = (world.owner.tenant, String::new());
        for (member, role) in
            [(&world.editor, "editor"), (&world.viewer, "viewer"), (&world.removed, "owner")]
        {
            let user = member.user;
            let _ = write!(
                sql,
                "insert into app.memberships (tenant_id, user_id, role) values ('{tenant}', '{user}', '{role}');
                 insert into app.user_tenants (tenant_id, user_id, tenant_name)
                   values ('{tenant}', '{user}', 'A workspace');"
            );
        }
        app.database.sql(&sql).await.unwrap();
        // The token was good until a moment ago.
        app.get(&world.removed, "/v1/projects").await.expect(200);
        let of = format!("where tenant_id = '{tenant}' and user_id = '{}'", world.removed.user);
        let sql = format!("delete from app.memberships {of}; delete from app.user_tenants {of}");
        app.database.sql(&sql).await.unwrap();
        world
    }

    pub(super) async fn set_role(&self, member: &Writer, role: &str) {
        let sql = format!(
            "update app.memberships set role = '{role}' where tenant_id = '{}' and user_id = '{}'",
            member.tenant, member.user
        );
        self.app.database.sql(&sql).await.unwrap();
    }

    pub(super) fn token(&self, cell: Cell) -> Option<String> {
        let writer = match cell {
            Cell::NoToken => return None,
            Cell::Expired => {
                let mut claims = self.app.issuer.payload(self.owner.user, Some(self.owner.tenant));
                let issued = claims["iat"].as_i64().unwrap();
                (claims["iat"], claims["exp"]) = ((issued - 3600).into(), (issued - 60).into());
                return Some(self.app.issuer.sign(&claims));
            }
            Cell::NoWorkspace => return Some(self.app.issuer.token(self.owner.user, None)),
            Cell::Stranger => &self.stranger,
            Cell::Removed => &self.removed,
            Cell::Member(Role::Viewer) => &self.viewer,
            Cell::Member(Role::Editor) => &self.editor,
            Cell::Member(Role::Owner) => &self.owner,
        };
        Some(writer.token.clone())
    }
}
