//! What the tests work on: a database of their own, an object store, writers with manuscripts, and running workers.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use novelfoundry_core::{
    AnalysisId, AnalyzeManuscript, Clock, JobId, ManuscriptId, ProjectId, RevisionId, Role, SettleUpload,
    SystemClock, UserId,
};
use novelfoundry_database::{
    Authority, ControlDb, TenantDb, analyses, analyses::Analysis, jobs, manuscripts, projects, revisions,
    revisions::NewRevision,
};
use novelfoundry_objects::{FileType, ObjectKey, Store};
use novelfoundry_testkit::{Database, TestIssuer};
use novelfoundry_worker::{POLL, SHOW_EVERY, Worker, WorkerOptions};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::files::{Files, digest};

/// Short enough that a test can wait for it to lapse.
pub(crate) const LEASE: Duration = Duration::from_millis(1500);

/// How long a backup is kept.
pub(crate) const RETENTION: Duration = Duration::from_hours(35 * 24);

/// How long the files of what was deleted are kept.
pub(crate) const PURGE_AFTER: Duration = Duration::from_hours(24);

/// Three chapters, five sentences.
pub(crate) const STORY: &str = "Chapter 1\n\nThe lamp went out. Nobody spoke again.\n\n\
    Chapter 2\n\nMira counted the steps down. There were far too many.\n\n\
    Chapter 3\n\nThen the door opened.\n";
/// Words of each chapter, heading included.
pub(crate) const STORY_WORDS: [u64; 3] = [9, 12, 6];

pub(crate) struct Bed {
    pub(crate) database: Database,
    pub(crate) issuer: TestIssuer,
    pub(crate) tenant: TenantDb,
    pub(crate) control: ControlDb,
    pub(crate) files: Files,
}

/// A person with a workspace, a project and a manuscript.
pub(crate) struct Writer {
    pub(crate) authority: Authority,
    pub(crate) user: UserId,
    pub(crate) project: ProjectId,
    pub(crate) manuscript: ManuscriptId,
}

/// A revision and where its file belongs.
#[derive(Clone)]
pub(crate) struct Upload {
    pub(crate) revision: RevisionId,
    pub(crate) analysis: AnalysisId,
    pub(crate) key: ObjectKey,
    bytes: i64,
}

impl Upload {
    pub(crate) fn job(&self) -> JobId {
        self.analysis.into()
    }
}

