//! How far the tasks of this process are: rows they have gone over.

use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::execution::TaskContext;

/// Counts rows since the process started. A hint for progress bars; nothing is computed from it.
#[derive(Debug, Default)]
pub struct RowsDone(AtomicU64);

impl RowsDone {
    /// Counts the rows of a task, where the process keeps count.
    pub(crate) fn add(context: &TaskContext, rows: u64) {
        if let Some(done) = context.session_config().get_extension::<Self>() {
            done.0.fetch_add(rows, Ordering::Relaxed);
        }
    }

    /// Rows so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
