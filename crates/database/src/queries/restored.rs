//! What a restored database brings back. A backup cannot know what was taken away after it; the database that it replaces
//! does, as long as it can be read. Compared is what there is, not what was recorded: records are forgotten by age, and
//! many a deletion leaves none.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use novelfoundry_core::{AnalysisId, InvitationId, ManuscriptId, ProjectId, Role, TenantId, UserId};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    Authority, Call, DatabaseUrl, DbError, IssuerDb, Operator, Statements, TenantDb, connect,
    query::{FromRow, Query, all, get, parameters, parse, query},
};

const EVERY_TENANT: &str = "\
-- restored.every_tenant
set row_security = off";

const WORKSPACES: &str = "\
-- restored.workspaces
select tenant_id, created_at, deleted_at is null as lives
  from app.tenants
 order by tenant_id";

/// A workspace that there is or was: its row is never removed.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The workspace.
    pub tenant_id: TenantId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it is not deleted.
    pub lives: bool,
}

impl FromRow for Known {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            tenant_id: TenantId::from_uuid(get(row, "tenant_id")?),
            created_at: get(row, "created_at")?,
            lives: get(row, "lives")?,
        })
    }
}

/// Lists every workspace that there ever was, by a login that sees all; fails by one that does not.
pub async fn workspaces(_: &Operator, owner: &DatabaseUrl) -> Result<Vec<Known>, DbError> {
    let connection = connect::connect(owner, "novelfoundry/restored", Statements::Typed, None).await?;
    connection.client.batch_execute(EVERY_TENANT).await.map_err(DbError::before_commit)?;
    all(&connection.client.query_typed(WORKSPACES, &[]).await.map_err(DbError::before_commit)?)
}

/// What is in a workspace that can be taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Who is in it, and as what.
    pub members: HashMap<UserId, Role>,
    /// The invitations that are open.
    pub invitations: HashSet<InvitationId>,
    /// The projects.
    pub projects: HashSet<ProjectId>,
    /// The manuscripts, with their projects.
    pub manuscripts: HashSet<(ProjectId, ManuscriptId)>,
    /// The analyses, with their manuscripts and projects.
    pub analyses: HashSet<(ProjectId, ManuscriptId, AnalysisId)>,
}

static MEMBERS: Query = query!(
    "restored.members",
    [UUID, TIMESTAMPTZ],
    "select user_id, role
       from app.memberships
      where tenant_id = $1 and ($2::timestamptz is null or created_at <= $2)"
);

static INVITATIONS: Query = query!(
    "restored.invitations",
    [UUID, TIMESTAMPTZ],
    "select invitation_id
       from app.invitations
      where tenant_id = $1 and ($2::timestamptz is null or created_at <= $2)
        and accepted_by is null and expires_at > now()"
);

static PROJECTS: Query = query!(
    "restored.projects",
    [UUID, TIMESTAMPTZ],
    "select project_id
       from app.projects
      where tenant_id = $1 and ($2::timestamptz is null or created_at <= $2) and deleted_at is null"
);

static MANUSCRIPTS: Query = query!(
    "restored.manuscripts",
    [UUID, TIMESTAMPTZ],
    "select m.project_id, m.manuscript_id
       from app.manuscripts m
       join app.projects p on p.tenant_id = m.tenant_id and p.project_id = m.project_id
      where m.tenant_id = $1 and p.tenant_id = $1 and ($2::timestamptz is null or m.created_at <= $2)
        and m.deleted_at is null and p.deleted_at is null"
);

static ANALYSES: Query = query!(
    "restored.analyses",
    [UUID, TIMESTAMPTZ],
    "select a.project_id, a.manuscript_id, a.analysis_id
       from app.analyses a
       join app.manuscripts m
         on m.tenant_id = a.tenant_id and m.project_id = a.project_id and m.manuscript_id = a.manuscript_id
       join app.projects p on p.tenant_id = a.tenant_id and p.project_id = a.project_id
      where a.tenant_id = $1 and m.tenant_id = $1 and p.tenant_id = $1
        and ($2::timestamptz is null or a.created_at <= $2) and m.deleted_at is null and p.deleted_at is null"
);

struct Ids<const N: usize>([Uuid; N]);

impl<const N: usize> FromRow for Ids<N> {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let mut ids = [Uuid::nil(); N];
        for (index, id) in ids.iter_mut().enumerate() {
            *id = row.try_get(index).map_err(DbError::defect)?;
        }
        Ok(Self(ids))
    }
}

struct Member(UserId, Role);

impl FromRow for Member {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self(UserId::from_uuid(get(row, "user_id")?), parse(row, "role")?))
    }
}

/// Reads what is in a workspace; only what was made until then where a time is given.
pub async fn contents(
    db: &TenantDb,
    authority: &Authority,
    until: Option<Timestamp>,
) -> Result<Contents, DbError> {
    let calls = (
        Call::new(&MEMBERS, parameters![until], all::<Member>),
        Call::new(&INVITATIONS, parameters![until], all::<Ids<1>>),
        Call::new(&PROJECTS, parameters![until], all::<Ids<1>>),
        Call::new(&MANUSCRIPTS, parameters![until], all::<Ids<2>>),
        Call::new(&ANALYSES, parameters![until], all::<Ids<3>>),
    );
    let (members, invitations, projects, manuscripts, analyses) =
        db.read(authority, Role::Owner, "restored.contents", calls).await?;
    let project = ProjectId::from_uuid;
    let manuscript = ManuscriptId::from_uuid;
    Ok(Contents {
        members: members.into_iter().map(|Member(user, role)| (user, role)).collect(),
        invitations: invitations.into_iter().map(|Ids([id])| InvitationId::from_uuid(id)).collect(),
        projects: projects.into_iter().map(|Ids([id])| project(id)).collect(),
        manuscripts: manuscripts.into_iter().map(|Ids([p, m])| (project(p), manuscript(m))).collect(),
        analyses: analyses
            .into_iter()
            .map(|Ids([p, m, a])| (project(p), manuscript(m), AnalysisId::from_uuid(a)))
            .collect(),
    })
}

