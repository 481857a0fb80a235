//! `segmenta`: segments a customer base, from thousands of rows to billions.

mod commands;
mod console;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use segmenta_engine::{EngineError, Fault};
use tracing_subscriber::EnvFilter;

const DEFAULT_LOG: &str = "error,segmenta=info,ballista_core=off,ballista_executor=off,ballista_scheduler=off";

/// What the exit codes mean, for the long help.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the job failed
  2  the spec or the arguments are wrong
  3  input cannot be read
  4  the cluster cannot be reached";

/// Segments a customer base, from thousands of rows to billions.
#[derive(Debug, Parser)]
#[command(name = "segmenta", version, after_long_help = EXIT_CODES, propagate_version = true)]
struct Arguments {
    /// How log lines on standard error are written
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(commands::run::Arguments),
    Check(commands::check::Arguments),
    Generate(commands::generate::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    set_up_log(arguments.log_format);
    let result = match &arguments.command {
        Command::Run(arguments) => commands::run::run(arguments),
        Command::Check(arguments) => commands::check::run(arguments),
        Command::Generate(arguments) => commands::generate::run(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::error(&error);
            ExitCode::from(exit_code(&error))
        }
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<EngineError>().map(|error| error.fault) {
        Some(Fault::Spec) => 2,
        Some(Fault::Input) => 3,
        Some(Fault::Cluster) => 4,
        Some(Fault::Output | Fault::Job) | None => 1,
    }
}

/// Our own lines from `info` on, those of the libraries from `error` on, but for Ballista's, whose failures we report
/// ourselves. `RUST_LOG` says otherwise.
fn set_up_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_LOG));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).with_target(false).init(),
        LogFormat::Json => log.json().init(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn faults_have_their_codes() {
        let code = |fault| exit_code(&EngineError::new(fault, "x").into());
        assert_eq!([Fault::Job, Fault::Output, Fault::Spec, Fault::Input, Fault::Cluster].map(code), [1, 1, 2, 3, 4]);
        assert_eq!(exit_code(&anyhow::anyhow!("x")), 1);
    }
}
