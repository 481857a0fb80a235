//! The queue of jobs, and the drivers of those that run.
//!
//! A job's record is written before anybody is told of a change that has to outlive this process: that it was submitted,
//! was started, or is over. Progress in between is told at once, without waiting for the record.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use parking_lot::Mutex;
use segmenta_engine::cluster::{Cluster, PlanProgress};
use segmenta_engine::{EngineError, Result};
use segmenta_pipeline::job::RunOptions;
use segmenta_pipeline::lease::{LeaseOptions, is_lost};
use segmenta_pipeline::observer::Observer;
use segmenta_pipeline::submission::Submission;
use segmenta_results::cost::StageReport;
use tokio::sync::{Notify, oneshot, watch};
use tracing::Instrument;
use uuid::Uuid;

use super::allowed::Allowed;
use super::checks::{Checked, Checks};
use super::record::{Failure, Record, Records, Request, Stage, State, parse};
use super::refusal::Refusal;
use crate::metrics::{CoordinatorMetrics, StateLabel};

/// A job fails when this many coordinators in a row died while they drove it, so that it does not kill another one.
const MOST_ATTEMPTS: u32 = 5;

/// A job that was started this often and never came to an end runs alone.
const CUT_OFF: u32 = 2;

/// The most jobs in a list.
const LONGEST_LIST: usize = 1_000;

/// Pause between two attempts to write a record.
const SAVE_AGAIN: Duration = Duration::from_secs(1);

/// Longest part of an id that comes from the job's name.
const NAME_IN_ID: usize = 40;

/// The limits of what a coordinator takes on.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Jobs that run at once.
    pub running: usize,
    /// Jobs that wait.
    pub waiting: usize,
    /// Jobs of one owner that run at once.
    pub running_per_owner: usize,
    /// Jobs of one owner that wait.
    pub waiting_per_owner: usize,
    /// Jobs that are over and are still listed.
    pub finished: usize,
    /// How long an attempt at a job may take; zero for any time.
    pub timeout: Duration,
    /// Longest spec in bytes.
    pub spec_bytes: usize,
}

/// Why a job is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Cancel,
    Shutdown,
}

struct Entry {
    record: watch::Sender<Record>,
    /// Stops the job's driver; `None` for a job that does not run.
    stop: Option<oneshot::Sender<Stop>>,
}

/// The jobs of a coordinator. Clones share them.
#[derive(Clone)]
pub struct Jobs(Arc<Shared>);

struct Shared {
    cluster: Cluster,
    records: Records,
    allowed: Allowed,
    limits: Limits,
    lease: LeaseOptions,
    metrics: CoordinatorMetrics,
    entries: Mutex<HashMap<String, Entry>>,
    changed: Notify,
    closing: watch::Sender<bool>,
    checks: Checks,
}

impl Jobs {
    /// Reads the records; jobs that were waiting or running wait again.
    ///
    /// # Errors
    /// Records that cannot be read or written.
    pub async fn open(
        cluster: Cluster,
        records: Records,
        allowed: Allowed,
        limits: Limits,
        lease: LeaseOptions,
        metrics: CoordinatorMetrics,
        checks: Checks,
    ) -> Result<Self> {
        let mut entries = HashMap::new();
        for mut record in records.load().await? {
            if record.state == State::Running {
                tracing::info!(job = record.id, "was cut off; it goes on after its last complete stage");
                record.state = State::Waiting;
                if record.attempts >= MOST_ATTEMPTS {
                    record.state = State::Failed;
                    record.finished_at = Some(Utc::now());
                    let message = format!(
                        "{MOST_ATTEMPTS} coordinators in a row were cut off while they drove this job; resume it to try again"
                    );
                    record.error = Some(Failure::from(&EngineError::job(message)));
                }
                records.save(&record).await?;
            }
            entries.insert(record.id.clone(), Entry { record: watch::Sender::new(record), stop: None });
        }
        let jobs = Self(Arc::new(Shared {
            cluster,
            records,
            allowed,
            limits,
            lease,
            metrics,
            entries: Mutex::new(entries),
            changed: Notify::new(),
            closing: watch::Sender::new(false),
            checks,
        }));
        jobs.count();
        jobs.forget_oldest().await;
        Ok(jobs)
    }

