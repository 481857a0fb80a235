//! `segmenta loadtest`: the same job over more and more rows on more and more workers, and many jobs at once.

use std::path::PathBuf;

use anyhow::bail;
use bytesize::ByteSize;
use clap::Args;
use segmenta_engine::EngineError;
use segmenta_engine::artifact::put;
use segmenta_engine::runtime::{MemoryPlan, runtime_env};
use segmenta_loadtest::generate::{GenerateOptions, Schema};
use segmenta_loadtest::measured::{Burst, BurstJob, FORMAT, Hardware, LoadTest, Run, Settings, table};
use segmenta_loadtest::page::html;
use segmenta_pipeline::location::to_folder_url;
use segmenta_results::words::{count, percent};
use segmenta_service::client::Target;
use segmenta_service::shutdown;
use serde_json::json;
use tokio::task::JoinSet;

use super::current_folder;
use super::embedded::LEAST_MEMORY;
use super::generate::Rows;
use crate::console::{self, line, place, result};
use crate::loadtest::cluster::{LocalCluster, Provision, Scratch};
use crate::loadtest::jobs::{Went, clear, embedded, results, submitted};
use crate::loadtest::template::Template;
use crate::loadtest::{Stores, data};
use crate::remote::Access;

/// With many jobs at once, the pause between two looks at a job is one step longer for each this many jobs.
const JOBS_PER_POLL: usize = 20;

/// Measure a job over several numbers of rows and workers, and many jobs at once
///
/// Generates data for each number of rows, and runs the same job over them. The job runs on an embedded cluster and on
/// clusters of a coordinator and workers, which are started on this machine, or on a cluster that is there already.
/// Writes loadtest.json, loadtest.parquet and loadtest.html, and compares the checksums of all results over the same
/// rows.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta loadtest runs/load --rows 500000,5000000 --workers 0,1,2,4 --repeat 3
  segmenta loadtest runs/load --rows 20000 --workers 2 --repeat 0 --jobs 50
  segmenta loadtest runs/load --spec template.yaml --schema orders --rows 1000000
  segmenta loadtest runs/load --rows 100000000 --coordinator http://coordinator:50050 --work s3://lake/load

A template is a job spec of URLs, with ${data} for the folder of the data (\"${data}/*.parquet\"), ${output} for the
output, and, where needed, ${rows} for the number of customers.

The exit code is 1 when a run failed or results differ; the files are written all the same. docs/load-tests.md says how to read
them.")]
pub(crate) struct Arguments {
    /// The folder or URL to write the results to
    out: String,
    /// Numbers of customers
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "500000")]
    rows: Vec<u64>,
    /// Numbers of workers: 0 is the embedded cluster, others are processes that are started here
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "0,1,2", conflicts_with = "coordinator")]
    workers: Vec<u32>,
    /// Runs for each number of rows and workers
    #[arg(long, value_name = "N", default_value_t = 1)]
    repeat: u32,
    /// Jobs to submit at once to each cluster, besides these runs
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    jobs: usize,
    /// Jobs that a cluster started here runs at once; the others wait
    #[arg(long, value_name = "N", default_value_t = 2)]
    running_jobs: usize,
    /// The job: a spec with ${data} and ${output} [default: K-Means for k of 2 to 8, hierarchy and HDBSCAN]
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// What a row of the data is
    #[arg(long, value_enum, default_value_t = Rows::Features)]
    schema: Rows,
    /// Files to split the data into
    #[arg(long, value_name = "N", default_value_t = GenerateOptions::default().shards)]
    shards: usize,
    /// Seed of the data
    #[arg(long, value_name = "N", default_value_t = GenerateOptions::default().seed)]
    seed: u64,
    /// Folder or URL for the data and outputs, which coordinator and workers can reach [default: work in OUT]
    #[arg(long, value_name = "FOLDER")]
    work: Option<String>,
    /// Tasks that a worker, or the embedded cluster, runs at once
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "coordinator")]
    threads_per_worker: usize,
    /// Memory that each process plans with [default: its part of seven tenths of the machine's]
    #[arg(long, value_name = "SIZE", conflicts_with = "coordinator")]
    memory_per_worker: Option<ByteSize>,
    /// Keep the outputs of the jobs; the data are kept anyway
    #[arg(long)]
    keep: bool,
    /// Run on the cluster of this coordinator (http://host:port) instead of starting any
    #[arg(long, value_name = "URL")]
    coordinator: Option<String>,
    #[command(flatten)]
    access: Access,
}

