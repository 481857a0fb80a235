//! The engine: carries the [algorithms](segmenta_algorithms) to the data on DataFusion and Ballista.
//!
//! ```text
//!   driver ── Cluster::map_parts(task, parts) ──▶ Ballista scheduler ──▶ executors
//!                                                                       │ one row a part: (part, encoded result)
//!          ◀── results in part order ──────────────────────────────────┘
//! ```
//!
//! * [`cluster`]: a [`Cluster`](cluster::Cluster) is either embedded in this process or a remote scheduler; nothing else
//!   in the code can tell which.
//! * [`operators`]: the `ExecutionPlan`s that Segmenta adds, and the tasks they run on the parts of an artifact.
//! * [`planning`]: how SQL becomes a plan that gives the same answer on any number of workers, and what is refused.
//! * [`functions`]: SQL functions of ours, and aggregates in place of DataFusion's.
//! * [`codec`]: how these travel in plans.
//! * [`artifact`]: the Parquet parts that a stage writes and the next one reads.
//! * [`store`]: what a worker keeps decoded between passes.
//! * [`progress`]: how many rows the tasks of this process have gone over.
//! * [`connections`]: how many connections are taken at once, and which are closed.
//! * [`tls`]: certificates that are read again when they change.
//! * [`runtime`]: memory, object stores and functions, the same on every process.

pub mod artifact;
pub mod cluster;
pub mod codec;
pub mod connections;
pub mod error;
pub mod functions;
pub mod object_stores;
pub mod operators;
pub mod planning;
pub mod progress;
pub mod runtime;
pub mod store;
pub mod tls;
mod trace;

pub use error::{EngineError, Fault, Result};
