//! What can be submitted: a job that segments customers, or one that scores them.

use std::path::PathBuf;

use datafusion::execution::SessionState;
use segmenta_engine::cluster::Cluster;
use segmenta_engine::{EngineError, Result};

use crate::job::{Job, Outcome, Plan, RunOptions};
use crate::observer::Observer;
use crate::score::{ScoreJob, ScoreManifest};
use segmenta_spec::Spec;

/// A job of either kind.
#[derive(Debug, Clone)]
pub enum Submission {
    /// It segments.
    Segment(Box<Job>),
    /// It scores.
    Score(ScoreJob),
}

/// The result of a job.
#[derive(Debug, Clone)]
pub enum Done {
    /// Segments.
    Segmented(Box<Outcome>),
    /// Scores.
    Scored(Box<ScoreManifest>),
}

impl Submission {
    /// Reads the text of a spec. Relative paths of the spec start from `base`; if that is empty, they are mistakes.
    ///
    /// # Errors
    /// Every mistake of the spec, with `origin` in front.
    pub fn parse(text: &str, origin: &str, base: impl Into<PathBuf>) -> Result<Self> {
        let spec = Spec::parse(text, origin).map_err(|errors| EngineError::spec(errors.to_string()))?;
        Ok(match spec {
            Spec::Job(spec) => Self::Segment(Box::new(Job::new(*spec, base))),
            Spec::Score(spec) => Self::Score(ScoreJob::new(spec, base)),
        })
    }

    /// The name in its spec.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Segment(job) => &job.spec().name,
            Self::Score(job) => &job.spec().name,
        }
    }

    /// Where it reads from, as URLs. Globs are not expanded.
    ///
    /// # Errors
    /// A path that cannot be written as a URL.
    pub fn sources(&self) -> Result<Vec<String>> {
        match self {
            Self::Segment(job) => job.sources(),
            Self::Score(job) => job.sources(),
        }
    }

    /// Where it publishes, a URL that ends in `/`.
    ///
    /// # Errors
    /// A path that cannot be written as a URL.
    pub fn output(&self) -> Result<String> {
        match self {
            Self::Segment(job) => job.output(),
            Self::Score(job) => job.output(),
        }
    }

    /// Checks it without running anything.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn check(&self, state: &SessionState) -> Result<Plan> {
        match self {
            Self::Segment(job) => job.check(state).await,
            Self::Score(job) => job.check(state).await,
        }
    }

    /// Runs it until it is done or until `stop` completes, whose value is then the error.
    ///
    /// # Errors
    /// Input, output, spec or cluster at fault; the error says which.
    pub async fn run_until(
        &self,
        cluster: &Cluster,
        options: &RunOptions,
        observer: &dyn Observer,
        stop: impl Future<Output = EngineError>,
    ) -> Result<Done> {
        Ok(match self {
            Self::Segment(job) => Done::Segmented(Box::new(job.run_until(cluster, options, observer, stop).await?)),
            Self::Score(job) => Done::Scored(Box::new(job.run_until(cluster, &options.lease, observer, stop).await?)),
        })
    }
}
