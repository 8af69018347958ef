//! `novelfoundry up`: data plane and application plane in one process, started and stopped in order.

mod addresses;
mod data_plane;
mod demo;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use novelfoundry_api::SignIn;
use novelfoundry_core::Secret;
use novelfoundry_embedded::{
    issuer::{Issuer, SignUp},
    postgres::DataDirLock,
    store,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    Context, failures, interrupt,
    planes::{self, Beside, Public, Trust, VERSION},
    secrets::Secrets,
    state::State,
    summary::Summary,
    telemetry,
};
use crate::{
    config::Config,
    output::{Exit, Failure, Progress},
};
use addresses::Addresses;
use data_plane::DataPlane;

/// How old the issuer's signing key may get.
const KEY_MAX_AGE: Duration = Duration::from_hours(90 * 24);
/// How often its age is looked at.
const KEY_CHECK_EVERY: Duration = Duration::from_hours(1);

/// Runs everything on this machine: PostgreSQL, object store, issuer, API and worker
#[derive(clap::Args)]
pub(crate) struct Up {
    /// Fills a workspace with a short story to look at; on loopback only
    #[arg(long)]
    demo: bool,
}

impl Up {
    /// Runs until asked to stop.
    pub(crate) async fn run(&self, context: Context) -> Result<Exit, Failure> {
        let begun = Instant::now();
        let interrupt = interrupt::token(context.output)?;
        let mut progress = context.output.progress();
        let start = Box::pin(self.start(&context, &mut progress));
        let running = tokio::select! {
            biased;
            running = start => running?,
            // What was begun ends by being dropped.
            () = interrupt.cancelled() => return Ok(Exit::Done),
        };
        let demo_password = running.demo_password.clone();
        progress.finish();
        if context.output.json {
            context.output.data(&serde_json::to_string(&running.summary).map_err(|error| {
                Failure::new("The addresses cannot be written", "Report this as a defect.").because(error)
            })?)?;
        } else {
            context.output.data(&running.summary.ready(
                begun.elapsed(),
                demo_password.as_ref(),
                running.plane.sign_up == SignUp::Open,
            ))?;
        }
        running.until(interrupt).await
    }

    async fn start(&self, context: &Context, progress: &mut Progress) -> Result<Running, Failure> {
        let config = &context.loaded.config;
        let lock =
            DataDirLock::acquire(&config.embedded.data_dir).map_err(|error| failures::postgres(&error))?;
        let data_dir = lock.data_dir().to_owned();
        let remembered = State::read(&data_dir)?;
        let addresses = Addresses::take(context, remembered.as_ref()).await?;
        if self.demo {
            addresses.refuse_unless_loopback()?;
        }
        for notice in notices(config, &addresses, remembered.as_ref()) {
            progress.say(&notice);
        }
        let secrets = Secrets::open_or_make(&data_dir)?;
        let recorder = telemetry::recorder()?;

        let plane = Box::pin(DataPlane::start(context, lock, &secrets, &addresses, progress)).await?;
        progress.step("starting the API and the worker");
        let Addresses { api, internal, s3, metrics, public_url, s3_public_url, .. } = addresses;
        let local_url = addresses.local_url;
        let tasks = Tasks::default();
        let s3_task = tokio::spawn(store::serve(plane.store.clone(), s3, tasks.s3.clone()));
        let trust = Trust {
            issuer: format!("{public_url}/auth/v1"),
            audience: config.auth.audience.as_str().to_owned(),
            jwks_url: planes::url(&format!("{local_url}/auth/v1/.well-known/jwks.json"))?,
        };
        let verifier = trust.verifier(Arc::clone(&plane.data.clock))?;
        let sign_in = SignIn::Here { sign_up: plane.sign_up != SignUp::Closed };
        let router = planes::api(
            &plane.data,
            config,
            verifier,
            plane.mailer.clone(),
            Public { url: public_url.clone(), allowed_origins: addresses.allowed_origins },
            Beside::issuer(&plane.issuer, sign_in),
        );

        let state = State {
            pid: Some(std::process::id()),
            version: VERSION.to_owned(),
            postgres_version: plane.server.version().to_string(),
            public_url,
            s3_public_url,
            listen: addresses.listen,
            s3_listen: addresses.s3_listen,
            metrics_listen: addresses.metrics_listen,
            region: config.s3.region.as_str().to_owned(),
            bucket: config.s3.bucket.as_str().to_owned(),
            audience: config.auth.audience.as_str().to_owned(),
            role_prefix: config.database.role_prefix.as_str().to_owned(),
            socket_dir: plane.server.socket_dir().to_owned(),
            postgres_port: plane.server.port(),
        };
        if let Some(internal) = internal {
            tokio::spawn(novelfoundry_api::serve(internal, router.clone(), tasks.last.clone()));
        }
        let api_task = tokio::spawn(novelfoundry_api::serve(api, router, tasks.api.clone()));
        let worker = planes::worker(&plane.data, config, Some(plane.accounts.clone()));
        let worker_task = tokio::spawn(worker.run(tasks.worker.clone()));
        tokio::spawn(telemetry::upkeep(recorder.clone(), tasks.last.clone()));
        tokio::spawn(rotate_keys(plane.issuer.clone(), tasks.last.clone()));
        if let Some(metrics) = metrics {
            let control = plane.data.control.clone();
            tokio::spawn(telemetry::serve(metrics, recorder, control, tasks.last.clone()));
        }

        let mut running = Running {
            summary: Summary::new(&data_dir, &state, &secrets)?,
            demo_password: None,
            state,
            data_dir,
            plane,
            tasks,
            api: api_task,
            worker: worker_task,
            s3: s3_task,
        };
        let filled = Box::pin(self.fill(&mut running, &secrets, &local_url, progress)).await;
        let written = filled.and_then(|()| running.state.write(&running.data_dir));
        match written {
            Ok(()) => Ok(running),
            // What is running is stopped as at any other end; the first failure is the one to tell.
            Err(failure) => {
                let _ = running.stop().await;
                Err(failure)
            }
        }
    }