/// What a load test needs to run its jobs.
struct Driver {
    stores: Stores,
    scratch: Scratch,
    template: Template,
    /// A URL that ends in `/`.
    work: String,
    provision: Provision,
    /// The cluster that is there already.
    target: Option<Target>,
    repeat: u32,
    jobs: usize,
    keep: bool,
}

/// The data of one number of rows: a URL without a `/` at its end.
struct Data {
    rows: u64,
    folder: String,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let here = current_folder();
    let out = to_folder_url(&arguments.out, &here)?;
    let work = match &arguments.work {
        Some(work) => to_folder_url(work, &here)?,
        None => format!("{out}work/"),
    };
    let (rows, workers) = (distinct(&arguments.rows), distinct(&arguments.workers));
    let provision = provision(arguments, &workers)?;
    let schema = arguments.schema.schema();
    let template = Template::new(arguments.spec.as_deref(), schema)?;
    let target = match &arguments.coordinator {
        Some(url) => Some(arguments.access.target(url)?),
        None => None,
    };
    let mut test = LoadTest {
        format: FORMAT,
        segmenta: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        hardware: Hardware::of_this_machine(),
        settings: Settings {
            spec: template.text.clone(),
            schema: schema.file_stem().to_owned(),
            shards: arguments.shards,
            seed: arguments.seed,
            threads_per_worker: target.is_none().then_some(provision.threads),
            memory_per_worker_bytes: target.is_none().then_some(provision.memory),
            coordinator: arguments.coordinator.clone(),
        },
        runs: vec![],
        bursts: vec![],
        scale: vec![],
        agreements: vec![],
    };
    let options: Vec<GenerateOptions> = rows.iter().map(|rows| options(arguments, schema, *rows)).collect();
    for options in &options {
        options.validate().map_err(|error| EngineError::spec(error.to_string()))?;
    }
    let runtime = crate::threads::runtime()?;
    runtime.block_on(async {
        let stores = runtime_env(MemoryPlan::detect())?;
        let (repeat, jobs, keep) = (arguments.repeat, arguments.jobs, arguments.keep);
        let scratch = Scratch::new()?;
        let mut driver =
            Driver { stores: stores.clone(), scratch, template, work, provision, target, repeat, jobs, keep };
        let driven = tokio::select! {
            driven = driver.drive(&options, &workers, &mut test) => driven,
            stop = shutdown::requested() => {
                let why = match stop {
                    Ok(()) => "stopped on request; what was measured until then is written".to_owned(),
                    Err(error) => format!("signals cannot be listened for: {error}"),
                };
                Err(EngineError::job(why))
            }
        };
        test.conclude();
        write(&stores, &out, &test).await?;
        driven
    })?;
    result(|| json!(test), || show(&test, &out))?;
    let faults = test.faults();
    if !faults.is_empty() {
        bail!(EngineError::job(faults.join("; ")));
    }
    Ok(())
}

/// The numbers without repetitions, in the order given.
fn distinct<T: Copy + PartialEq>(numbers: &[T]) -> Vec<T> {
    let mut all = Vec::new();
    for number in numbers {
        if !all.contains(number) {
            all.push(*number);
        }
    }
    all
}

fn options(arguments: &Arguments, schema: Schema, rows: u64) -> GenerateOptions {
    let shards = arguments.shards.min(usize::try_from(rows).unwrap_or(usize::MAX)).max(1);
    GenerateOptions { schema, rows, shards, seed: arguments.seed, ..GenerateOptions::default() }
}

