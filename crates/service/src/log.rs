//! The log of a process, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Our own lines from `info` on, those of the libraries from `error` on, but for Ballista's, whose failures we report
/// ourselves.
const DEFAULT: &str = "error,segmenta=info,ballista_core=off,ballista_executor=off,ballista_scheduler=off";

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Starts the log; `RUST_LOG` says which lines it holds. To be called once, before anything is logged.
pub fn init(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).with_target(false).init(),
        LogFormat::Json => log.json().init(),
    }
}
