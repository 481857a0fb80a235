//! `segmenta`: segments a customer base, from thousands of rows to billions.

mod anew;
mod commands;
mod console;
mod loadtest;
mod memory;
mod panics;
mod remote;
mod show;
mod threads;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use mimalloc::MiMalloc;
use segmenta_engine::{EngineError, Fault};
use segmenta_service::log::{self, Detail, LogFormat};

/// The system's allocator keeps the memory that a stage has freed; this one gives it back, so that a later stage can
/// use it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// For the long help.
const AFTER_HELP: &str = "\
Examples:
  segmenta check job.yaml                     what a job would do, and whether it can
  segmenta run job.yaml                       run it here
  segmenta report runs/customers              make its report anew
  segmenta explain runs/customers 4711        why a customer is in its segment
  segmenta compare runs/week-46 runs/week-47  what has changed
  segmenta submit job.yaml --wait             run it on a cluster

`segmenta COMMAND --help` has examples of each command.

Exit codes:
  0  done
  1  the job failed
  2  the spec or the arguments are wrong
  3  input cannot be read
  4  the cluster cannot be reached";

/// Segments a customer base, from thousands of rows to billions.
#[derive(Debug, Parser)]
#[command(name = "segmenta", version, after_long_help = AFTER_HELP, propagate_version = true)]
struct Arguments {
    /// How log lines on standard error are written
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// Print results as JSON, and errors too
    #[arg(long, global = true)]
    json: bool,
    /// Show only results, warnings and errors, no progress
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Write more log lines; given twice, also those of the libraries
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(commands::run::Arguments),
    Check(commands::check::Arguments),
    Report(commands::report::Arguments),
    Explain(commands::explain::Arguments),
    Compare(commands::compare::Arguments),
    Score(commands::score::Arguments),
    Generate(commands::generate::Arguments),
    Loadtest(Box<commands::loadtest::Arguments>),
    Clean(commands::clean::Arguments),
    Coordinator(Box<commands::coordinator::Arguments>),
    Worker(Box<commands::worker::Arguments>),
    Submit(commands::submit::Arguments),
    Jobs(commands::jobs::Arguments),
    Status(commands::status::Arguments),
    Watch(commands::watch::Arguments),
    Cancel(commands::cancel::Arguments),
    Resume(commands::resume::Arguments),
    Health(commands::health::Arguments),
    Schema(commands::schema::Arguments),
    Completions(commands::completions::Arguments),
    #[command(name = segmenta_service::coordinator::checks::COMMAND, hide = true)]
    AnswerCheck,
}

impl Command {
    /// The service that the spans of this process name as their source.
    fn service(&self) -> &'static str {
        match self {
            Self::Coordinator(_) => "segmenta-coordinator",
            Self::Worker(_) => "segmenta-worker",
            _ => "segmenta",
        }
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") => {
            console::set_manner(console::Manner { json: true, quiet: true });
            return failed(&EngineError::spec(error.to_string().trim_start_matches("error: ").trim_end()).into());
        }
        // Help and versions come here as errors, too.
        Err(error) => error.exit(),
    };
    console::set_manner(console::Manner { json: arguments.json, quiet: arguments.quiet });
    let detail = match (arguments.quiet, arguments.verbose) {
        (true, _) => Detail::Warnings,
        (false, 0) => Detail::Usual,
        (false, 1) => Detail::Ours,
        (false, _) => Detail::Everything,
    };
    // Held to the end: dropping it sends what still waits to be exported.
    let _log = match log::init(arguments.log_format, detail, arguments.command.service()) {
        Ok(log) => log,
        Err(error) => return failed(&error.into()),
    };
    panics::log_them();
    let result = match &arguments.command {
        Command::Run(arguments) => commands::run::run(arguments),
        Command::Check(arguments) => commands::check::run(arguments),
        Command::Report(arguments) => commands::report::run(arguments),
        Command::Explain(arguments) => commands::explain::run(arguments),
        Command::Compare(arguments) => commands::compare::run(arguments),
        Command::Score(arguments) => commands::score::run(arguments),
        Command::Generate(arguments) => commands::generate::run(arguments),
        Command::Loadtest(arguments) => commands::loadtest::run(arguments),
        Command::Clean(arguments) => commands::clean::run(arguments),
        Command::Coordinator(arguments) => commands::coordinator::run(arguments),
        Command::Worker(arguments) => commands::worker::run(arguments),
        Command::Submit(arguments) => commands::submit::run(arguments),
        Command::Jobs(arguments) => commands::jobs::run(arguments),
        Command::Status(arguments) => commands::status::run(arguments),
        Command::Watch(arguments) => commands::watch::run(arguments),
        Command::Cancel(arguments) => commands::cancel::run(arguments),
        Command::Resume(arguments) => commands::resume::run(arguments),
        Command::Health(arguments) => commands::health::run(arguments),
        Command::Schema(_) => commands::schema::run(),
        Command::Completions(arguments) => commands::completions::run(arguments, Arguments::command()),
        Command::AnswerCheck => commands::answer_check::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    let code = exit_code(error);
    console::error(error, code);
    ExitCode::from(code)
}

fn exit_code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<EngineError>().map(|error| error.fault) {
        Some(Fault::Spec) => 2,
        Some(Fault::Input) => 3,
        Some(Fault::Cluster) => 4,
        Some(Fault::Output | Fault::Job) | None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
