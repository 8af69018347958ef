//! `novelfoundry serve` and `worker`: the application plane on a data plane that is elsewhere. Both refuse logins that
//! could see past the policies, with no way around.

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    Context, interrupt,
    listeners::listen,
    mail,
    planes::{self, Beside, MAIL_PATIENCE, Public, Trust},
    telemetry,
};
use crate::output::{Exit, Failure};

/// Serves the API on any PostgreSQL, object store and issuer
#[derive(clap::Args)]
pub(crate) struct Serve;

/// Runs jobs on any PostgreSQL and object store
#[derive(clap::Args)]
pub(crate) struct Work;

impl Serve {
    /// Runs until asked to stop.
    pub(crate) async fn run(&self, context: Context) -> Result<Exit, Failure> {
        let config = &context.loaded.config;
        let interrupt = interrupt::token(context.output)?;
        let public_url = config.server.public_url.need()?.as_str().to_owned();
        let origins = config.server.allowed_origins.need()?.0.clone();
        let trust = Trust::from_config(config)?;
        let listener = listen("listen", config.server.listen, None).await?;
        let metrics = telemetry::listener(&context, None).await?;
        let recorder = telemetry::recorder()?;
        let data = tokio::select! {
            data = planes::open(config, "api") => data?,
            () = interrupt.cancelled() => return Ok(Exit::Done),
        };
        let verifier = trust.verifier(data.clock.clone())?;
        let mailer = mail::mailer(config, &config.embedded.data_dir, &data.clock)?;
        mail::make_outbox(&mailer)?;
        let public = Public { url: public_url.clone(), allowed_origins: origins };
        let issuer = Beside::nothing();
        let router = planes::api(&data, config, verifier, mailer.clone(), public, issuer);
        let metrics = metrics_tasks(metrics, recorder, &data, &interrupt);
        let address = listener.local_addr().map_or(config.server.listen, |address| address);
        context
            .output
            .say(&format!("Serving on {address}; clients use {public_url}, docs at {public_url}/docs."));
        novelfoundry_api::serve(listener, router, interrupt).await;
        mailer.close(MAIL_PATIENCE).await;
        drop(metrics);
        Ok(Exit::Done)
    }
}

impl Work {
    /// Runs until asked to stop.
    pub(crate) async fn run(&self, context: Context) -> Result<Exit, Failure> {
        let config = &context.loaded.config;
        let interrupt = interrupt::token(context.output)?;
        // On one machine with `serve`, whose metrics keep the address.
        let metrics = telemetry::listener(&context, None).await?;
        let recorder = telemetry::recorder()?;
        let data = tokio::select! {
            data = planes::open(config, "worker") => data?,
            () = interrupt.cancelled() => return Ok(Exit::Done),
        };
        let worker = planes::worker(&data, config, None);
        let metrics = metrics_tasks(metrics, recorder, &data, &interrupt);
        context.output.say("Working; Ctrl-C lets running jobs end first.");
        worker.run(interrupt).await;
        drop(metrics);
        Ok(Exit::Done)
    }
}

fn metrics_tasks(
    listener: Option<TcpListener>,
    recorder: metrics_exporter_prometheus::PrometheusHandle,
    data: &planes::Data,
    shutdown: &CancellationToken,
) -> tokio::task::JoinSet<()> {
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(telemetry::upkeep(recorder.clone(), shutdown.clone()));
    if let Some(listener) = listener {
        tasks.spawn(telemetry::serve(listener, recorder, data.control.clone(), shutdown.clone()));
    }
    tasks
}
