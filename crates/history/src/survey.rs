//! Reads all there is: the tables as a superuser, the store by its own list, and each owner's list of projects.

use std::{str::FromStr, time::Duration};

use futures_util::{StreamExt, stream};
use rusty_s3::{
    Bucket, Credentials, S3Action, UrlStyle,
    actions::{GetObject, ListObjectsV2},
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    PATIENCE,
    client::Shared,
    eventually,
    history::{Class, Violation},
    snapshot::{Analysis, Job, Key, Object, Revision, Snapshot, Titled, Usage, Used, Workspace},
    system::{BUCKET, Due, KEY, REGION, System},
};

const SIGNED_FOR: Duration = Duration::from_mins(5);

/// Lets every job of these come to its end; a job that does not is a violation.
pub(crate) async fn settle(system: &System, jobs: Due) -> Vec<Violation> {
    let sql = format!(
        "select job_id, kind, state, attempts, run_at > now(), lease_expires_at > now(), last_error
           from app.jobs where state in ('queued', 'running') and {}",
        jobs.condition()
    );
    let deadline = Instant::now() + PATIENCE;
    loop {
        system.hurry(jobs).await;
        let left = eventually("the jobs are listed", async || system.database.sql(&sql).await.ok()).await;
        if left.is_empty() {
            return Vec::new();
        }
        if Instant::now() > deadline {
            let stuck = left.into_iter().map(|row| {
                let id = row[0].as_deref().and_then(|id| id.parse().ok());
                let id: Vec<Uuid> = id.into_iter().collect();
                Violation::new(Class::Job, id, format!("a job does not end: {row:?}"))
            });
            return stuck.collect();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Reads everything; nothing may be going on.
pub(crate) async fn survey(shared: &Shared, owners: &[(Uuid, String)], is_purged: bool) -> Snapshot {
    let system = &shared.system;
    let mut snapshot = Snapshot {
        workspaces: rows(system, "select tenant_id, name, deleted_at is not null from app.tenants", |row| {
            Workspace { id: row.get(), name: row.get(), is_deleted: row.get::<String>() == "t" }
        })
        .await,
        members: rows(system, "select tenant_id, user_id, role from app.memberships", |row| {
            (row.get(), row.get(), row.get())
        })
        .await,
        persons: rows(system, "select user_id from app.users where departed_at is null", Row::get).await,
        indexed_members: rows(system, "select tenant_id, user_id from app.user_tenants", |row| {
            (row.get(), row.get())
        })
        .await,
        sessions: rows(system, "select tenant_id, user_id from app.session_tenants", |row| {
            (row.get(), row.get())
        })
        .await,
        projects: titled(system, "projects", "project_id").await,
        manuscripts: titled(system, "manuscripts", "manuscript_id").await,
        is_purged,
        ..Snapshot::default()
    };
    let sql = "select tenant_id, project_id, manuscript_id, revision_id, state, filename, bytes,
                      encode(sha256, 'hex'), object_key, analysis_id, created_by
                 from app.revisions";
    snapshot.revisions = rows(system, sql, |row| Revision {
        tenant: row.get(),
        project: row.get(),
        manuscript: row.get(),
        id: row.get(),
        state: row.get(),
        filename: row.get(),
        bytes: row.get(),
        sha256: row.get(),
        object_key: row.get(),
        analysis: row.get(),
        author: row.get(),
    })
    .await;
    let sql =
        "select tenant_id, project_id, manuscript_id, revision_id, analysis_id, state, result ->> 'words'
                 from app.analyses";
    snapshot.analyses = rows(system, sql, |row| Analysis {
        tenant: row.get(),
        project: row.get(),
        manuscript: row.get(),
        revision: row.get(),
        id: row.get(),
        state: row.get(),
        words: row.maybe(),
    })
    .await;
    let sql = "select tenant_id, job_id, kind, state, payload ->> 'project_id', payload ->> 'manuscript_id',
                      payload ->> 'revision_id'
                 from app.jobs";
    snapshot.jobs = rows(system, sql, |row| Job {
        tenant: row.get(),
        id: row.get(),
        kind: row.get(),
        state: row.get(),
        project: row.maybe(),
        manuscript: row.maybe(),
        revision: row.maybe(),
    })
    .await;
    let sql = "select tenant_id, stored_bytes, reserved_bytes from app.tenant_usage";
    snapshot.usage =
        rows(system, sql, |row| Usage { tenant: row.get(), stored: row.get(), reserved: row.get() }).await;
    let sql = "select tenant_id, kind, quantity, subject_id from app.usage_events";
    snapshot.used = rows(system, sql, |row| Used {
        tenant: row.get(),
        kind: row.get(),
        quantity: row.get(),
        subject: row.get(),
    })
    .await;
    let sql = "select tenant_id, user_id, key, resource_id from app.idempotency_keys";
    snapshot.keys = rows(system, sql, |row| Key {
        tenant: row.get(),
        user: row.get(),
        key: row.get(),
        resource: row.get(),
    })
    .await;
    let sql = "select tenant_id, object_key from app.object_tombstones";
    snapshot.tombstones = rows(system, sql, |row| (row.get(), row.get())).await;
    snapshot.objects = objects(shared).await;
    snapshot.open_transactions = open_transactions(system).await;
    for (tenant, token) in owners {
        snapshot.listed.insert(*tenant, listed(shared, token).await);
    }
    snapshot
}

async fn titled(system: &System, table: &str, id: &str) -> Vec<Titled> {
    let sql = format!(
        "select tenant_id, project_id, {id}, title, created_by, version, deleted_at is not null from app.{table}"
    );
    rows(system, &sql, |row| Titled {
        tenant: row.get(),
        project: row.get(),
        id: row.get(),
        title: row.get(),
        author: row.get(),
        version: row.get(),
        is_deleted: row.get::<String>() == "t",
    })
    .await
}

/// Those that the application has left open without working on them for a while.
async fn open_transactions(system: &System) -> Vec<String> {
    let sql = format!(
        "select query from pg_stat_activity
          where datname = current_database() and usename in ('{}', '{}') and state like 'idle in transaction%'",
        system.database.tenant.user, system.database.control.user
    );
    // One that has only just begun ends by itself.
    for _ in 0..50 {
        if rows(system, &sql, Row::get::<String>).await.is_empty() {
            return Vec::new();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    rows(system, &sql, Row::get).await
}

async fn listed(shared: &Shared, token: &str) -> Vec<Uuid> {
    let mut found = Vec::new();
    let mut query = "limit=100".to_owned();
    loop {
        let url = format!("{}/v1/projects?{query}", shared.system.api_url);
        let page = eventually("a list is answered", async || {
            let answer =
                shared.http.get(&url).bearer_auth(token).send().await.ok()?.error_for_status().ok()?;
            answer.json::<serde_json::Value>().await.ok()
        })
        .await;
        let items = page["items"].as_array().expect("a list has items");
        found.extend(items.iter().filter_map(|item| item["project_id"].as_str()?.parse::<Uuid>().ok()));
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("limit=100&cursor={cursor}"),
            None => return found,
        }
    }
}

async fn objects(shared: &Shared) -> Vec<Object> {
    let url = shared.system.store_url.parse().unwrap();
    let bucket = Bucket::new(url, UrlStyle::Path, BUCKET, REGION).unwrap();
    let credentials = Credentials::new(KEY.0, KEY.1);
    let get = async |url: String| {
        eventually("the store answers", async || {
            let answer = shared.http.get(&url).send().await.ok()?.error_for_status().ok()?;
            answer.bytes().await.ok()
        })
        .await
    };
    let mut keys = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let mut list = ListObjectsV2::new(&bucket, Some(&credentials));
        if let Some(token) = &token {
            list.with_continuation_token(token.clone());
        }
        let text = get(list.sign(SIGNED_FOR).to_string()).await;
        let page = ListObjectsV2::parse_response(std::str::from_utf8(&text).unwrap()).unwrap();
        keys.extend(page.contents.into_iter().map(|object| object.key));
        match page.next_continuation_token {
            Some(next) => token = Some(next),
            None => break,
        }
    }
    let bodies = stream::iter(keys).map(async |key| {
        let url = GetObject::new(&bucket, Some(&credentials), &key).sign(SIGNED_FOR).to_string();
        Object { body: get(url).await.to_vec(), key }
    });
    bodies.buffer_unordered(8).collect().await
}

/// A row's columns, taken one after another.
struct Row(std::vec::IntoIter<Option<String>>);

impl Row {
    fn get<T: FromStr>(&mut self) -> T {
        self.maybe().expect("the column has a value")
    }

    fn maybe<T: FromStr>(&mut self) -> Option<T> {
        let text = self.0.next().expect("the row has the column")?;
        Some(text.parse().ok().expect("the column has the type"))
    }
}

async fn rows<T>(system: &System, sql: &str, read: impl Fn(&mut Row) -> T) -> Vec<T> {
    let rows = system.database.sql(sql).await.unwrap();
    rows.into_iter().map(|row| read(&mut Row(row.into_iter()))).collect()
}