    /// Brings the metrics up to date with where the jobs are.
    fn count(&self) {
        let entries = self.0.entries.lock();
        let states = [State::Waiting, State::Running, State::Done, State::Failed, State::Cancelled];
        for state in states {
            let count = entries.values().filter(|entry| entry.record.borrow().state == state).count();
            let label = StateLabel { state: state.name().to_owned() };
            self.0.metrics.jobs.get_or_create(&label).set(count as i64);
        }
    }

    /// Forgets the jobs that ended first, where there are more than are kept. Their outputs stay.
    async fn forget_oldest(&self) {
        let forgotten: Vec<String> = {
            let mut entries = self.0.entries.lock();
            let records = entries.values().map(|entry| entry.record.borrow());
            let over = records.filter(|record| record.state.is_over());
            let mut over: Vec<_> = over.map(|record| (record.finished_at, record.id.clone())).collect();
            over.sort_unstable();
            let many = over.len().saturating_sub(self.0.limits.finished);
            let forgotten: Vec<String> = over.into_iter().take(many).map(|(_, id)| id).collect();
            entries.retain(|id, _| !forgotten.contains(id));
            forgotten
        };
        for id in &forgotten {
            // If this fails, the job is there again after a restart, and is forgotten then.
            if let Err(error) = self.0.records.remove(id).await {
                tracing::warn!(%error, job = id, "the record of an old job cannot be removed");
            }
        }
        if !forgotten.is_empty() {
            self.count();
        }
    }

    /// Starts jobs as they come, until [`Jobs::close`].
    pub async fn dispatch(&self) {
        let mut closing = self.0.closing.subscribe();
        loop {
            let changed = self.0.changed.notified();
            while let Some(id) = self.next() {
                if let Err(error) = self.start(&id).await {
                    tracing::warn!(%error, job = id, "the job cannot be started now; trying again");
                    tokio::time::sleep(SAVE_AGAIN).await;
                }
            }
            tokio::select! {
                () = changed => {}
                _ = closing.wait_for(|closing| *closing) => return,
            }
        }
    }

    /// The job to be started now.
    fn next(&self) -> Option<String> {
        if *self.0.closing.borrow() {
            return None;
        }
        let entries = self.0.entries.lock();
        let records: Vec<_> = entries.values().map(|entry| entry.record.borrow()).collect();
        let records: Vec<&Record> = records.iter().map(|record| &**record).collect();
        first(&records, &self.0.limits).map(|record| record.id.clone())
    }

    async fn start(&self, id: &str) -> Result<()> {
        let (stop, stopped) = oneshot::channel();
        let record = {
            let mut entries = self.0.entries.lock();
            let Some(entry) = entries.get_mut(id) else { return Ok(()) };
            let was_waiting = entry.record.send_if_modified(|record| {
                let waiting = record.state == State::Waiting;
                if waiting {
                    record.state = State::Running;
                    record.started_at = Some(Utc::now());
                    record.attempts += 1;
                    record.stages.clear();
                    record.warnings.clear();
                }
                waiting
            });
            if !was_waiting {
                return Ok(());
            }
            entry.stop = Some(stop);
            entry.record.clone()
        };
        let started = record.borrow().clone();
        if let Err(error) = self.0.records.save(&started).await {
            record.send_modify(|record| {
                record.state = State::Waiting;
                record.attempts -= 1;
            });
            return Err(error);
        }
        tracing::info!(job = id, attempt = started.attempts, output = started.output, "job started");
        if let Some(started_at) = started.started_at {
            self.0.metrics.job_started(seconds_between(started.queued_at, started_at));
        }
        self.count();
        let span = tracing::info_span!("job", id);
        // A driver condenses trees and merges sums, so it has its own thread beside those that serve.
        let (handle, jobs) = (tokio::runtime::Handle::current(), self.clone());
        tokio::task::spawn_blocking(move || {
            handle.block_on(jobs.drive(started, record, stopped).instrument(span));
            jobs.0.changed.notify_one();
        });
        Ok(())
    }