/// The limits of the processes. Refuses arguments that make no load test.
fn provision(arguments: &Arguments, workers: &[u32]) -> Result<Provision, EngineError> {
    let most = workers.iter().copied().max().unwrap_or(0);
    let refused = |why: &str| Err(EngineError::spec(why));
    if arguments.jobs > 0 && most == 0 && arguments.coordinator.is_none() {
        return refused("--jobs needs a coordinator: give --workers 1 or more, or --coordinator");
    }
    if arguments.repeat == 0 && arguments.jobs == 0 {
        return refused("--repeat 0 measures nothing: give --jobs, or --repeat 1 or more");
    }
    if most > 1_000 {
        return refused(
            "--workers: at most 1000 are started on one machine; larger clusters are given by --coordinator",
        );
    }
    if arguments.threads_per_worker == 0 || arguments.running_jobs == 0 {
        return refused("--threads-per-worker and --running-jobs are at least 1");
    }
    let memory = match arguments.memory_per_worker {
        Some(memory) => memory.as_u64(),
        None => {
            let plan = MemoryPlan::detect();
            // The coordinator is a process as well.
            ((plan.pool + plan.store) as u64 / (u64::from(most) + 1)).max(LEAST_MEMORY.as_u64())
        }
    };
    if memory < LEAST_MEMORY.as_u64() {
        return refused(&format!("--memory-per-worker {}: a job needs at least {LEAST_MEMORY}", ByteSize(memory)));
    }
    let (threads, running_jobs) = (arguments.threads_per_worker, arguments.running_jobs);
    Ok(Provision { threads, memory, running_jobs, allow: vec![] })
}

impl Driver {
    /// Makes all runs. One that fails is recorded, and the next one is made.
    ///
    /// # Errors
    /// Data that cannot be generated.
    async fn drive(
        &mut self,
        options: &[GenerateOptions],
        workers: &[u32],
        test: &mut LoadTest,
    ) -> Result<(), EngineError> {
        let mut all = Vec::new();
        for options in options {
            console::step(&format!("data of {} customers", count(options.rows)));
            let folder = data::ensure(&self.stores, &self.work, options).await?;
            all.push(Data { rows: options.rows, folder });
        }
        self.provision.allow = self.allowed(&all)?;
        if let Some(target) = self.target.clone() {
            for data in &all {
                for repeat in 1..=self.repeat {
                    let run = self.run_on(&target, None, data, None, repeat).await;
                    self.record(test, run);
                }
                if self.jobs > 0 {
                    let burst = self.burst(&target, None, data, None).await;
                    record_burst(test, burst);
                }
            }
            return Ok(());
        }
        for workers in workers {
            if *workers == 0 {
                for data in &all {
                    for repeat in 1..=self.repeat {
                        let run = self.run_embedded(data, repeat).await;
                        self.record(test, run);
                    }
                }
            } else {
                self.on_workers(*workers, &all, test).await;
            }
        }
        Ok(())
    }

    /// What a coordinator has to allow: the work folder, and where the template reads from.
    fn allowed(&self, all: &[Data]) -> Result<Vec<String>, EngineError> {
        let mut allowed = vec![self.work.clone()];
        for data in all {
            for source in self.template.sources(&data.folder, &self.output("x"), data.rows)? {
                let fixed = source.find(['*', '?', '[', '{']).map_or(source.as_str(), |glob| &source[..glob]);
                let folder = fixed.rfind('/').map_or(fixed, |end| &fixed[..=end]).to_owned();
                if !allowed.iter().any(|prefix| folder.starts_with(prefix)) {
                    allowed.push(folder);
                }
            }
        }
        Ok(allowed)
    }

    fn output(&self, name: &str) -> String {
        format!("{}runs/{name}", self.work)
    }

    fn record(&self, test: &mut LoadTest, run: Run) {
        match (&run.seconds, &run.failure) {
            (Some(seconds), _) => console::step(&format!("{}: {seconds:.2} s", run.name)),
            (None, failure) => console::step(&format!("{}: failed: {}", run.name, failure.as_deref().unwrap_or("?"))),
        }
        test.runs.push(run);
    }

