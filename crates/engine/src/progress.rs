//! What the tasks of this process have done. These are hints for progress bars, metrics and the log; nothing is
//! computed from them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use ballista_core::config::BALLISTA_JOB_NAME;
use ballista_core::extension::SessionConfigExt;
use datafusion::common::Result;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use futures::{Stream, StreamExt};
use tracing::Span;

use crate::trace::adopt;

/// Counts since the process started. It is an extension of the process's session settings.
#[derive(Debug, Default)]
pub struct Progress {
    rows: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
}

impl Progress {
    /// Counts rows that a task has read, if the process keeps count.
    pub(crate) fn add_rows(context: &TaskContext, rows: u64) {
        if let Some(progress) = context.session_config().get_extension::<Self>() {
            progress.rows.fetch_add(rows, Ordering::Relaxed);
        }
    }

    /// Rows that tasks have read.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Partitions of our operators that succeeded.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Partitions of our operators that failed, each attempt counted.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

/// The results of one partition of an operator. They are counted, and made within a span that names the job, the
/// operator and Ballista's task.
pub(crate) fn observed(
    operator: &str,
    partition: usize,
    context: &TaskContext,
    results: SendableRecordBatchStream,
) -> SendableRecordBatchStream {
    let config = context.session_config();
    let settings = config.ballista_config();
    let job = settings.settings().get(BALLISTA_JOB_NAME).map(String::as_str).unwrap_or_default();
    let span = tracing::info_span!("task", job, operator, partition, id = context.task_id().unwrap_or_default());
    adopt(config, &span);
    Box::pin(Observed { span, progress: config.get_extension(), results, is_over: false })
}

struct Observed {
    span: Span,
    progress: Option<Arc<Progress>>,
    results: SendableRecordBatchStream,
    is_over: bool,
}

impl Stream for Observed {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let _within = this.span.enter();
        let next = ready!(this.results.poll_next_unpin(context));
        if !this.is_over && !matches!(next, Some(Ok(_))) {
            this.is_over = true;
            if let Some(progress) = &this.progress {
                let count = if next.is_none() { &progress.done } else { &progress.failed };
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        Poll::Ready(next)
    }
}

impl RecordBatchStream for Observed {
    fn schema(&self) -> SchemaRef {
        self.results.schema()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Schema;
    use datafusion::common::internal_err;
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
    use datafusion::prelude::SessionConfig;

    #[tokio::test]
    async fn each_partition_is_counted_once() {
        let progress = Arc::new(Progress::default());
        let config = SessionConfig::new_with_ballista().with_extension(Arc::clone(&progress));
        let context = TaskContext::default().with_session_config(config);
        let schema = Arc::new(Schema::empty());
        let batch = || Ok(RecordBatch::new_empty(Arc::clone(&schema)));
        for results in [vec![batch(), batch()], vec![batch(), internal_err!("x"), internal_err!("y")], vec![]] {
            let results = RecordBatchStreamAdapter::new(Arc::clone(&schema), futures::stream::iter(results));
            observed("Test", 0, &context, Box::pin(results)).collect::<Vec<_>>().await;
        }
        assert_eq!((progress.done(), progress.failed()), (2, 1));
    }
}