    /// Runs a job to its end, and writes down how it ended.
    async fn drive(&self, started: Record, record: watch::Sender<Record>, stopped: oneshot::Receiver<Stop>) {
        let shared = &self.0;
        let cluster = shared.cluster.named(&started.id);
        let limit = match started.request.timeout_seconds {
            0 => shared.limits.timeout,
            seconds => Duration::from_secs(seconds),
        };
        let mut why = None;
        let stop = async {
            let overdue =
                async { if limit.is_zero() { std::future::pending().await } else { tokio::time::sleep(limit).await } };
            tokio::select! {
                stop = stopped => {
                    why = Some(stop.unwrap_or(Stop::Shutdown));
                    EngineError::job("stopped on request; resume it to go on after the last complete stage")
                }
                () = overdue => EngineError::job(format!(
                    "the job ran for longer than the {} seconds that it may; resume it to go on after its last complete \
                     stage, or give it a longer timeout",
                    limit.as_secs()
                )),
            }
        };
        let observer = Progress { record: record.clone(), metrics: shared.metrics.clone() };
        let options = RunOptions {
            // The request was to start over once; a later attempt resumes.
            fresh: started.request.fresh && started.attempts == 1,
            lease: shared.lease.clone(),
            ..RunOptions::default()
        };
        let run = async {
            let spec = shared.records.spec(&started.id).await?;
            let job = parse(&Request { spec, ..started.request.clone() })?;
            shared.allowed.check(&job)?;
            job.run_until(&cluster, &options, &observer, stop).await
        };
        // A driver that panics must not leave a job behind that runs for ever.
        let run = AssertUnwindSafe(run).catch_unwind();
        let result = tokio::select! {
            result = run => result.unwrap_or_else(|_| Err(EngineError::job(
                "the job's driver panicked, which is a mistake of this program; the coordinator's log has the place",
            ))),
            () = self.save_stages(&record) => Err(EngineError::job("the job's record has no writer")),
        };
        // A driver that gave up leaves its plan running.
        if result.is_err() {
            cluster.cancel(&started.id).await;
        }
        let mut over = record.borrow().clone();
        over.finished_at = Some(Utc::now());
        (over.state, over.error) = match (&result, why) {
            (Ok(_), _) => (State::Done, None),
            (Err(_), Some(Stop::Cancel)) => (State::Cancelled, None),
            // The next coordinator goes on with it. This attempt does not count: the shutdown is not the job's fault.
            (Err(_), Some(Stop::Shutdown)) => {
                over.attempts = over.attempts.saturating_sub(1);
                over.finished_at = None;
                (State::Waiting, None)
            }
            // The store was away, or another process works on the output: the next attempt shows which.
            (Err(error), None) if is_lost(error) && over.attempts < MOST_ATTEMPTS => {
                over.finished_at = None;
                (State::Waiting, None)
            }
            (Err(error), None) => (State::Failed, Some(Failure::from(error))),
        };
        while let Err(error) = shared.records.save(&over).await {
            tracing::warn!(%error, job = over.id, "how the job ended cannot be written down; trying again");
            tokio::time::sleep(SAVE_AGAIN).await;
        }
        match &over.error {
            Some(error) => tracing::warn!(job = over.id, fault = error.fault, error = error.message, "job failed"),
            None => tracing::info!(job = over.id, state = over.state.name(), "job is over"),
        }
        if let Some(entry) = shared.entries.lock().get_mut(&over.id) {
            entry.stop = None;
        }
        if let (Some(started), Some(finished)) = (over.started_at, over.finished_at) {
            shared.metrics.job_over(over.state.name(), seconds_between(started, finished));
        }
        record.send_replace(over);
        self.count();
        self.forget_oldest().await;
    }

    /// Writes the record whenever a stage is complete. What cannot be written now is written with the next one.
    async fn save_stages(&self, record: &watch::Sender<Record>) {
        let mut changes = record.subscribe();
        let complete = |record: &Record| record.stages.iter().filter(|stage| stage.complete).count();
        let mut written = 0;
        while changes.changed().await.is_ok() {
            let now = changes.borrow_and_update().clone();
            if complete(&now) > written {
                written = complete(&now);
                if let Err(error) = self.0.records.save(&now).await {
                    tracing::debug!(%error, job = now.id, "the job's record cannot be written");
                }
            }
        }
    }