    async fn run_embedded(&self, data: &Data, repeat: u32) -> Run {
        let name = name(data.rows, Some(0), &format!("repeat-{repeat}"));
        let output = self.output(&name);
        let outcome = async {
            clear(&self.stores, &output).await?;
            let spec = self.template.fill(&data.folder, &output, data.rows);
            embedded(&spec, &self.provision, &self.scratch).await
        };
        let outcome = outcome.await;
        self.finished(name, data, Some(0), repeat, outcome, None).await
    }

    /// Runs and jobs on a cluster of its own, which is started anew when one of its processes has ended.
    async fn on_workers(&self, workers: u32, all: &[Data], test: &mut LoadTest) {
        let mut cluster: Option<LocalCluster> = None;
        for data in all {
            for repeat in 1..=self.repeat {
                let run = match self.started(&mut cluster, workers).await {
                    Ok(there) => {
                        let target = there.target.clone();
                        self.run_on(&target, Some(there), data, Some(workers), repeat).await
                    }
                    Err(error) => {
                        let name = name(data.rows, Some(workers), &format!("repeat-{repeat}"));
                        self.finished(name, data, Some(workers), repeat, Err(error), None).await
                    }
                };
                let failed = run.failure.is_some();
                self.record(test, run);
                // A run that failed may have left something behind on its cluster.
                if failed {
                    cluster = None;
                }
            }
            if self.jobs > 0 {
                let burst = match self.started(&mut cluster, workers).await {
                    Ok(there) => {
                        let target = there.target.clone();
                        self.burst(&target, Some(there), data, Some(workers)).await
                    }
                    Err(error) => {
                        let name = name(data.rows, Some(workers), "jobs");
                        let failed = || Went { failure: Some(error.message.clone()), ..Went::default() };
                        let jobs = (0..self.jobs).map(|_| burst_job(failed(), None)).collect();
                        Burst::new(name, data.rows, Some(workers), jobs, None)
                    }
                };
                if burst.failures > 0 {
                    cluster = None;
                }
                record_burst(test, burst);
            }
        }
    }

