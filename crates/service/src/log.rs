//! The log of a process, on standard error, and its spans for OpenTelemetry where a collector is configured.

use std::io::IsTerminal;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, Tracer};
use segmenta_engine::{EngineError, Result};
use tokio::runtime::Runtime;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// The variables of OpenTelemetry that name a collector. Each of them turns the export on.
pub(crate) const COLLECTOR: &[&str] = &["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Which lines the log has, unless `RUST_LOG` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Our warnings, and everybody's errors.
    Warnings,
    /// Ours from `info` on.
    Usual,
    /// Ours from `debug` on.
    Ours,
    /// Ours from `debug` on, and the libraries' from `info` on.
    Everything,
}

impl Detail {
    /// Ballista is silent, as we report its failures ourselves.
    fn filter(self) -> &'static str {
        match self {
            Self::Warnings => "error,segmenta=warn,ballista_core=off,ballista_executor=off,ballista_scheduler=off",
            Self::Usual => "error,segmenta=info,ballista_core=off,ballista_executor=off,ballista_scheduler=off",
            Self::Ours => "error,segmenta=debug,ballista_core=off,ballista_executor=off,ballista_scheduler=off",
            Self::Everything => "info,segmenta=debug",
        }
    }
}

/// The log of this process. Dropping it sends what waits for the collector.
#[derive(Debug)]
#[must_use = "what waits for the collector is sent when this is dropped"]
pub struct Log(Option<Export>);

/// Sends spans in batches, on a thread that nothing else waits for.
#[derive(Debug)]
struct Export {
    provider: SdkTracerProvider,
    /// Runs the connection to the collector.
    runtime: Runtime,
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(Export { provider, runtime }) = self.0.take() {
            if let Err(error) = provider.shutdown() {
                tracing::warn!(%error, "the last spans did not reach the collector");
            }
            runtime.shutdown_background();
        }
    }
}

/// Starts the log. `RUST_LOG` says which lines it holds, or `detail` if that is not set. Spans go over gRPC to the
/// collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names; they come from `service`, unless `OTEL_SERVICE_NAME` says
/// otherwise. Call it only once, before anything is logged.
///
/// # Errors
/// A collector's address, or another variable of OpenTelemetry, that is not valid.
pub fn init(format: LogFormat, detail: Detail, service: &'static str) -> Result<Log> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(detail.filter()));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let export = if COLLECTOR.iter().any(is_set) { Some(Export::start(service)?) } else { None };
    let spans = export.as_ref().map(|export| {
        // Only our own spans are exported, as the connection to the collector makes spans, too.
        let ours = Targets::new().with_target("segmenta", LevelFilter::DEBUG);
        tracing_opentelemetry::layer().with_tracer(export.tracer()).with_filter(ours)
    });
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(spans).init();
    Ok(Log(export))
}

impl Export {
    fn start(service: &'static str) -> Result<Self> {
        let wrong = |error: &dyn std::fmt::Display| EngineError::spec(format!("OTEL_EXPORTER_OTLP_ENDPOINT: {error}"));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("segmenta-telemetry")
            .enable_all()
            .build()
            .map_err(|error| EngineError::job(format!("threads cannot be started: {error}")))?;
        let in_runtime = runtime.enter();
        let exporter = SpanExporter::builder().with_tonic().build().map_err(|error| wrong(&error))?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(service);
        }
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
        drop(in_runtime);
        Ok(Self { provider, runtime })
    }

    fn tracer(&self) -> Tracer {
        self.provider.tracer("segmenta")
    }
}
