//! What all commands that talk to a coordinator share: how they reach it, and how they show a job.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use segmenta_engine::tls::TlsClient;
use segmenta_engine::{EngineError, Fault};
use segmenta_service::api::{self, Job, JobState, StageProgress, WatchRequest};
use segmenta_service::client::{Client, Target, explain, read_token};

use segmenta_results::words::{count, plural};
use serde_json::{Value, json};
use url::{Host, Url};

use crate::console;

/// How long to wait for a coordinator that goes away while a job is watched.
const PATIENCE: Duration = Duration::from_secs(300);

/// Pause between two attempts to reach it.
const TRY_AGAIN: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(crate) struct Remote {
    /// The coordinator, http://host:port or https://host:port
    #[arg(long, value_name = "URL", env = "SEGMENTA_COORDINATOR")]
    coordinator: String,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Args)]
pub(crate) struct Access {
    /// File with the token to show to the coordinator [default: the variable SEGMENTA_TOKEN, if it is set]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Authority that the coordinator's certificate has to come from, in PEM [default: the system's authorities]
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
    /// Certificate to show to the coordinator, in PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Key of that certificate
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
}

impl Access {
    /// A coordinator at `url`, with the token to show it.
    pub(crate) fn target(&self, url: &str) -> Result<Target, EngineError> {
        let token = match &self.token_file {
            Some(file) => Some(read_token(file)?),
            None => std::env::var("SEGMENTA_TOKEN").ok().filter(|token| !token.is_empty()),
        };
        let is_plain = Url::parse(url).is_ok_and(|url| {
            let is_here = match url.host() {
                Some(Host::Domain(name)) => name == "localhost",
                Some(Host::Ipv4(address)) => address.is_loopback(),
                Some(Host::Ipv6(address)) => address.is_loopback(),
                None => false,
            };
            url.scheme() == "http" && !is_here
        });
        if token.is_some() && is_plain {
            tracing::warn!(target: "segmenta", "the token goes to {url} unencrypted, and others can read it; use https://");
        }
        let tls = TlsClient {
            authority: self.authority.clone(),
            identity: self.certificate.clone().zip(self.key.clone()),
            server_name: None,
        };
        Ok(Target { coordinator: url.to_owned(), token, tls })
    }
}

impl Remote {
    pub(crate) fn target(&self) -> Result<Target, EngineError> {
        self.access.target(&self.coordinator)
    }
}

