//! Logs on standard error, and metrics for Prometheus on a listener of their own.

use std::{
    io::{self, IsTerminal as _},
    net::SocketAddr,
    time::Duration,
};

use axum::{Router, extract::State, http::header, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use novelfoundry_core::report;
use novelfoundry_database::{ControlDb, jobs};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::{Context, listeners::listen};
use crate::{
    config::{LogFormat, LogLevel, LogSettings},
    output::Failure,
};

/// Upper bounds of the buckets of times, in seconds.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// Upper bounds of the buckets of attempts.
const ATTEMPTS: [f64; 5] = [1.0, 2.0, 3.0, 5.0, 12.0];
/// How often old samples are folded where nobody reads them.
const UPKEEP: Duration = Duration::from_secs(30);

/// Starts to log.
pub(crate) fn log(settings: &LogSettings) {
    let level = match settings.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // Libraries tell requests with their whole URLs when asked for more, and a signed URL is a right.
    // `s3s` calls every missing object an error; the store reports its own faults.
    let targets = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("s3s", LevelFilter::OFF)
        .with_target("novelfoundry", level);
    let registry = tracing_subscriber::registry().with(targets);
    let terminal = io::stderr().is_terminal();
    let layer = tracing_subscriber::fmt::layer().with_writer(move || Lines { terminal });
    let text = match settings.format {
        LogFormat::Auto => terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    // A second subscriber would be refused; there is none.
    let _ = if text {
        let color = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        registry.with(layer.with_ansi(color).with_target(false)).try_init()
    } else {
        registry.with(layer.json().flatten_event(true).with_span_list(false)).try_init()
    };
}

/// Standard error, where a line of the log takes the place of a spinner that is half a line.
struct Lines {
    terminal: bool,
}

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut stderr = io::stderr().lock();
        if self.terminal {
            stderr.write_all(b"\r\x1b[2K")?;
        }
        stderr.write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Starts to count.
pub(crate) fn recorder() -> Result<PrometheusHandle, Failure> {
    let unused = |error: metrics_exporter_prometheus::BuildError| {
        Failure::new("Metrics cannot be recorded", "Report this as a defect.").because(error)
    };
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Suffix("_attempts".to_owned()), &ATTEMPTS)
        })
        .map_err(unused)?
        .install_recorder()
        .map_err(unused)
}

/// Serves `/metrics` until `shutdown`.
pub(crate) async fn serve(
    listener: TcpListener,
    recorder: PrometheusHandle,
    control: ControlDb,
    shutdown: CancellationToken,
) {
    let app = Router::new().route("/metrics", get(render)).with_state((recorder, control));
    let served = axum::serve(listener, app).with_graceful_shutdown(shutdown.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "metrics are no longer served");
    }
}

/// Keeps memory bounded where nobody reads the metrics; ends with `shutdown`.
pub(crate) async fn upkeep(recorder: PrometheusHandle, shutdown: CancellationToken) {
    while tokio::time::timeout(UPKEEP, shutdown.cancelled()).await.is_err() {
        recorder.run_upkeep();
    }
}

async fn render(State((recorder, control)): State<(PrometheusHandle, ControlDb)>) -> impl IntoResponse {
    match jobs::depth(&control).await {
        Ok(depth) => {
            for state in ["queued", "running"] {
                let found = depth.iter().find(|row| row.state == state);
                let jobs = found.map_or(0, |row| i32::try_from(row.jobs).unwrap_or(i32::MAX));
                metrics::gauge!("novelfoundry_jobs", "state" => state).set(jobs);
                metrics::gauge!("novelfoundry_jobs_oldest_seconds", "state" => state)
                    .set(found.map_or(0.0, |row| row.oldest_seconds));
            }
        }
        Err(error) => {
            tracing::warn!(error = report(&error), "the queue's depth is not known to the metrics");
        }
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], recorder.render())
}

/// Takes the address of the metrics, unless it is off. Where nobody chose it, its being taken is no reason not to start.
pub(crate) async fn listener(
    context: &Context,
    last: Option<SocketAddr>,
) -> Result<Option<TcpListener>, Failure> {
    let Some(wanted) = context.loaded.config.server.metrics_listen.0 else { return Ok(None) };
    match listen("metrics-listen", wanted, last).await {
        Ok(listener) => Ok(Some(listener)),
        Err(failure) if context.loaded.is_given("metrics_listen") => Err(failure),
        Err(failure) => {
            context
                .output
                .say(&format!("Metrics are off: {failure}; choose an address with --metrics-listen."));
            Ok(None)
        }
    }
}
