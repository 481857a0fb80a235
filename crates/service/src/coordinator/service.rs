//! The gRPC side of the job service.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use segmenta_engine::{EngineError, Fault};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Response, Status};

use super::access::{Caller, Role, Tokens};
use super::jobs::Jobs;
use super::record::{self, Record, State};
use super::refusal::Refusal;
use crate::api::jobs_server;
use crate::api::{
    CancelRequest, CancelResponse, CheckRequest, CheckResponse, GetRequest, GetResponse, Job, JobError, JobSource,
    JobState, ListRequest, ListResponse, PlannedStage, ResumeRequest, ResumeResponse, StageProgress, SubmitRequest,
    SubmitResponse, WatchRequest, WatchResponse,
};

/// The key under which a refusal tells whose fault it is; clients take their exit code from it.
pub const FAULT_KEY: &str = "segmenta-fault";

/// Jobs in a list whose request does not say how many.
const DEFAULT_LIMIT: usize = 100;

/// How often those who watch a job see the tasks of its pass.
const LOOK: Duration = Duration::from_millis(500);

/// The most callers who watch at once.
const MOST_WATCHERS: usize = 1000;

/// Longest text of a refusal: it travels in the trailers, which clients limit.
const LONGEST_MESSAGE: usize = 4000;

/// [`Jobs`] as a gRPC service.
pub struct JobService {
    jobs: Jobs,
    tokens: Arc<Tokens>,
    watchers: Arc<Semaphore>,
}

impl JobService {
    /// A service over these jobs, for callers who show one of these tokens.
    #[must_use]
    pub fn new(jobs: Jobs, tokens: Arc<Tokens>) -> Self {
        Self { jobs, tokens, watchers: Arc::new(Semaphore::new(MOST_WATCHERS)) }
    }

    fn caller(&self, metadata: &MetadataMap, role: Role) -> Result<Caller, Status> {
        let caller = self.tokens.caller(metadata)?;
        caller.require(role)?;
        Ok(caller)
    }

    async fn current(&self, record: &Record) -> Job {
        let progress = match record.state {
            State::Running => self.jobs.progress(&record.id).await,
            _ => None,
        };
        let mut job = to_proto(record);
        if let (Some(progress), Some(stage)) = (progress, job.stages.last_mut()) {
            (stage.tasks_done, stage.tasks_total) = (progress.done, progress.partitions);
        }
        job
    }
}

fn source(source: Option<JobSource>) -> Result<(String, String), Status> {
    let source = source.ok_or_else(|| Status::invalid_argument("source: is missing"))?;
    Ok((source.spec, source.base))
}