    /// Checks a job as `segmenta check` does.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn check(&self, request: &Request) -> Result<(Submission, Checked), Refusal> {
        let limit = self.0.limits.spec_bytes;
        if request.spec.len() > limit {
            let bytes = request.spec.len();
            return Err(Refusal::Full(format!(
                "the spec has {bytes} bytes, more than the {limit} that this coordinator takes"
            )));
        }
        let job = parse(request)?;
        self.0.allowed.check(&job).map_err(Refusal::NotAllowed)?;
        Ok((job, self.0.checks.run(request).await?))
    }

    /// Checks a job and puts it into the queue.
    ///
    /// # Errors
    /// What is wrong with it; a queue that is full.
    pub async fn submit(&self, request: Request, owner: &str) -> Result<Record, Refusal> {
        self.room(owner)?;
        let (job, checked) = self.check(&request).await?;
        let now = Utc::now();
        loop {
            let record = Record {
                id: id_for(job.name()),
                name: job.name().to_owned(),
                owner: owner.to_owned(),
                output: checked.output.clone(),
                request: Request { spec: String::new(), ..request.clone() },
                state: State::Waiting,
                submitted_at: now,
                queued_at: now,
                started_at: None,
                finished_at: None,
                attempts: 0,
                error: None,
                stages: vec![],
                warnings: vec![],
            };
            let unavailable = |error: EngineError| Refusal::Unavailable(error.message);
            // The record says that there is a job: its spec is there before it.
            self.0.records.put_spec(&record.id, &request.spec).await.map_err(unavailable)?;
            let added = self.0.records.add(&record).await.map_err(unavailable)?;
            if !added {
                continue;
            }
            tracing::info!(job = record.id, output = record.output, owner, "job submitted");
            let entry = Entry { record: watch::Sender::new(record.clone()), stop: None };
            self.0.entries.lock().insert(record.id.clone(), entry);
            self.count();
            self.0.changed.notify_one();
            return Ok(record);
        }
    }

    fn room(&self, owner: &str) -> Result<(), Refusal> {
        if *self.0.closing.borrow() {
            return Err(Refusal::Unavailable("this coordinator is going down".to_owned()));
        }
        let limit = self.0.limits.waiting;
        let entries = self.0.entries.lock();
        let records = || entries.values().map(|entry| entry.record.borrow());
        let waiting = records().filter(|record| record.state == State::Waiting).count();
        let of_owner = records().filter(|record| record.state == State::Waiting && record.owner == owner).count();
        let limit_per_owner = self.0.limits.waiting_per_owner;
        if !owner.is_empty() && of_owner >= limit_per_owner {
            return Err(Refusal::Full(format!(
                "{of_owner} jobs of `{owner}` wait already, and this coordinator lets {limit_per_owner} of one owner wait; try again \
                 later"
            )));
        }
        if waiting >= limit {
            return Err(Refusal::Full(format!(
                "{waiting} jobs wait already, and this coordinator lets {limit} wait; try again later"
            )));
        }
        Ok(())
    }

    /// A job as it is, and its changes.
    ///
    /// # Errors
    /// No such job.
    pub fn watch(&self, id: &str) -> Result<watch::Receiver<Record>, Refusal> {
        let entries = self.0.entries.lock();
        let entry = entries.get(id).ok_or_else(|| not_found(id))?;
        Ok(entry.record.subscribe())
    }

    /// At most `limit` jobs, the last one first, and whether there are more. With `after`, the list goes on after that
    /// job.
    ///
    /// # Errors
    /// No job `after`.
    pub fn list(&self, limit: usize, states: &[State], after: Option<&str>) -> Result<(Vec<Record>, bool), Refusal> {
        let entries = self.0.entries.lock();
        // Only the records that are shown are copied.
        let place = |record: &Record| std::cmp::Reverse((record.submitted_at, record.id.clone()));
        let start = match after {
            Some(id) => Some(place(&entries.get(id).ok_or_else(|| not_found(id))?.record.borrow())),
            None => None,
        };
        let records = entries.values().map(|entry| entry.record.borrow());
        let wanted = records.filter(|record| states.is_empty() || states.contains(&record.state));
        let mut places: Vec<_> = wanted.map(|record| place(&record)).collect();
        places.retain(|place| start.as_ref().is_none_or(|start| place > start));
        places.sort_unstable();
        let shown = limit.min(LONGEST_LIST);
        let is_more = places.len() > shown;
        let ids = places.into_iter().take(shown).map(|std::cmp::Reverse((_, id))| id);
        let records = ids.filter_map(|id| Some(entries.get(&id)?.record.borrow().clone())).collect();
        Ok((records, is_more))
    }

    /// The progress of a job's current pass.
    pub async fn progress(&self, id: &str) -> Option<PlanProgress> {
        self.0.cluster.progress(id).await
    }

    /// Stops a job. `owner` is whose jobs may be stopped; `None` for anybody's.
    ///
    /// # Errors
    /// No such job, one of somebody else, or one that is over.
    pub async fn cancel(&self, id: &str, owner: Option<&str>) -> Result<Record, Refusal> {
        let (record, stop, waited) = {
            let mut entries = self.0.entries.lock();
            let entry = entries.get_mut(id).ok_or_else(|| not_found(id))?;
            check_owner(&entry.record.borrow(), owner)?;
            let state = entry.record.borrow().state;
            if state.is_over() {
                return Err(Refusal::WrongState(format!("{id} is {} already", state.name())));
            }
            // A waiting job is taken out at once, so that it cannot start meanwhile.
            let waited = entry.record.send_if_modified(|record| {
                let waiting = record.state == State::Waiting;
                if waiting {
                    record.state = State::Cancelled;
                    record.finished_at = Some(Utc::now());
                }
                waiting
            });
            (entry.record.clone(), entry.stop.take(), waited)
        };
        if let Some(stop) = stop {
            // A driver that is just done does not listen any more.
            let _ = stop.send(Stop::Cancel);
        }
        let mut changes = record.subscribe();
        let over = changes.wait_for(|record| record.state.is_over()).await.map(|record| record.clone());
        let over = over.map_err(|error| Refusal::Unavailable(error.to_string()))?;
        // If the job ran, its driver has written down how it ended.
        if waited {
            self.0.records.save(&over).await.map_err(|error| Refusal::Unavailable(error.message))?;
            self.count();
            self.forget_oldest().await;
        }
        Ok(over)
    }

    /// Puts a job that failed or was cancelled back into the queue.
    ///
    /// # Errors
    /// No such job, one of somebody else, or one that is not over.
    pub async fn resume(&self, id: &str, owner: Option<&str>) -> Result<Record, Refusal> {
        let (sender, before) = {
            let entries = self.0.entries.lock();
            let entry = entries.get(id).ok_or_else(|| not_found(id))?;
            check_owner(&entry.record.borrow(), owner)?;
            (entry.record.clone(), entry.record.borrow().clone())
        };
        if !matches!(before.state, State::Failed | State::Cancelled) {
            return Err(Refusal::WrongState(format!(
                "{id} is {}: only a job that failed or was cancelled can be resumed",
                before.state.name()
            )));
        }
        self.room(&before.owner)?;
        let request = Request { fresh: false, ..before.request.clone() };
        let record = Record {
            request,
            state: State::Waiting,
            queued_at: Utc::now(),
            finished_at: None,
            attempts: 0,
            error: None,
            ..before.clone()
        };
        self.0.records.save(&record).await.map_err(|error| Refusal::Unavailable(error.message))?;
        let resumed = sender.send_if_modified(|now| {
            let same = *now == before;
            if same {
                *now = record.clone();
            }
            same
        });
        if !resumed {
            return Err(Refusal::WrongState(format!("{id} was changed meanwhile; look at it again")));
        }
        self.count();
        self.0.changed.notify_one();
        Ok(record)
    }

    /// Starts no more jobs, stops those that run, and returns when their drivers have written that down.
    pub async fn close(&self) {
        self.0.closing.send_replace(true);
        let running: Vec<watch::Receiver<Record>> = {
            let mut entries = self.0.entries.lock();
            let running = entries.values_mut().filter(|entry| entry.record.borrow().state == State::Running);
            running
                .map(|entry| {
                    if let Some(stop) = entry.stop.take() {
                        let _ = stop.send(Stop::Shutdown);
                    }
                    entry.record.subscribe()
                })
                .collect()
        };
        for mut record in running {
            // This cannot fail, as the sender lives as long as the entry.
            let _ = record.wait_for(|record| record.state != State::Running).await;
        }
    }
}