    async fn fill(
        &self,
        running: &mut Running,
        secrets: &Secrets,
        local_url: &str,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        demo::answers(local_url).await?;
        if !self.demo {
            return Ok(());
        }
        progress.step("filling the demo workspace");
        let (password, new) = secrets.demo_password()?;
        Box::pin(demo::fill(local_url, &running.plane.issuer, &password)).await?;
        running.summary = Summary::new(&running.data_dir, &running.state, secrets)?;
        running.demo_password = new.then_some(password);
        Ok(())
    }
}

/// Says what is probably missing at this start, since of the settings only the addresses are remembered.
fn notices(config: &Config, addresses: &Addresses, last: Option<&State>) -> Vec<String> {
    let mut notices = Vec::new();
    if addresses.are_behind_a_proxy() && config.server.trusted_proxies.get().is_none() {
        notices.push(format!(
            "note: `trusted_proxies` is not given, so the limits of signing in take all clients of {} for one.",
            addresses.public_url
        ));
    }
    let bucket = config.s3.bucket.as_str();
    if let Some(last) = last.filter(|last| last.bucket != bucket) {
        notices.push(format!(
            "note: the documents of the last run are in the bucket `{}`, and `s3.bucket` is `{bucket}`.",
            last.bucket
        ));
    }
    notices
}

/// Rotates the signing key when it is old; a start looks at once, so that no restarts put it off.
async fn rotate_keys(issuer: Issuer, shutdown: CancellationToken) {
    let mut hours = tokio::time::interval(KEY_CHECK_EVERY);
    hours.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let every_hour = async {
        loop {
            hours.tick().await;
            if let Err(error) = Box::pin(issuer.rotate_keys_older_than(KEY_MAX_AGE)).await {
                let cause: &dyn std::error::Error = &error;
                tracing::warn!(
                    error = cause,
                    "the age of the signing key cannot be looked at; in an hour again"
                );
            }
        }
    };
    shutdown.run_until_cancelled(every_hour).await;
}

/// What tells each part to stop.
#[derive(Default)]
struct Tasks {
    api: CancellationToken,
    worker: CancellationToken,
    s3: CancellationToken,
    /// Of what nobody waits for.
    last: CancellationToken,
}

/// Everything, running.
struct Running {
    summary: Summary,
    demo_password: Option<Secret>,
    state: State,
    data_dir: PathBuf,
    plane: DataPlane,
    tasks: Tasks,
    api: JoinHandle<()>,
    worker: JoinHandle<()>,
    s3: JoinHandle<()>,
}

impl Running {
    /// Waits for the wish to stop, or for a part to fail, and stops everything.
    async fn until(mut self, interrupt: CancellationToken) -> Result<Exit, Failure> {
        let mut database = self.plane.server.state();
        let end = tokio::select! {
            () = interrupt.cancelled() => Ok(()),
            state = database.wait_for(novelfoundry_embedded::postgres::State::is_final) => {
                Err(data_plane::ended(state.ok().as_deref()))
            }
            _ = &mut self.api => Err(died("The API")),
            _ = &mut self.worker => Err(died("The worker")),
            _ = &mut self.s3 => Err(died("The object store")),
        };
        let stopped = self.stop().await;
        end.and(stopped).map(|()| Exit::Done)
    }

    /// Stops in the order in which the parts lean on each other.
    async fn stop(mut self) -> Result<(), Failure> {
        self.tasks.api.cancel();
        wait(&mut self.api).await;
        self.tasks.worker.cancel();
        wait(&mut self.worker).await;
        self.tasks.s3.cancel();
        wait(&mut self.s3).await;
        self.tasks.last.cancel();
        self.state.pid = None;
        let forgotten = forget(&self.state, &self.data_dir);
        let stopped = self.plane.stop().await;
        stopped.and(forgotten)
    }
}

/// Waits for a task, unless it has ended before. How it ended was told by itself.
async fn wait(task: &mut JoinHandle<()>) {
    if !task.is_finished() {
        let _ = task.await;
    }
}

/// Leaves the addresses, but no process. There is no file yet where the start failed early.
fn forget(state: &State, data_dir: &Path) -> Result<(), Failure> {
    if data_dir.join("state.json").exists() { state.write(data_dir) } else { Ok(()) }
}

fn died(part: &str) -> Failure {
    Failure::new(format!("{part} ended unexpectedly"), "Look at the log above, then start again.")
        .exit(Exit::Unavailable)
}