#[tonic::async_trait]
impl jobs_server::Jobs for JobService {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        self.caller(request.metadata(), Role::Submit)?;
        let (spec, base) = source(request.into_inner().source)?;
        let request = record::Request { spec, base, priority: 0, timeout_seconds: 0, fresh: false };
        let (_, checked) = self.jobs.check(&request).await.map_err(refused)?;
        let stages = checked.stages.into_iter().map(|stage| PlannedStage {
            name: stage.name,
            what: stage.what,
            complete: stage.complete,
        });
        Ok(Response::new(CheckResponse {
            output: checked.output,
            stages: stages.collect(),
            warnings: checked.warnings,
        }))
    }

    async fn submit(&self, request: Request<SubmitRequest>) -> Result<Response<SubmitResponse>, Status> {
        let caller = self.caller(request.metadata(), Role::Submit)?;
        let SubmitRequest { source: from, priority, timeout_seconds, fresh } = request.into_inner();
        let (spec, base) = source(from)?;
        let request = record::Request { spec, base, priority, timeout_seconds, fresh };
        let record = self.jobs.submit(request, &caller.name).await.map_err(refused)?;
        Ok(Response::new(SubmitResponse { job: Some(to_proto(&record)) }))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        self.caller(request.metadata(), Role::Read)?;
        let record = self.jobs.watch(&request.get_ref().id).map_err(refused)?.borrow().clone();
        Ok(Response::new(GetResponse { job: Some(self.current(&record).await) }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        self.caller(request.metadata(), Role::Read)?;
        let limit = match request.get_ref().limit {
            0 => DEFAULT_LIMIT,
            limit => limit as usize,
        };
        let states: Vec<State> = request.get_ref().states().filter_map(state_from_proto).collect();
        let after = Some(request.get_ref().page_token.as_str()).filter(|token| !token.is_empty());
        let (records, is_more) = self.jobs.list(limit, &states, after).map_err(refused)?;
        let last = records.last().filter(|_| is_more);
        let next_page_token = last.map_or_else(String::new, |record| record.id.clone());
        Ok(Response::new(ListResponse { jobs: records.iter().map(to_proto).collect(), next_page_token }))
    }

    type WatchStream = ReceiverStream<Result<WatchResponse, Status>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        self.caller(request.metadata(), Role::Read)?;
        let mut changes = self.jobs.watch(&request.get_ref().id).map_err(refused)?;
        let watcher = Arc::clone(&self.watchers)
            .try_acquire_owned()
            .map_err(|_| Status::resource_exhausted(format!("{MOST_WATCHERS} watch already; try again later")))?;
        // At most one answer waits, so that a slow reader gets the newest.
        let (sender, receiver) = mpsc::channel(1);
        let service =
            Self { jobs: self.jobs.clone(), tokens: Arc::clone(&self.tokens), watchers: Arc::clone(&self.watchers) };
        tokio::spawn(async move {
            let _watcher = watcher;
            let mut said = None;
            loop {
                let record = changes.borrow_and_update().clone();
                let job = service.current(&record).await;
                if said.as_ref() != Some(&job) {
                    said = Some(job.clone());
                    if sender.send(Ok(WatchResponse { job: Some(job) })).await.is_err() {
                        return;
                    }
                }
                if record.state.is_over() {
                    return;
                }
                tokio::select! {
                    changed = changes.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(LOOK) => {}
                    () = sender.closed() => return,
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn cancel(&self, request: Request<CancelRequest>) -> Result<Response<CancelResponse>, Status> {
        let caller = self.caller(request.metadata(), Role::Submit)?;
        let record = self.jobs.cancel(&request.get_ref().id, caller.owner()).await.map_err(refused)?;
        Ok(Response::new(CancelResponse { job: Some(to_proto(&record)) }))
    }

    async fn resume(&self, request: Request<ResumeRequest>) -> Result<Response<ResumeResponse>, Status> {
        let caller = self.caller(request.metadata(), Role::Submit)?;
        let record = self.jobs.resume(&request.get_ref().id, caller.owner()).await.map_err(refused)?;
        Ok(Response::new(ResumeResponse { job: Some(to_proto(&record)) }))
    }
}

fn refused(refusal: Refusal) -> Status {
    match refusal {
        Refusal::Job(error) => of_fault(&error),
        Refusal::NotAllowed(error) => with_fault(Status::permission_denied(short(&error.message)), Fault::Spec),
        Refusal::NotFound(message) => with_fault(Status::not_found(message), Fault::Spec),
        Refusal::WrongState(message) => with_fault(Status::failed_precondition(message), Fault::Spec),
        Refusal::NotTheirs(message) => with_fault(Status::permission_denied(message), Fault::Spec),
        Refusal::Full(message) => with_fault(Status::resource_exhausted(message), Fault::Job),
        Refusal::Unavailable(message) => with_fault(Status::unavailable(message), Fault::Cluster),
    }
}

fn of_fault(error: &EngineError) -> Status {
    let message = short(&error.message);
    let status = match error.fault {
        Fault::Spec => Status::invalid_argument(message),
        Fault::Input | Fault::Output => Status::failed_precondition(message),
        Fault::Cluster => Status::unavailable(message),
        Fault::Job => Status::internal(message),
    };
    with_fault(status, error.fault)
}

fn with_fault(mut status: Status, fault: Fault) -> Status {
    status.metadata_mut().insert(FAULT_KEY, MetadataValue::from_static(fault.name()));
    status
}

fn short(message: &str) -> String {
    match message.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{} … (and more)", &message[..end]),
        None => message.to_owned(),
    }
}

fn timestamp(at: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: at.timestamp(), nanos: at.timestamp_subsec_nanos() as i32 }
}

fn to_proto(record: &Record) -> Job {
    let stages = record.stages.iter().map(|stage| StageProgress {
        name: stage.name.clone(),
        complete: stage.complete,
        resumed: stage.resumed,
        rows: stage.rows,
        passes: stage.passes,
        step: stage.step.clone(),
        step_done: stage.step_done,
        step_total: stage.step_total,
        tasks_done: 0,
        tasks_total: 0,
        seconds: stage.seconds,
        bytes_written: stage.bytes_written,
    });
    Job {
        id: record.id.clone(),
        name: record.name.clone(),
        state: state_to_proto(record.state).into(),
        output: record.output.clone(),
        priority: record.request.priority,
        submitted_at: Some(timestamp(record.submitted_at)),
        started_at: record.started_at.map(timestamp),
        finished_at: record.finished_at.map(timestamp),
        attempts: record.attempts,
        error: record
            .error
            .as_ref()
            .map(|error| JobError { fault: fault_to_proto(error.fault()).into(), message: error.message.clone() }),
        stages: stages.collect(),
        warnings: record.warnings.clone(),
        owner: record.owner.clone(),
    }
}

fn state_to_proto(state: State) -> JobState {
    match state {
        State::Waiting => JobState::Waiting,
        State::Running => JobState::Running,
        State::Done => JobState::Done,
        State::Failed => JobState::Failed,
        State::Cancelled => JobState::Cancelled,
    }
}

fn state_from_proto(state: JobState) -> Option<State> {
    match state {
        JobState::Unspecified => None,
        JobState::Waiting => Some(State::Waiting),
        JobState::Running => Some(State::Running),
        JobState::Done => Some(State::Done),
        JobState::Failed => Some(State::Failed),
        JobState::Cancelled => Some(State::Cancelled),
    }
}

fn fault_to_proto(fault: Fault) -> crate::api::Fault {
    match fault {
        Fault::Job => crate::api::Fault::Job,
        Fault::Spec => crate::api::Fault::Spec,
        Fault::Input => crate::api::Fault::Input,
        Fault::Cluster => crate::api::Fault::Cluster,
        Fault::Output => crate::api::Fault::Output,
    }
}
