//! Observers, which are told how a job goes.

use segmenta_results::cost::StageReport;

/// Is told how a job goes.
pub trait Observer: Send + Sync {
    /// A stage begins to pass over this many rows; 0 where the number is not known yet.
    fn stage_started(&self, _stage: &'static str, _rows: u64) {}
    /// A stage has completed this many passes over its rows.
    fn pass_finished(&self, _stage: &'static str, _passes: u64) {}
    /// A stage goes on to a step of another kind.
    fn step_started(&self, _stage: &'static str, _step: &'static str) {}
    /// How much of a step that passes over no rows is done.
    fn step_progress(&self, _stage: &'static str, _done: u64, _total: u64) {}
    /// A stage is complete.
    fn stage_finished(&self, _report: &StageReport) {}
    /// Something about the data that a user should know.
    fn warning(&self, _warning: &str) {}
}

/// An observer that ignores everything.
impl Observer for () {}