/// A job of a coordinator.
#[derive(Debug, Args)]
pub(crate) struct OneJob {
    /// The job's id, as `submit` and `jobs` print it
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

impl OneJob {
    /// Makes one call about the job, and shows the job in the answer.
    pub(crate) fn ask(
        &self,
        call: impl AsyncFnOnce(Client, String) -> Result<Option<Job>, tonic::Status>,
    ) -> anyhow::Result<()> {
        let target = self.remote.target()?;
        let runtime = crate::threads::runtime()?;
        runtime.block_on(async {
            let job = call(target.connect().await?, self.id.clone()).await.map_err(|status| explain(&status))?;
            show_job(&job_of(job)?)?;
            Ok(())
        })
    }
}

/// The job in an answer. A coordinator of this version always sends one.
pub(crate) fn job_of(job: Option<Job>) -> Result<Job, EngineError> {
    job.ok_or_else(|| {
        EngineError::new(Fault::Cluster, "the coordinator answered without a job; does it have this version?")
    })
}

/// Shows a job until it is over. The coordinator may go away and come back meanwhile.
pub(crate) async fn follow(target: &Target, id: &str) -> Result<Job, EngineError> {
    let mut shown = Shown::default();
    let mut away = None;
    loop {
        let error = match follow_once(target, id, &mut shown, &mut away).await {
            Ok(job) => return Ok(job),
            Err(error) if error.fault == Fault::Cluster => error,
            Err(error) => return Err(error),
        };
        let since = *away.get_or_insert_with(|| {
            tracing::warn!(target: "segmenta", "{error}; waiting for the next coordinator, which goes on with the job");
            tokio::time::Instant::now()
        });
        if since.elapsed() > PATIENCE {
            return Err(error);
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

async fn follow_once(
    target: &Target,
    id: &str,
    shown: &mut Shown,
    away: &mut Option<tokio::time::Instant>,
) -> Result<Job, EngineError> {
    let mut client: Client = target.connect().await?;
    let request = WatchRequest { id: id.to_owned() };
    let mut stream = client.watch(request).await.map_err(|status| explain(&status))?.into_inner();
    while let Some(answer) = stream.message().await.map_err(|status| explain(&status))? {
        *away = None;
        let job = job_of(answer.job)?;
        shown.update(&job);
        if is_over(job.state()) {
            return Ok(job);
        }
    }
    Err(EngineError::new(Fault::Cluster, "the coordinator stopped reporting on the job"))
}

/// How much of a job has been shown so far.
#[derive(Default)]
struct Shown {
    complete: Vec<String>,
    warnings: usize,
    attempts: u32,
    bar: Option<(String, ProgressBar)>,
}

impl Shown {
    fn update(&mut self, job: &Job) {
        if job.attempts != self.attempts {
            *self = Self { attempts: job.attempts, ..Self::default() };
        }
        for warning in job.warnings.iter().skip(self.warnings) {
            tracing::warn!(target: "segmenta", "{warning}");
        }
        self.warnings = job.warnings.len();
        for stage in &job.stages {
            if stage.complete && !self.complete.contains(&stage.name) {
                self.clear_bar();
                self.complete.push(stage.name.clone());
                console::stage_complete(&finished(stage));
            }
        }
        match job.stages.last().filter(|stage| !stage.complete) {
            Some(stage) if console::draws() => self.draw(stage),
            _ => self.clear_bar(),
        }
    }

    fn clear_bar(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn draw(&mut self, stage: &StageProgress) {
        if self.bar.as_ref().is_some_and(|(name, _)| *name != stage.name) {
            self.clear_bar();
        }
        let (_, bar) = self.bar.get_or_insert_with(|| (stage.name.clone(), console::task_bar(&stage.name)));
        let (done, total) = if stage.step_total > 0 {
            (stage.step_done, stage.step_total)
        } else {
            (stage.tasks_done, stage.tasks_total)
        };
        bar.set_length(total);
        bar.set_position(done);
        let pass = format!("pass {}", stage.passes + 1);
        bar.set_message(if stage.step.is_empty() { pass } else { stage.step.clone() });
    }
}

fn finished(stage: &StageProgress) -> console::Finished {
    console::Finished {
        stage: stage.name.clone(),
        rows: stage.rows,
        passes: stage.passes,
        seconds: stage.seconds,
        peak_memory_bytes: None,
        resumed: stage.resumed,
    }
}

/// Shows where a job that is over has published its results.
///
/// # Errors
/// Why it has published none.
pub(crate) fn show_result(job: &Job) -> anyhow::Result<()> {
    result_of(job)?;
    console::result(|| job_as_json(job), || console::line(&format!("published: {}", console::place(&job.output))))?;
    Ok(())
}

/// The failure of a job that is over, as an error with its exit code.
pub(crate) fn result_of(job: &Job) -> Result<(), EngineError> {
    match job.state() {
        JobState::Failed => {
            let error = job.error.clone().unwrap_or_default();
            let fault = match error.fault() {
                api::Fault::Spec => Fault::Spec,
                api::Fault::Input => Fault::Input,
                api::Fault::Cluster => Fault::Cluster,
                api::Fault::Output => Fault::Output,
                api::Fault::Job | api::Fault::Unspecified => Fault::Job,
            };
            Err(EngineError::new(fault, error.message))
        }
        JobState::Cancelled => Err(EngineError::job(format!("{} was cancelled; resume it to go on", job.id))),
        _ => Ok(()),
    }
}

pub(crate) fn is_over(state: JobState) -> bool {
    matches!(state, JobState::Done | JobState::Failed | JobState::Cancelled)
}

pub(crate) fn state_name(state: JobState) -> &'static str {
    match state {
        JobState::Waiting => "waiting",
        JobState::Running => "running",
        JobState::Done => "done",
        JobState::Failed => "failed",
        JobState::Cancelled => "cancelled",
        JobState::Unspecified => "unknown",
    }
}

fn when(at: Option<&prost_types::Timestamp>) -> String {
    at.and_then(|at| chrono::DateTime::from_timestamp(at.seconds, 0))
        .map_or_else(String::new, |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// The stage that a job is at.
fn at_stage(job: &Job) -> String {
    match (job.state(), job.stages.last()) {
        (JobState::Running, Some(stage)) => stage.name.clone(),
        _ => String::new(),
    }
}

/// A table of jobs.
pub(crate) fn show_jobs(jobs: &[Job]) -> io::Result<()> {
    let row = |job: &Job| {
        vec![
            job.id.clone(),
            state_name(job.state()).to_owned(),
            at_stage(job),
            when(job.submitted_at.as_ref()),
            job.output.clone(),
        ]
    };
    let header = ["job", "state", "at", "submitted", "output"].map(str::to_owned);
    console::result(
        || Value::Array(jobs.iter().map(job_as_json).collect()),
        || match jobs {
            [] => console::line("no jobs"),
            jobs => {
                let rows: Vec<Vec<String>> = jobs.iter().map(row).collect();
                console::line(&console::table(&header, &[0, 1, 2, 3, 4], &rows).to_string())
            }
        },
    )
}

/// A job as JSON, with times as RFC 3339 in UTC.
fn job_as_json(job: &Job) -> Value {
    let at = |at: Option<&prost_types::Timestamp>| {
        let at = at.and_then(|at| chrono::DateTime::from_timestamp(at.seconds, 0));
        at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
    };
    let stage = |stage: &StageProgress| {
        json!({
            "stage": stage.name,
            "rows": stage.rows,
            "passes": stage.passes,
            "seconds": stage.seconds,
            "complete": stage.complete,
            "resumed": stage.resumed,
            "step": stage.step,
        })
    };
    json!({
        "id": job.id,
        "state": state_name(job.state()),
        "output": job.output,
        "owner": job.owner,
        "attempts": job.attempts,
        "submitted_at": at(job.submitted_at.as_ref()),
        "started_at": at(job.started_at.as_ref()),
        "finished_at": at(job.finished_at.as_ref()),
        "stages": job.stages.iter().map(stage).collect::<Vec<_>>(),
        "warnings": job.warnings,
        "error": job.error.as_ref().map(|error| &error.message),
    })
}

/// One job, with its stages.
fn show_job(job: &Job) -> io::Result<()> {
    console::result(|| job_as_json(job), || show_job_in_words(job))
}

fn show_job_in_words(job: &Job) -> io::Result<()> {
    console::line(&format!("job {}: {}", job.id, state_name(job.state())))?;
    console::line(&format!("  publishes to {}", job.output))?;
    let mut said = format!("  submitted {}", when(job.submitted_at.as_ref()));
    if !job.owner.is_empty() {
        said += &format!(" by {}", job.owner);
    }
    for (word, at) in [("started", &job.started_at), ("finished", &job.finished_at)] {
        if at.is_some() {
            said += &format!(", {word} {}", when(at.as_ref()));
        }
    }
    if job.attempts > 1 {
        said += &format!(", attempt {}", job.attempts);
    }
    console::line(&said)?;
    for stage in &job.stages {
        let how = match (stage.complete, stage.resumed) {
            (true, true) => "done by an earlier run".to_owned(),
            (true, false) => {
                format!("{} {}, {:.1} s", stage.passes, plural(stage.passes, "pass", "passes"), stage.seconds)
            }
            (false, _) => {
                let step =
                    if stage.step.is_empty() { format!("pass {}", stage.passes + 1) } else { stage.step.clone() };
                format!("{step}, {} of {} partitions", stage.tasks_done, stage.tasks_total)
            }
        };
        console::line(&format!("  {:<9} {:>13} rows, {how}", stage.name, count(stage.rows)))?;
    }
    for warning in &job.warnings {
        console::line(&format!("  warning: {warning}"))?;
    }
    if let Some(error) = &job.error {
        console::line(&format!("  error: {}", error.message))?;
    }
    Ok(())
}
