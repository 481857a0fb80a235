//! One job on an embedded cluster or on a coordinator, and what it has published.

use std::fs;
use std::time::{Duration, Instant};

use segmenta_engine::artifact::get;
use segmenta_engine::{EngineError, Fault};
use segmenta_loadtest::measured::tables_sha256;
use segmenta_pipeline::work::remove_all;
use segmenta_results::cost::StageReport;
use segmenta_results::manifest::read_manifest;
use segmenta_service::api::{GetRequest, Job, JobSource, JobState, SubmitRequest};
use segmenta_service::client::{Client, Target, explain};
use serde_json::Value;
use url::Url;

use super::Stores;
use super::cluster::{Process, Provision, Scratch};
use crate::remote::{is_over, job_of, result_of};

/// Pause between two looks at an embedded run. Its seconds are exact to this.
const LOOK: Duration = Duration::from_millis(5);

/// Pause between two looks at a job. The job's times do not depend on it, as they come from the coordinator's clock.
const POLL: Duration = Duration::from_millis(100);

/// A coordinator that has not answered for this long counts as gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a job went at a coordinator.
#[derive(Debug, Default)]
pub(crate) struct Went {
    pub(crate) id: String,
    /// Seconds since 1970.
    pub(crate) submitted: Option<f64>,
    pub(crate) started: Option<f64>,
    pub(crate) finished: Option<f64>,
    pub(crate) failure: Option<String>,
}

impl Went {
    /// From submission to its end.
    pub(crate) fn seconds(&self) -> Option<f64> {
        Some(self.finished? - self.submitted?)
    }

    /// From submission to its start.
    pub(crate) fn waited(&self) -> Option<f64> {
        Some(self.started? - self.submitted?)
    }
}

/// The part of a job's results that a load test needs.
pub(crate) struct Results {
    pub(crate) tables_sha256: String,
    pub(crate) stages: Vec<StageReport>,
    pub(crate) source_rows: Option<u64>,
}

/// Reads what is published under `output`, a URL without a `/` at its end.
///
/// # Errors
/// Nothing is published there, or it is damaged.
pub(crate) async fn results(stores: &Stores, output: &str) -> Result<Results, EngineError> {
    let output = format!("{output}/");
    let gone = |name: &str| EngineError::input(format!("{output}{name}: is not there, though the job is done"));
    let manifest = read_manifest(stores, &output).await?.ok_or_else(|| gone("manifest.json"))?;
    let metrics = manifest.document("metrics.json").ok_or_else(|| gone("metrics.json"))?;
    let metrics = get(stores, &format!("{output}{}", metrics.path)).await?.ok_or_else(|| gone("metrics.json"))?;
    let damaged = |error: serde_json::Error| EngineError::input(format!("{output}metrics.json: {error}"));
    let metrics: Value = serde_json::from_slice(&metrics).map_err(damaged)?;
    let stages = serde_json::from_value(metrics["stages"].clone()).map_err(damaged)?;
    Ok(Results { tables_sha256: tables_sha256(&manifest), stages, source_rows: metrics["rows"]["source"].as_u64() })
}

/// Removes an output.
///
/// # Errors
/// A place that cannot be written to.
pub(crate) async fn clear(stores: &Stores, output: &str) -> Result<(), EngineError> {
    let local = Url::parse(output).ok().filter(|url| url.scheme() == "file").and_then(|url| url.to_file_path().ok());
    match local.map(fs::remove_dir_all) {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Some(Err(error)) => Err(EngineError::output(format!("{output}: cannot be removed: {error}"))),
        None => remove_all(stores, &format!("{output}/")).await,
    }
}

/// Runs a spec in a process of its own, and returns its seconds.
///
/// # Errors
/// Why it failed.
pub(crate) async fn embedded(spec: &str, provision: &Provision, scratch: &Scratch) -> Result<f64, EngineError> {
    let file = scratch.path("spec.yaml");
    fs::write(&file, spec)
        .map_err(|error| EngineError::output(format!("{}: cannot be written: {error}", file.display())))?;
    let (threads, memory) = (provision.threads.to_string(), provision.memory.to_string());
    let file = file.display().to_string();
    let arguments = ["run", &file, "--fresh", "--quiet", "--json", "--threads", &threads, "--memory", &memory];
    let arguments = arguments.map(str::to_owned);
    let started = Instant::now();
    let mut process = Process::start("the run", &arguments, scratch)?;
    loop {
        if let Some(status) = process.ended() {
            if status.success() {
                return Ok(started.elapsed().as_secs_f64());
            }
            let said = process.last_words();
            let error = said.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
            let told = error.and_then(|error| error["error"].as_str().map(str::to_owned));
            return Err(EngineError::job(told.unwrap_or_else(|| format!("the run ended with {status}; {said}"))));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Submits a spec of URLs, waits until it is over, and tells how it went.
pub(crate) async fn submitted(target: &Target, spec: String, pause: u32) -> Went {
    let mut went = Went::default();
    if let Err(error) = submit_and_wait(target, spec, POLL * pause.max(1), &mut went).await {
        went.failure = Some(error.message);
    }
    went
}

async fn submit_and_wait(target: &Target, spec: String, pause: Duration, went: &mut Went) -> Result<(), EngineError> {
    let mut client = target.connect().await?;
    let source = Some(JobSource { spec, base: String::new() });
    let request = SubmitRequest { source, priority: 0, timeout_seconds: 0, fresh: true };
    let answer = client.submit(request).await.map_err(|status| explain(&status))?;
    let id = job_of(answer.into_inner().job)?.id;
    went.id.clone_from(&id);
    let mut heard = Instant::now();
    loop {
        match ask(&mut client, &id).await {
            Ok(job) if is_over(job.state()) => {
                let seconds = |at: &prost_types::Timestamp| at.seconds as f64 + f64::from(at.nanos) / 1e9;
                went.submitted = job.submitted_at.as_ref().map(seconds);
                went.started = job.started_at.as_ref().map(seconds);
                went.finished = job.finished_at.as_ref().map(seconds);
                return match job.state() {
                    JobState::Cancelled => Err(EngineError::job("somebody cancelled it")),
                    _ => result_of(&job),
                };
            }
            Ok(_) => heard = Instant::now(),
            Err(error) if error.fault != Fault::Cluster || heard.elapsed() > PATIENCE => return Err(error),
            Err(_) => {
                if let Ok(anew) = target.connect().await {
                    client = anew;
                }
            }
        }
        tokio::time::sleep(pause).await;
    }
}

async fn ask(client: &mut Client, id: &str) -> Result<Job, EngineError> {
    let answer = client.get(GetRequest { id: id.to_owned() }).await.map_err(|status| explain(&status))?;
    job_of(answer.into_inner().job)
}
