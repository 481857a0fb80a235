//! Why a request is refused.

use segmenta_engine::EngineError;

/// Why a request is refused.
#[derive(Debug)]
pub enum Refusal {
    /// The spec or its sources are at fault.
    Job(EngineError),
    /// A location that is not allowed.
    NotAllowed(EngineError),
    /// No such job.
    NotFound(String),
    /// The job is in another state than the request needs.
    WrongState(String),
    /// The job is somebody else's.
    NotTheirs(String),
    /// The queue is full, or the spec too long.
    Full(String),
    /// The coordinator is going down, or its store cannot be reached.
    Unavailable(String),
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        Self::Job(error)
    }
}
