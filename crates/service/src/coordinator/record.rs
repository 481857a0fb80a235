//! What a coordinator keeps of a job under its state folder: its record, which is one JSON document, and its spec.
//! Specs are not held in memory, as those of ten thousand jobs may be gigabytes.
//!
//! ```text
//!   <state>/jobs/<id>.json
//!   <state>/specs/<id>.yaml
//! ```

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use segmenta_engine::artifact::{get, put, put_new, remove, resolve};
use segmenta_engine::{EngineError, Fault, Result};
use segmenta_pipeline::lease::Lease;
use segmenta_pipeline::submission::Submission;
use serde::{Deserialize, Serialize};
use url::Url;

/// Records read at once when a coordinator starts.
const READS_AT_ONCE: usize = 16;

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// In the queue.
    Waiting,
    /// Running: a driver works on it.
    Running,
    /// Published.
    Done,
    /// Over, with an error.
    Failed,
    /// Over, because somebody cancelled it.
    Cancelled,
}

impl State {
    /// Whether the job is over: nothing happens any more, unless somebody resumes it.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }

    /// Its name in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The spec's text; empty in a record, whose spec is beside it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub spec: String,
    /// Folder that relative paths of the spec start from, a `file://` URL; empty without one.
    pub base: String,
    /// Higher ones start first.
    pub priority: i32,
    /// Seconds that each attempt may run; 0 for the coordinator's limit.
    pub timeout_seconds: u64,
    /// Start over.
    pub fresh: bool,
}

/// The job of a request. Messages about its spec name the key and line, but no file.
pub(super) fn parse(request: &Request) -> Result<Submission> {
    let base = if request.base.is_empty() {
        std::path::PathBuf::new()
    } else {
        let folder = Url::parse(&request.base).ok().and_then(|url| url.to_file_path().ok());
        folder.ok_or_else(|| EngineError::spec(format!("base: {} is not a file:// URL of a folder", request.base)))?
    };
    Submission::parse(&request.spec, "spec", base)
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Whose fault it is.
    pub fault: String,
    /// What the driver said.
    pub message: String,
}

impl From<&EngineError> for Failure {
    fn from(error: &EngineError) -> Self {
        Self { fault: error.fault.name().to_owned(), message: error.message.clone() }
    }
}

impl Failure {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        Fault::by_name(&self.fault).unwrap_or(Fault::Job)
    }
}

/// How a stage goes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Whether it is over.
    pub complete: bool,
    /// Whether an earlier run had completed it.
    pub resumed: bool,
    /// Rows that go in.
    pub rows: u64,
    /// Passes over them so far.
    pub passes: u64,
    /// The step it is at.
    pub step: String,
    /// How much of the step is done, where the step reports its own progress.
    pub step_done: u64,
    /// All that the step has to do, where it reports its own progress.
    pub step_total: u64,
    /// Seconds, once it is complete.
    pub seconds: f64,
    /// Bytes in its folder, once it is complete.
    pub bytes_written: u64,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// `<name>-<8 hexadecimal digits>`.
    pub id: String,
    /// The name in its spec.
    pub name: String,
    /// Who submitted it; empty where nobody has to say.
    pub owner: String,
    /// Where it publishes to.
    pub output: String,
    /// What was submitted.
    pub request: Request,
    /// Its state.
    pub state: State,
    /// When it was submitted.
    pub submitted_at: DateTime<Utc>,
    /// When it was last put into the queue: when it was submitted, or resumed.
    pub queued_at: DateTime<Utc>,
    /// When it was started last.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was over.
    pub finished_at: Option<DateTime<Utc>>,
    /// Times that it was started since it was put into the queue.
    pub attempts: u32,
    /// Why it failed, if it did.
    pub error: Option<Failure>,
    /// Stages in order.
    pub stages: Vec<Stage>,
    /// What was noticed about the data.
    pub warnings: Vec<String>,
}

/// The records under a coordinator's state folder, which are written as long as its lease is held.
#[derive(Debug, Clone)]
pub struct Records {
    runtime: Arc<RuntimeEnv>,
    lease: Arc<Lease>,
    /// URLs that end in `/`.
    folder: String,
    specs: String,
}