/// The job that starts now. Of the jobs whose owners may have one more, it is the one with the highest priority, and of
/// those the one that has waited longest. A job that coordinators were cut off with [`CUT_OFF`] times runs alone: if it
/// is the one that brings them down, no other job is blamed for it, and if another is, it is not blamed.
fn first<'a>(records: &[&'a Record], limits: &Limits) -> Option<&'a Record> {
    let running = || records.iter().filter(|record| record.state == State::Running);
    if running().count() >= limits.running || running().any(|record| record.attempts > CUT_OFF) {
        return None;
    }
    let of_owner = |owner: &str| running().filter(|record| record.owner == owner).count();
    let may_run = |record: &Record| record.owner.is_empty() || of_owner(&record.owner) < limits.running_per_owner;
    let waiting = records.iter().copied().filter(|record| record.state == State::Waiting && may_run(record));
    let first = waiting.min_by(|a, b| {
        let order = |r: &Record| (std::cmp::Reverse(r.request.priority), r.queued_at);
        order(a).cmp(&order(b)).then_with(|| a.id.cmp(&b.id))
    });
    first.filter(|record| record.attempts < CUT_OFF || running().next().is_none())
}

fn not_found(id: &str) -> Refusal {
    Refusal::NotFound(format!("there is no job `{id}`; `segmenta jobs` lists them"))
}