    async fn started<'a>(
        &self,
        cluster: &'a mut Option<LocalCluster>,
        workers: u32,
    ) -> Result<&'a mut LocalCluster, EngineError> {
        let there = match cluster.take() {
            Some(there) => there,
            None => LocalCluster::start(workers, &self.provision, &self.scratch).await?,
        };
        Ok(cluster.insert(there))
    }

    /// One job that has a coordinator to itself.
    async fn run_on(
        &self,
        target: &Target,
        mut cluster: Option<&mut LocalCluster>,
        data: &Data,
        workers: Option<u32>,
        repeat: u32,
    ) -> Run {
        let name = name(data.rows, workers, &format!("repeat-{repeat}"));
        let output = self.output(&name);
        if let Some(cluster) = &cluster {
            cluster.reset_peak_memory();
        }
        let outcome = async {
            clear(&self.stores, &output).await?;
            let spec = self.template.fill(&data.folder, &output, data.rows);
            let went = tokio::select! {
                went = submitted(target, spec, 1) => went,
                error = broken(&mut cluster) => return Err(error),
            };
            let seconds = went.seconds();
            match went.failure {
                None => seconds.ok_or_else(|| EngineError::job("the coordinator reported no times")),
                Some(failure) => Err(EngineError::job(failure)),
            }
        };
        let outcome = outcome.await;
        let memory = cluster.as_ref().and_then(|cluster| cluster.peak_memory());
        self.finished(name, data, workers, repeat, outcome, memory).await
    }

    /// The record of a run. Removes what the run has published, unless it is to be kept.
    async fn finished(
        &self,
        name: String,
        data: &Data,
        workers: Option<u32>,
        repeat: u32,
        outcome: Result<f64, EngineError>,
        memory: Option<u64>,
    ) -> Run {
        let output = self.output(&name);
        let read = match outcome {
            Ok(seconds) => results(&self.stores, &output).await.map(|results| (seconds, results)),
            Err(error) => Err(error),
        };
        let mut run = Run {
            name,
            rows: data.rows,
            workers,
            repeat,
            seconds: None,
            rows_per_second: None,
            source_rows: None,
            speed_up: None,
            efficiency: None,
            stages: vec![],
            worker_peak_memory_bytes: memory,
            tables_sha256: None,
            failure: None,
        };
        match read {
            Ok((seconds, results)) => {
                run.seconds = Some(seconds);
                run.source_rows = results.source_rows;
                run.stages = results.stages;
                run.tables_sha256 = Some(results.tables_sha256);
            }
            Err(error) => run.failure = Some(error.message),
        }
        self.tidy(&output).await;
        run
    }

    /// Removes an output that is not to be kept.
    async fn tidy(&self, output: &str) {
        if !self.keep {
            self.clear(output).await;
        }
    }

    /// Removes what is there, or says why it cannot.
    async fn clear(&self, output: &str) {
        if let Err(error) = clear(&self.stores, output).await {
            tracing::warn!(target: "segmenta", "{error}");
        }
    }

    /// Many jobs at once, each with an output of its own.
    async fn burst(
        &self,
        target: &Target,
        mut cluster: Option<&mut LocalCluster>,
        data: &Data,
        workers: Option<u32>,
    ) -> Burst {
        let name = name(data.rows, workers, "jobs");
        let outputs: Vec<String> = (1..=self.jobs).map(|i| self.output(&format!("{name}/{i}"))).collect();
        for output in &outputs {
            // What an earlier load test has left there belongs to another job.
            self.clear(output).await;
        }
        let pause = (1 + self.jobs / JOBS_PER_POLL) as u32;
        let mut jobs = JoinSet::new();
        for (i, output) in outputs.iter().enumerate() {
            let (target, spec) = (target.clone(), self.template.fill(&data.folder, output, data.rows));
            jobs.spawn(async move { (i, submitted(&target, spec, pause).await) });
        }
        let mut all: Vec<Went> = outputs.iter().map(|_| Went::default()).collect();
        let mut waiting = vec![true; outputs.len()];
        loop {
            tokio::select! {
                next = jobs.join_next() => match next {
                    None => break,
                    Some(Ok((i, went))) => (all[i], waiting[i]) = (went, false),
                    Some(Err(error)) => tracing::warn!(target: "segmenta", "{error}"),
                },
                error = broken(&mut cluster) => {
                    let rest = all.iter_mut().zip(&waiting).filter(|(_, waits)| **waits);
                    rest.for_each(|(went, _)| went.failure = Some(error.message.clone()));
                    break;
                }
            }
        }
        drop(jobs);
        let seconds = span(&all);
        let mut done = Vec::new();
        for (mut went, output) in all.into_iter().zip(&outputs) {
            let read = if went.failure.is_none() { Some(results(&self.stores, output).await) } else { None };
            let sha256 = match read {
                Some(Ok(results)) => Some(results.tables_sha256),
                Some(Err(error)) => {
                    went.failure = Some(error.message);
                    None
                }
                None => None,
            };
            done.push(burst_job(went, sha256));
            self.tidy(output).await;
        }
        Burst::new(name, data.rows, workers, done, seconds)
    }
}

/// Completes when a process of the cluster has ended; never for a cluster that was there already.
async fn broken(cluster: &mut Option<&mut LocalCluster>) -> EngineError {
    match cluster {
        Some(cluster) => cluster.broken().await,
        None => std::future::pending().await,
    }
}

/// Seconds from the first submission to the last end.
fn span(all: &[Went]) -> Option<f64> {
    let first = all.iter().filter_map(|went| went.submitted).min_by(f64::total_cmp)?;
    let last = all.iter().filter_map(|went| went.finished).max_by(f64::total_cmp)?;
    Some(last - first)
}

