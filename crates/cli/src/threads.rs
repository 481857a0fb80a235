//! The threads of a process.

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

/// Bytes of a thread's stack. Planners recurse as deep as a query nests, up to a limit. Pages of a stack that are never
/// touched cost nothing.
const STACK: usize = 32 << 20;

/// A runtime with a thread for each processor.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build().context("threads cannot be started")
}