/// What is to be taken away from a workspace once more, in an order that is always the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenAway {
    /// Whose role is another now; those that rise come first, so that an owner stays.
    pub roles: Vec<(UserId, Role)>,
    /// Who is in it no more.
    pub members: Vec<UserId>,
    /// The invitations that are open no more.
    pub invitations: Vec<InvitationId>,
    /// The projects that were deleted.
    pub projects: Vec<ProjectId>,
    /// The manuscripts that were deleted in projects that were not.
    pub manuscripts: Vec<(ProjectId, ManuscriptId)>,
    /// The analyses that were deleted in manuscripts that were not.
    pub analyses: Vec<(ProjectId, AnalysisId)>,
}

impl TakenAway {
    /// Compares what a restored workspace has with what the one that it replaces has now. What only the latter has is not
    /// looked at: nothing is given back.
    pub fn between(restored: &Contents, replaced: &Contents) -> Self {
        let mut taken = Self::default();
        for (user, role) in &restored.members {
            match replaced.members.get(user) {
                Some(now) if now != role => taken.roles.push((*user, *now)),
                Some(_) => {}
                None => taken.members.push(*user),
            }
        }
        taken.roles.sort_by_key(|(user, now)| (restored.members.get(user) > Some(now), *user));
        taken.members.sort_unstable();
        taken.invitations = missing(&restored.invitations, &replaced.invitations);
        taken.projects = missing(&restored.projects, &replaced.projects);
        taken.manuscripts = missing(&restored.manuscripts, &replaced.manuscripts);
        taken.manuscripts.retain(|(project, _)| replaced.projects.contains(project));
        let analyses = missing(&restored.analyses, &replaced.analyses).into_iter();
        let kept = analyses.filter(|(project, manuscript, _)| {
            replaced.manuscripts.contains(&(*project, *manuscript)) && replaced.projects.contains(project)
        });
        taken.analyses = kept.map(|(project, _, analysis)| (project, analysis)).collect();
        taken
    }
}

fn missing<T: Copy + Eq + std::hash::Hash + Ord>(here: &HashSet<T>, there: &HashSet<T>) -> Vec<T> {
    let mut missing: Vec<T> = here.difference(there).copied().collect();
    missing.sort_unstable();
    missing
}

static LIVING_SESSIONS: Query = query!(
    "restored.living_sessions",
    [],
    "select session_id
       from issuer.sessions
      where revoked_at is null"
);

static LINKS: Query = query!(
    "restored.links",
    [],
    "select token_hash
       from issuer.recoveries"
);

/// What lets people in without their password: sessions and links.
#[derive(Clone, Debug, Default)]
pub struct Entrances {
    sessions: Vec<Uuid>,
    links: Vec<Vec<u8>>,
}

struct Link(Vec<u8>);

impl FromRow for Link {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        get(row, "token_hash").map(Self)
    }
}

/// Reads what lets people in now.
pub async fn entrances(db: &IssuerDb) -> Result<Entrances, DbError> {
    let sessions: Vec<Ids<1>> = all(&db.query(&LIVING_SESSIONS, Vec::new()).await?)?;
    let links: Vec<Link> = all(&db.query(&LINKS, Vec::new()).await?)?;
    Ok(Entrances {
        sessions: sessions.into_iter().map(|Ids([id])| id).collect(),
        links: links.into_iter().map(|Link(hash)| hash).collect(),
    })
}

static CLOSE: Query = query!(
    "restored.close",
    [UUID_ARRAY, BYTEA_ARRAY, TIMESTAMPTZ, TIMESTAMPTZ, BOOL],
    "with doomed_sessions as (
       select s.session_id
         from issuer.sessions s
        where s.revoked_at is null and ($3::timestamptz is null or s.created_at <= $3)
          and not exists (select from unnest($1::uuid[]) as living (session_id)
                           where living.session_id = s.session_id)
     ), doomed_links as (
       select r.token_hash
         from issuer.recoveries r
        where ($3::timestamptz is null or r.created_at <= $3)
          and not exists (select from unnest($2::bytea[]) as good (token_hash)
                           where good.token_hash = r.token_hash)
     ), ended as (
       update issuer.sessions s
          set revoked_at = $4
        where $5 and s.session_id in (select d.session_id from doomed_sessions d)
     ), voided as (
       delete from issuer.recoveries r
        where $5 and r.token_hash in (select d.token_hash from doomed_links d)
     )
     select (select count(*) from doomed_sessions) as sessions, (select count(*) from doomed_links) as links"
);

/// How many ways in were shut, or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shut {
    /// Sessions that have ended.
    pub sessions: i64,
    /// Links that were used up, or made void.
    pub links: i64,
}

impl FromRow for Shut {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self { sessions: get(row, "sessions")?, links: get(row, "links")? })
    }
}

/// Ends the sessions and voids the links that are not among `open`; only those made until then where a time is given, and
/// none but counted where it is not to be `done`.
pub async fn close(
    db: &IssuerDb,
    open: Entrances,
    until: Option<Timestamp>,
    now: Timestamp,
    done: bool,
) -> Result<Shut, DbError> {
    let Entrances { sessions, links } = open;
    crate::query::one(&db.query(&CLOSE, parameters![sessions, links, until, now, done]).await?)
}

#[cfg(test)]
mod tests;
