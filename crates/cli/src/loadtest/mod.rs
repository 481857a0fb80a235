//! What a load test is made of: the job and its data, the clusters that it runs on, and the jobs on them.
//!
//! ```text
//!   template ──▶ data for each number of rows ──▶ for each number of workers: a cluster of child processes
//!                                                     ├── runs, one at a time ──▶ Run
//!                                                     └── jobs, all at once   ──▶ Burst
//! ```

pub(crate) mod cluster;
pub(crate) mod data;
pub(crate) mod jobs;
pub(crate) mod template;

use std::sync::Arc;

use segmenta_engine::runtime::RuntimeEnv;

/// The object stores of this process.
pub(crate) type Stores = Arc<RuntimeEnv>;
