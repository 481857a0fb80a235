//! The metrics of both processes.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use segmenta_engine::cluster::{Plans, Worker, WorkerStatistics};
use segmenta_engine::object_stores::requests;
use segmenta_pipeline::job::StageReport;
use segmenta_pipeline::process::resident_memory;

/// A label for where jobs are on their way, or how they ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StateLabel {
    /// As [`crate::coordinator::record::State::name`] has it.
    pub state: String,
}

/// A label for stages.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StageLabel {
    /// The stage's name.
    pub stage: String,
}

/// What either process asks of object stores.
#[derive(Debug, Clone, Default)]
struct StoreMetrics {
    sent: Gauge,
    failed: Gauge,
}

impl StoreMetrics {
    fn register(&self, registry: &mut Registry) {
        let sent = "Requests to object stores since the process started, each attempt counted";
        registry.register("object_store_requests", sent, self.sent.clone());
        let failed = "Attempts that were throttled, failed at the store or were cut off, since the process started";
        registry.register("object_store_failures", failed, self.failed.clone());
    }

    fn set(&self) {
        let now = requests();
        self.sent.set(whole(now.sent));
        self.failed.set(whole(now.failed));
    }
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// What a coordinator counts. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct CoordinatorMetrics {
    /// Jobs by state.
    pub jobs: Family<StateLabel, Gauge>,
    /// Jobs that ended, by how.
    pub jobs_over: Family<StateLabel, Counter>,
    workers: Gauge,
    slots: Gauge,
    waiting_tasks: Gauge,
    plans_done: Gauge,
    plans_failed: Gauge,
    resident: Gauge,
    stages: Family<StageLabel, Counter>,
    rows: Family<StageLabel, Counter>,
    bytes: Family<StageLabel, Counter>,
    seconds: Family<StageLabel, Counter<f64, AtomicU64>>,
    stores: StoreMetrics,
}

impl CoordinatorMetrics {
    /// Names them.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("segmenta");
        registry.register("jobs", "Jobs by state", self.jobs.clone());
        registry.register("jobs_over", "Jobs that ended since the coordinator started", self.jobs_over.clone());
        registry.register("workers", "Workers that are alive", self.workers.clone());
        registry.register("task_slots", "Tasks that the workers can run at once", self.slots.clone());
        registry.register("tasks_waiting", "Tasks that wait for a free slot", self.waiting_tasks.clone());
        let plans = "Plans that came to their end since the coordinator started";
        registry.register("plans_done", plans, self.plans_done.clone());
        let plans = "Plans that failed, as their tasks did, since the coordinator started";
        registry.register("plans_failed", plans, self.plans_failed.clone());
        registry.register_with_unit("resident", "Resident memory of the process", Unit::Bytes, self.resident.clone());
        registry.register("stages", "Stages completed", self.stages.clone());
        registry.register("stage_rows", "Rows that went into completed stages", self.rows.clone());
        registry.register_with_unit("stage_written", "Written by completed stages", Unit::Bytes, self.bytes.clone());
        registry.register_with_unit("stage_time", "Time of completed stages", Unit::Seconds, self.seconds.clone());
        self.stores.register(registry);
    }

    /// Takes over what is known now of the cluster.
    pub fn set(&self, workers: &[Worker], plans: Plans) {
        self.workers.set(workers.len() as i64);
        self.waiting_tasks.set(whole(plans.waiting_tasks));
        self.plans_done.set(whole(plans.done));
        self.plans_failed.set(whole(plans.failed));
        self.resident.set(whole(resident_memory().unwrap_or(0)));
        self.slots.set(workers.iter().map(|worker| i64::from(worker.slots)).sum());
        self.stores.set();
    }

    /// Counts a stage.
    pub fn stage_finished(&self, report: &StageReport) {
        if report.resumed {
            return;
        }
        let label = StageLabel { stage: report.stage.clone() };
        self.stages.get_or_create(&label).inc();
        self.rows.get_or_create(&label).inc_by(report.cost.rows);
        self.bytes.get_or_create(&label).inc_by(report.cost.bytes_written);
        self.seconds.get_or_create(&label).inc_by(report.cost.seconds);
    }
}

/// What a worker tells. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct WorkerMetrics {
    rows: Gauge,
    tasks_done: Gauge,
    tasks_failed: Gauge,
    hits: Gauge,
    misses: Gauge,
    evictions: Gauge,
    hit_bytes: Gauge,
    loaded_bytes: Gauge,
    store_bytes: Gauge,
    reserved: Gauge,
    resident: Gauge,
    stores: StoreMetrics,
}

impl WorkerMetrics {
    /// Names them.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("segmenta_worker");
        registry.register("rows", "Rows that its tasks have gone over since it started", self.rows.clone());
        registry.register("tasks_done", "Tasks that came to their end since it started", self.tasks_done.clone());
        registry.register("tasks_failed", "Attempts at tasks that failed since it started", self.tasks_failed.clone());
        registry.register("store_hits", "Partitions served from the store since it started", self.hits.clone());
        registry.register("store_misses", "Partitions that had to be loaded since it started", self.misses.clone());
        registry.register("store_evictions", "Partitions dropped since it started", self.evictions.clone());
        let mut bytes = |name, what, gauge: &Gauge| registry.register_with_unit(name, what, Unit::Bytes, gauge.clone());
        bytes("store_hit", "Of the partitions served from the store since it started", &self.hit_bytes);
        bytes("store_loaded", "Of the partitions that had to be loaded since it started", &self.loaded_bytes);
        bytes("store_held", "Of the partitions that the store holds", &self.store_bytes);
        registry.register_with_unit("pool_reserved", "Reserved of the memory pool", Unit::Bytes, self.reserved.clone());
        registry.register_with_unit("resident", "Resident memory of the process", Unit::Bytes, self.resident.clone());
        self.stores.register(registry);
    }

    /// Takes over what a worker says now.
    pub fn set(&self, now: &WorkerStatistics) {
        self.rows.set(whole(now.rows));
        self.tasks_done.set(whole(now.tasks_done));
        self.tasks_failed.set(whole(now.tasks_failed));
        self.hits.set(whole(now.store.hits));
        self.misses.set(whole(now.store.misses));
        self.evictions.set(whole(now.store.evictions));
        self.hit_bytes.set(whole(now.store.hit_bytes));
        self.loaded_bytes.set(whole(now.store.loaded_bytes));
        self.store_bytes.set(whole(now.store.bytes));
        self.reserved.set(whole(now.reserved_bytes));
        self.resident.set(whole(resident_memory().unwrap_or(0)));
        self.stores.set();
    }
}