fn burst_job(went: Went, tables_sha256: Option<String>) -> BurstJob {
    let (seconds, waited_seconds) = (went.seconds(), went.waited());
    BurstJob { id: went.id, seconds, waited_seconds, tables_sha256, failure: went.failure }
}

fn record_burst(test: &mut LoadTest, burst: Burst) {
    let jobs = burst.jobs.len();
    match burst.latency {
        Some(latency) => console::step(&format!(
            "{}: {} of {jobs} jobs done, p50 {:.2} s, p99 {:.2} s",
            burst.name,
            jobs - burst.failures,
            latency.p50,
            latency.p99
        )),
        None => console::step(&format!("{}: none of {jobs} jobs done", burst.name)),
    }
    test.bursts.push(burst);
}

/// The name of a run and of its output.
fn name(rows: u64, workers: Option<u32>, what: &str) -> String {
    let place = match workers {
        None => "cluster".to_owned(),
        Some(0) => "embedded".to_owned(),
        Some(n) => format!("workers-{n}"),
    };
    format!("rows-{rows}-{place}-{what}")
}

async fn write(stores: &Stores, out: &str, test: &LoadTest) -> Result<(), EngineError> {
    let document = serde_json::to_vec_pretty(test)
        .map_err(|error| EngineError::job(format!("loadtest.json cannot be made: {error}")))?;
    put(stores, &format!("{out}loadtest.json"), document).await?;
    put(stores, &format!("{out}loadtest.parquet"), table(test)?).await?;
    put(stores, &format!("{out}loadtest.html"), html(test)?).await
}

fn show(test: &LoadTest, out: &str) -> std::io::Result<()> {
    let known = |value: Option<f64>, text: &dyn Fn(f64) -> String| value.map_or_else(|| "-".to_owned(), text);
    let seconds = |value: f64| format!("{value:.2} s");
    let whole = |value: f64| count(value.round() as u64);
    let place_of = |workers: Option<u32>| match workers {
        None => "existing".to_owned(),
        Some(0) => "embedded".to_owned(),
        Some(n) => n.to_string(),
    };
    if !test.scale.is_empty() {
        let header = ["customers", "workers", "runs", "failed", "median", "customers/s", "speed-up", "efficiency"];
        let rows: Vec<Vec<String>> = test
            .scale
            .iter()
            .map(|scale| {
                vec![
                    count(scale.rows),
                    place_of(scale.workers),
                    scale.runs.to_string(),
                    scale.failures.to_string(),
                    known(scale.seconds, &seconds),
                    known(scale.rows_per_second, &whole),
                    known(scale.speed_up, &|value| format!("{value:.2}")),
                    known(scale.efficiency, &percent),
                ]
            })
            .collect();
        line(&console::table(&header.map(str::to_owned), &[], &rows).to_string())?;
    }
    if !test.bursts.is_empty() {
        let header = ["customers", "workers", "jobs at once", "failed", "p50", "p90", "p99", "jobs/h"];
        let rows: Vec<Vec<String>> = test
            .bursts
            .iter()
            .map(|burst| {
                let latency = burst.latency;
                vec![
                    count(burst.rows),
                    place_of(burst.workers),
                    burst.jobs.len().to_string(),
                    burst.failures.to_string(),
                    known(latency.map(|latency| latency.p50), &seconds),
                    known(latency.map(|latency| latency.p90), &seconds),
                    known(latency.map(|latency| latency.p99), &seconds),
                    known(burst.jobs_per_hour, &whole),
                ]
            })
            .collect();
        line(&console::table(&header.map(str::to_owned), &[], &rows).to_string())?;
    }
    for agreement in test.agreements.iter().filter(|agreement| agreement.results > 1) {
        let (rows, results) = (count(agreement.rows), agreement.results);
        match agreement.differing.len() {
            0 => line(&format!("{rows} customers: all {results} results are the same tables"))?,
            n => line(&format!("{rows} customers: {n} of {results} results DIFFER from the first one"))?,
        }
    }
    line(&format!("open {}loadtest.html to look at it", place(out)))
}
