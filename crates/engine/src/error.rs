//! Errors, and how they survive the way from a worker to the driver.
//!
//! Ballista hands a task's failure on as text. So that the driver can still tell a corrupt input from a full disk, an
//! error raised by Segmenta's own operators carries its [`Fault`] and message in the text, hex-encoded between markers,
//! which no amount of quoting on the way can damage.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::AssertUnwindSafe;

use datafusion::error::DataFusionError;

/// Result of the engine.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

/// Whose fault a failure is. It decides the exit code and the advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The data that was read: a source or an artifact.
    Input,
    /// The place that is written to: full, not writable, gone.
    Output,
    /// The spec asks for what the data cannot give.
    Spec,
    /// The cluster cannot be reached.
    Cluster,
    /// Anything else: a limit of resources, or a defect.
    Job,
}

impl Fault {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Input, "input"),
        (Self::Output, "output"),
        (Self::Spec, "spec"),
        (Self::Cluster, "cluster"),
        (Self::Job, "job"),
    ];

    /// The fault as one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(fault, _)| *fault == self).map_or("job", |(_, name)| name)
    }

    /// The fault that a word names.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(fault, _)| *fault)
    }
}

/// An error with the fault it is put down to. The message names the thing at fault and what to do.
#[derive(Clone, PartialEq, Eq)]
pub struct EngineError {
    /// Whose fault it is.
    pub fault: Fault,
    /// What went wrong, in one or a few sentences.
    pub message: String,
}

const MARK: &str = "[segmenta-error:";

impl EngineError {
    /// An error put down to `fault`.
    pub fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into() }
    }

    /// Bad input data.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(Fault::Input, message)
    }

    /// An output that cannot be written.
    pub fn output(message: impl Into<String>) -> Self {
        Self::new(Fault::Output, message)
    }

    /// A spec that does not fit the data.
    pub fn spec(message: impl Into<String>) -> Self {
        Self::new(Fault::Spec, message)
    }

    /// Any other failure of the job.
    pub fn job(message: impl Into<String>) -> Self {
        Self::new(Fault::Job, message)
    }

    /// Whether a text holds an error of ours.
    pub(crate) fn is_in(text: &str) -> bool {
        text.contains(MARK)
    }

    /// Reads an error back from whatever text it was wrapped in.
    fn from_text(text: &str) -> Option<Self> {
        let encoded = text.split(MARK).nth(1)?.split(']').next()?;
        let (fault, hex) = encoded.split_once(':')?;
        let fault = Fault::by_name(fault)?;
        let digits: Option<Vec<u8>> =
            hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
        Some(Self { fault, message: String::from_utf8(digits?).ok()? })
    }

    /// Classifies an error that came from DataFusion or Ballista.
    #[must_use]
    pub fn from_datafusion(error: &DataFusionError) -> Self {
        let text = error.to_string();
        Self::from_text(&text).unwrap_or_else(|| Self::job(text))
    }
}

thread_local! {
    static IS_FORESEEN: Cell<bool> = const { Cell::new(false) };
}

/// Runs code of a library that may panic on damaged data. A panic becomes an error with its text.
///
/// # Errors
/// The message of the panic.
pub fn foresee<T>(run: impl FnOnce() -> T) -> std::result::Result<T, String> {
    let before = IS_FORESEEN.replace(true);
    let result = std::panic::catch_unwind(AssertUnwindSafe(run));
    IS_FORESEEN.set(before);
    result.map_err(|panic| panic_text(&*panic).to_owned())
}

/// Whether [`foresee`] would catch a panic of this thread and make an error of it, so that nobody has to be told.
#[must_use]
pub fn is_foreseen() -> bool {
    IS_FORESEEN.get()
}

/// The message of a panic.
#[must_use]
pub fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("it said nothing")
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Writes the marker, because this is the form that ends up in Ballista's text.
impl fmt::Debug for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {MARK}{}:", self.message, self.fault.name())?;
        for byte in self.message.as_bytes() {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("]")
    }
}

impl std::error::Error for EngineError {}

impl From<DataFusionError> for EngineError {
    fn from(error: DataFusionError) -> Self {
        Self::from_datafusion(&error)
    }
}

impl From<EngineError> for DataFusionError {
    /// Not an `IoError`, because Ballista retries those. A failure that names its cause will not go away by itself.
    fn from(error: EngineError) -> Self {
        Self::External(Box::new(TaskError(error)))
    }
}

/// Displays with the marker, so that DataFusion's `Display` keeps it too.
struct TaskError(EngineError);

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::error::Error for TaskError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_being_quoted_over_and_over() {
        let error = EngineError::input("shard \"a\\b.parquet\": truncated\n[sic]");
        let wrapped: DataFusionError = error.clone().into();
        let text = format!("{:?}", format!("Job failed: {:?}", format!("{wrapped:?}")));
        let arrived = EngineError::from_datafusion(&DataFusionError::Execution(text));
        assert_eq!((arrived.fault, &arrived.message), (error.fault, &error.message));
    }

    #[test]
    fn other_errors_keep_their_text() {
        let arrived = EngineError::from_datafusion(&DataFusionError::Plan("no such thing".into()));
        assert_eq!(arrived.fault, Fault::Job);
        assert!(arrived.message.contains("no such thing"));
    }
}
