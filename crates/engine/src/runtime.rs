//! What every process sets up in the same way: memory, object stores, functions, session settings.

use std::sync::Arc;

use ballista_core::extension::{
    SessionConfigExt, ballista_aggregate_functions, ballista_scalar_functions, ballista_window_functions,
};
use datafusion::catalog::MemoryCatalogProviderList;
use datafusion::execution::memory_pool::FairSpillPool;
pub use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;

use crate::codec::SegmentaPhysicalCodec;
use crate::error::Result;
use crate::functions;
use crate::object_stores::StoreRegistry;
use crate::planning::{analyzer_rules, logical_rules, physical_rules};
use crate::progress::Progress;
use crate::store::PartitionStore;
use crate::trace::Trace;

/// The largest gRPC message, in bytes. Plans list their parts, and a plan of 10,000 parts takes about 3 MiB.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// The share of a process's memory that the partition store may fill; the rest is for operators.
const STORE_SHARE: f64 = 0.4;

/// The least memory to plan with: a machine that really has less would be of no use.
const LEAST_MEMORY: u64 = 256 << 20;

/// The memory of a process, split between the operators' pool and the partition store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Bytes of DataFusion's memory pool.
    pub pool: usize,
    /// Bytes of the partition store.
    pub store: usize,
}

impl MemoryPlan {
    /// Splits `bytes`.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let store = (bytes as f64 * STORE_SHARE) as usize;
        Self { pool: bytes - store, store }
    }

    /// Seven tenths of the memory of the machine or the control group. The rest is for memory that nobody plans.
    #[must_use]
    pub fn detect() -> Self {
        let mut system = sysinfo::System::new();
        system.refresh_memory();
        let limit = system.cgroup_limits().map_or(u64::MAX, |limits| limits.total_memory);
        Self::new((system.total_memory().min(limit).max(LEAST_MEMORY) as f64 * 0.7) as usize)
    }
}

/// The runtime of a process: its memory pool and object stores.
///
/// # Errors
/// When DataFusion cannot set up its spill directory.
pub fn runtime_env(memory: MemoryPlan) -> Result<Arc<RuntimeEnv>> {
    Ok(Arc::new(
        RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(memory.pool)))
            .with_object_store_registry(Arc::new(StoreRegistry::default()))
            .build()?,
    ))
}

/// The settings our plans need, on the driver, the scheduler and the workers.
#[must_use]
pub fn session_config(store: Arc<PartitionStore>, progress: Arc<Progress>) -> SessionConfig {
    SessionConfig::new_with_ballista()
        .with_ballista_physical_extension_codec(Arc::new(SegmentaPhysicalCodec::default()))
        .with_ballista_grpc_client_max_message_size(MAX_MESSAGE_BYTES)
        // Our plans fix their own partitioning.
        .with_ballista_adaptive_query_planner(false)
        // Parquet's statistics leave NaN out, and DataFusion 55 uses them to take a column for constant or to answer
        // MIN, MAX and COUNT. The sizes of its files, which a scan needs, it is told otherwise.
        .with_collect_statistics(false)
        .with_information_schema(false)
        .with_option_extension(Trace::default())
        .with_extension(store)
        .with_extension(progress)
}

/// A session with our functions.
#[must_use]
pub fn session_state(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> SessionState {
    let mut scalar_functions = ballista_scalar_functions();
    scalar_functions.extend(functions::all());
    // Of two functions with one name, the one registered later counts.
    let mut aggregate_functions = ballista_aggregate_functions();
    aggregate_functions.extend(functions::aggregates());
    SessionStateBuilder::new()
        .with_default_features()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_analyzer_rules(analyzer_rules())
        .with_optimizer_rules(logical_rules())
        .with_physical_optimizer_rules(physical_rules())
        .with_scalar_functions(scalar_functions)
        .with_aggregate_functions(aggregate_functions)
        .with_window_functions(functions::windows(ballista_window_functions()))
        .build()
}

/// A session like `state`, with other settings and tables of its own. Sessions that share a catalog would drop each
/// other's tables.
#[must_use]
pub fn session_like(state: &SessionState, config: SessionConfig) -> SessionState {
    SessionStateBuilder::new_from_existing(state.clone())
        .with_config(config)
        .with_catalog_list(Arc::new(MemoryCatalogProviderList::new()))
        .build()
}

/// A session that plans but runs nothing: to check a job without a cluster.
///
/// # Errors
/// When DataFusion cannot set up its runtime.
pub fn planning_state() -> Result<SessionState> {
    let memory = MemoryPlan::detect();
    let config = session_config(Arc::new(PartitionStore::new(memory.store)), Arc::default());
    Ok(session_state(config, runtime_env(memory)?))
}