fn check_owner(record: &Record, owner: Option<&str>) -> Result<(), Refusal> {
    match owner {
        Some(owner) if record.owner != owner => Err(Refusal::NotTheirs(format!(
            "{} was submitted by `{}`; this needs the role admin",
            record.id, record.owner
        ))),
        _ => Ok(()),
    }
}

/// A new id: the job's name in characters that are safe everywhere, and some random ones.
fn id_for(name: &str) -> String {
    let safe = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let name: String = safe.take(NAME_IN_ID).collect();
    let chance = Uuid::new_v4().simple().to_string();
    format!("{}-{}", name.trim_matches('-'), &chance[..8])
}

/// Puts what happens into the job's record.
struct Progress {
    record: watch::Sender<Record>,
    metrics: CoordinatorMetrics,
}

impl Progress {
    fn with_stage(&self, name: &str, change: impl FnOnce(&mut Stage)) {
        self.record.send_modify(|record| {
            let at = record.stages.iter().position(|stage| stage.name == name).unwrap_or_else(|| {
                record.stages.push(Stage { name: name.to_owned(), ..Stage::default() });
                record.stages.len() - 1
            });
            change(&mut record.stages[at]);
        });
    }
}

impl Observer for Progress {
    fn stage_started(&self, stage: &'static str, rows: u64) {
        self.with_stage(stage, |stage| stage.rows = rows);
    }

    fn pass_finished(&self, stage: &'static str, passes: u64) {
        self.with_stage(stage, |stage| stage.passes = passes);
    }

    fn step_started(&self, stage: &'static str, step: &'static str) {
        self.with_stage(stage, |stage| {
            (stage.step, stage.step_done, stage.step_total) = (step.to_owned(), 0, 0);
        });
    }

    fn step_progress(&self, stage: &'static str, done: u64, total: u64) {
        self.with_stage(stage, |stage| (stage.step_done, stage.step_total) = (done, total));
    }

    fn stage_finished(&self, report: &StageReport) {
        self.metrics.stage_finished(report);
        self.with_stage(&report.stage, |stage| {
            *stage = Stage {
                name: report.stage.clone(),
                complete: true,
                resumed: report.resumed,
                rows: report.cost.rows,
                passes: report.cost.passes,
                seconds: report.cost.seconds,
                bytes_written: report.cost.bytes_written,
                ..Stage::default()
            };
        });
    }

    fn warning(&self, warning: &str) {
        self.record.send_modify(|record| record.warnings.push(warning.to_owned()));
    }
}