/// A worker that runs until told otherwise; dropped, it is killed.
pub(crate) struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Stops it as SIGTERM does.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        (&mut self.task).await.unwrap();
    }

    /// Kills it: nothing of it runs on.
    pub(crate) async fn kill(mut self) {
        self.task.abort();
        assert!((&mut self.task).await.unwrap_err().is_cancelled());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Polls until the condition holds.
pub(crate) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !condition().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl Bed {
    pub(crate) async fn make() -> Self {
        let database = Database::fresh().await;
        Self {
            issuer: TestIssuer::start().await,
            tenant: database.tenant_db(4).await,
            control: database.control_db().await,
            files: Files::start().await,
            database,
        }
    }

    pub(crate) async fn options(&self, store: Store, name: &str) -> WorkerOptions {
        options(&self.database, store, name).await
    }

    /// Starts a worker with pools of its own.
    pub(crate) async fn work(&self, name: &str) -> Running {
        self.work_at(self.files.address, name).await
    }

    /// Starts a worker that finds the object store at another address.
    pub(crate) async fn work_at(&self, files: SocketAddr, name: &str) -> Running {
        start(self.options(Files::store_at(files), name).await)
    }

    pub(crate) async fn writer(&self) -> Writer {
        let claims = self.issuer.writer(&self.tenant).await;
        let authority = Authority::from_claims(&claims).unwrap();
        let user = claims.user_id();
        let project = ProjectId::from_uuid(self.issuer.id());
        let manuscript = ManuscriptId::from_uuid(self.issuer.id());
        let calls = (
            projects::insert(project, "A project".into(), user),
            manuscripts::insert(project, manuscript, "A manuscript".into(), user),
        );
        self.tenant.write(&authority, Role::Editor, "test.create", calls).await.unwrap();
        Writer { authority, user, project, manuscript }
    }

    /// Gives a ticket for bytes that are, or are not, uploaded later.
    pub(crate) async fn ticket(&self, writer: &Writer, filename: &str, declared: &[u8]) -> Upload {
        let &Writer { user, project, manuscript, .. } = writer;
        let revision = RevisionId::from_uuid(self.issuer.id());
        let analysis = AnalysisId::from_uuid(self.issuer.id());
        let tenant = writer.authority.tenant_id();
        let key = ObjectKey::new(tenant, user, project, FileType::Manuscript, revision, filename);
        let bytes = i64::try_from(declared.len()).unwrap();
        let new = NewRevision {
            project_id: project,
            manuscript_id: manuscript,
            revision_id: revision,
            filename: filename.into(),
            media_type: "text/plain".into(),
            bytes,
            sha256: digest(declared),
            object_key: key.to_string(),
            analysis_id: analysis,
            created_by: user,
            expires_at: SystemClock.now().saturating_add(SignedDuration::from_mins(15)).unwrap(),
        };
        let calls =
            (manuscripts::require(project, manuscript), revisions::insert(new), revisions::reserve(bytes));
        self.tenant.write(&writer.authority, Role::Editor, "test.ticket", calls).await.unwrap();
        Upload { revision, analysis, key, bytes }
    }

    /// Confirms an upload, which enqueues its analysis.
    pub(crate) async fn complete(&self, writer: &Writer, upload: &Upload) {
        let &Writer { project, manuscript, .. } = writer;
        let payload = AnalyzeManuscript {
            project_id: project,
            manuscript_id: manuscript,
            revision_id: upload.revision,
        };
        let calls = (
            revisions::store(project, manuscript, upload.revision),
            analyses::insert(project, upload.analysis, manuscript, upload.revision),
            jobs::insert(upload.job(), &payload, None),
            revisions::count_stored(upload.bytes),
        );
        self.tenant.write(&writer.authority, Role::Editor, "test.complete", calls).await.unwrap();
        jobs::wake(&self.control).await.unwrap();
    }

    /// Uploads a file all the way.
    pub(crate) async fn upload(&self, writer: &Writer, filename: &str, bytes: &[u8]) -> Upload {
        let upload = self.ticket(writer, filename, bytes).await;
        self.files.put(&upload.key, bytes).await;
        self.complete(writer, &upload).await;
        upload
    }

    /// Enqueues the job that settles a ticket, as if it had run out.
    pub(crate) async fn settle(&self, writer: &Writer, upload: &Upload) -> JobId {
        let payload = SettleUpload {
            project_id: writer.project,
            manuscript_id: writer.manuscript,
            revision_id: upload.revision,
        };
        let job = JobId::from_uuid(upload.revision.as_uuid());
        let call = jobs::insert(job, &payload, Some(Timestamp::UNIX_EPOCH));
        self.tenant.write(&writer.authority, Role::Editor, "test.settle", call).await.unwrap();
        job
    }

    pub(crate) async fn analysis(&self, writer: &Writer, upload: &Upload) -> Option<Analysis> {
        let call = analyses::by_id(writer.project, upload.analysis);
        self.tenant.read(&writer.authority, Role::Viewer, "test.read", call).await.unwrap()
    }

    pub(crate) async fn job_state(&self, job: JobId) -> String {
        self.one(&format!("select state from app.jobs where job_id = '{job}'")).await
    }

    /// Waits until a job is in a state.
    pub(crate) async fn job_is(&self, job: JobId, state: &str) {
        until(&format!("the job is {state}"), async || self.job_state(job).await == state).await;
    }

    /// Returns how many usage events an analysis recorded.
    pub(crate) async fn usages(&self, upload: &Upload) -> String {
        let id = upload.analysis;
        self.one(&format!("select count(*) from app.usage_events where subject_id = '{id}'")).await
    }

    /// Runs SQL as the superuser and returns the first field; empty where there is none.
    pub(crate) async fn one(&self, sql: &str) -> String {
        let rows = self.database.sql(sql).await.unwrap();
        rows.into_iter().flatten().next().flatten().unwrap_or_default()
    }
}

pub(crate) async fn options(database: &Database, store: Store, name: &str) -> WorkerOptions {
    WorkerOptions {
        tenant: database.tenant_db(4).await,
        control: database.control_db().await,
        accounts: None,
        store,
        concurrency: 4,
        lease: LEASE,
        poll: POLL,
        show_every: SHOW_EVERY,
        backup_retention: RETENTION,
        purge_after: PURGE_AFTER,
        name: name.into(),
    }
}

pub(crate) fn start(options: WorkerOptions) -> Running {
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(Worker::new(options).run(shutdown.clone()));
    Running { shutdown, task }
}