impl Records {
    /// The records under `state`, a coordinator's state folder: a URL that ends in `/`.
    #[must_use]
    pub fn new(runtime: Arc<RuntimeEnv>, state: &str, lease: Arc<Lease>) -> Self {
        Self { runtime, lease, folder: format!("{state}jobs/"), specs: format!("{state}specs/") }
    }

    fn url(&self, id: &str) -> String {
        format!("{}{id}.json", self.folder)
    }

    fn spec_url(&self, id: &str) -> String {
        format!("{}{id}.yaml", self.specs)
    }

    /// Writes the spec of a job.
    ///
    /// # Errors
    /// A place that cannot be written to; a lease that was lost.
    pub async fn put_spec(&self, id: &str, spec: &str) -> Result<()> {
        self.lease.check()?;
        put(&self.runtime, &self.spec_url(id), spec.to_owned()).await
    }

    /// The spec of a job.
    ///
    /// # Errors
    /// A spec that is gone, or is not text.
    pub async fn spec(&self, id: &str) -> Result<String> {
        let url = self.spec_url(id);
        let content = get(&self.runtime, &url).await?;
        let content =
            content.ok_or_else(|| EngineError::job(format!("{url}: the job's spec is gone; submit it again")))?;
        String::from_utf8(content.to_vec()).map_err(|error| EngineError::job(format!("{url}: {error}")))
    }

    /// Adds a record. Returns `false` if its id is taken.
    ///
    /// # Errors
    /// A place that cannot be written to; a lease that was lost.
    pub async fn add(&self, record: &Record) -> Result<bool> {
        self.lease.check()?;
        put_new(&self.runtime, &self.url(&record.id), encode(record)?).await
    }

    /// Replaces a record that is there already.
    ///
    /// # Errors
    /// A place that cannot be written to; a lease that was lost.
    pub async fn save(&self, record: &Record) -> Result<()> {
        self.lease.check()?;
        put(&self.runtime, &self.url(&record.id), encode(record)?).await
    }

    /// Removes a record.
    ///
    /// # Errors
    /// A place that cannot be written to; a lease that was lost.
    pub async fn remove(&self, id: &str) -> Result<()> {
        self.lease.check()?;
        remove(&self.runtime, &self.url(id)).await?;
        remove(&self.runtime, &self.spec_url(id)).await
    }

    /// All records.
    ///
    /// # Errors
    /// A place that cannot be read. A record that cannot be understood is left out, with a warning.
    pub async fn load(&self) -> Result<Vec<Record>> {
        let (store, path) = resolve(&self.runtime, &self.folder)?;
        let objects = match store.list(Some(&path)).try_collect::<Vec<_>>().await {
            Ok(objects) => objects,
            Err(object_store::Error::NotFound { .. }) => vec![],
            Err(error) => return Err(EngineError::input(format!("{}: cannot be listed: {error}", self.folder))),
        };
        let ids: Vec<String> = objects
            .iter()
            .filter_map(|object| Some(object.location.filename()?.strip_suffix(".json")?.to_owned()))
            .collect();
        let reads = ids.iter().map(|id| self.read(id));
        let records: Vec<Option<Record>> = futures::stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await?;
        Ok(records.into_iter().flatten().collect())
    }

    async fn read(&self, id: &str) -> Result<Option<Record>> {
        let url = self.url(id);
        let Some(content) = get(&self.runtime, &url).await? else { return Ok(None) };
        match serde_json::from_slice::<Record>(&content) {
            Ok(mut record) => {
                // Earlier versions kept the spec in the record.
                let spec = std::mem::take(&mut record.request.spec);
                if !spec.is_empty() {
                    self.put_spec(id, &spec).await?;
                    self.save(&record).await?;
                }
                Ok(Some(record))
            }
            Err(error) => {
                tracing::warn!(%error, url, "a job's record cannot be understood and is left out");
                Ok(None)
            }
        }
    }
}

fn encode(record: &Record) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(record)
        .map_err(|error| EngineError::job(format!("{}: the record cannot be written as JSON: {error}", record.id)))
}