fn seconds_between(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).num_milliseconds().max(0) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{JobSource, SubmitRequest};
    use proptest::prelude::*;
    use prost::Message;

    const SPEC: &str = include_str!("../../../../examples/cdnow.yaml");

    fn request(spec: String, base: String) -> Request {
        Request { spec, base, priority: 0, timeout_seconds: 0, fresh: false }
    }

    /// The example with some of its bytes replaced, doubled or cut out.
    fn mangled() -> impl Strategy<Value = Vec<u8>> {
        let cut = (any::<prop::sample::Index>(), 0_usize..40, prop::collection::vec(any::<u8>(), 0..20), any::<bool>());
        prop::collection::vec(cut, 1..6).prop_map(|cuts| {
            let mut text = SPEC.as_bytes().to_vec();
            for (at, length, new, again) in cuts {
                let at = at.index(text.len() + 1);
                let end = (at + length).min(text.len());
                let mut new = if again { text[at..end].repeat(3) } else { new };
                new.extend_from_slice(&text[end..]);
                text.truncate(at);
                text.append(&mut new);
            }
            text
        })
    }

    // More of them: PROPTEST_CASES=1000000 cargo test --release -p segmenta-service no_.
    proptest! {
        #[test]
        fn no_message_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(SubmitRequest { source: Some(JobSource { spec, base }), .. }) = SubmitRequest::decode(&bytes[..]) {
                let _ = parse(&request(spec, base));
            }
        }

        #[test]
        fn no_spec_panics(text in mangled(), base in "(file:///[a-z/.%]{0,12})?") {
            let message = SubmitRequest {
                source: Some(JobSource { spec: String::from_utf8_lossy(&text).into_owned(), base }),
                ..SubmitRequest::default()
            };
            let JobSource { spec, base } = SubmitRequest::decode(&message.encode_to_vec()[..]).unwrap().source.unwrap();
            let allowed = Allowed::new(&["file:///data/".to_owned()], "file:///state/").unwrap();
            if let Ok(job) = parse(&request(spec, base)) {
                // None of the example's own data are below an allowed location.
                let _ = allowed.check(&job);
            }
        }
    }

    #[test]
    fn who_starts_next() {
        let limits = Limits {
            running: 3,
            waiting: 9,
            finished: 9,
            running_per_owner: 1,
            waiting_per_owner: 9,
            timeout: Duration::ZERO,
            spec_bytes: 9,
        };
        let now = Utc::now();
        let record = |id: &str, owner: &str, state: State, attempts: u32, seconds: i64| Record {
            id: id.to_owned(),
            name: id.to_owned(),
            owner: owner.to_owned(),
            output: String::new(),
            request: request(String::new(), String::new()),
            state,
            submitted_at: now,
            queued_at: now + chrono::TimeDelta::seconds(seconds),
            started_at: None,
            finished_at: None,
            attempts,
            error: None,
            stages: vec![],
            warnings: vec![],
        };
        let next = |records: &[Record]| first(&records.iter().collect::<Vec<_>>(), &limits).map(|r| r.id.clone());
        let waits = |id: &str, owner: &str, attempts, seconds| record(id, owner, State::Waiting, attempts, seconds);
        let runs = |id: &str, owner: &str, attempts| record(id, owner, State::Running, attempts, 0);
        assert_eq!(next(&[waits("b", "x", 0, 2), waits("a", "y", 0, 1)]).as_deref(), Some("a"));
        // The owner of the first has one that runs; those without an owner are not counted.
        assert_eq!(next(&[runs("c", "y", 1), waits("a", "y", 0, 1), waits("b", "x", 0, 2)]).as_deref(), Some("b"));
        assert_eq!(next(&[runs("c", "", 1), waits("a", "", 0, 1)]).as_deref(), Some("a"));
        let full = [runs("a", "", 1), runs("b", "", 1), runs("c", "", 1), waits("d", "", 0, 1)];
        assert_eq!(next(&full), None);
        // One that coordinators were cut off with waits until it is alone, and then stays alone.
        assert_eq!(next(&[runs("b", "", 1), waits("a", "", CUT_OFF, 1), waits("c", "", 0, 2)]), None);
        assert_eq!(next(&[waits("a", "", CUT_OFF, 1), waits("c", "", 0, 2)]).as_deref(), Some("a"));
        assert_eq!(next(&[runs("a", "", CUT_OFF + 1), waits("c", "", 0, 2)]), None);
    }

    #[test]
    fn ids_are_safe_everywhere() {
        let id = id_for("Wöchentlich / Kunden: 2026 ".repeat(9).as_str());
        assert!(id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{id}");
        assert!(id.len() <= NAME_IN_ID + 9);
        assert_ne!(id_for("a"), id_for("a"));
    }
}
