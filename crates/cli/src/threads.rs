//! The threads of a process.

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

/// Planners recurse as deep as a query nests, which has its limit; pages of a stack that are not touched cost nothing.
const STACK: usize = 32 << 20;

/// A runtime with a thread for each processor.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build().context("threads cannot be started")
}
