//! The metrics of both processes.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use segmenta_engine::cluster::{Plans, Worker, WorkerStatistics};
use segmenta_engine::object_stores::requests;
use segmenta_pipeline::process::resident_memory;
use segmenta_results::cost::StageReport;

/// A label for the state of jobs, or how they ended.
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

/// The requests of either process to object stores.
#[derive(Debug, Clone, Default)]
struct StoreMetrics {
    sent: Counter,
    failed: Counter,
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
        count(&self.sent, now.sent);
        count(&self.failed, now.failed);
    }
}

/// Takes over what was counted elsewhere since the process started.
fn count(counter: &Counter, total: u64) {
    counter.inner().store(total, Ordering::Relaxed);
}

/// The version, from which dashboards tell which members have which.
fn register_build(registry: &mut Registry) {
    let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "Version of the program", version);
}

/// From a second to some nine hours.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(1.0, 2.0, 16))
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// What a coordinator counts. Clones share it.
#[derive(Debug, Clone)]
pub struct CoordinatorMetrics {
    /// Jobs by state.
    pub jobs: Family<StateLabel, Gauge>,
    jobs_over: Family<StateLabel, Counter>,
    job_time: Family<StateLabel, Histogram>,
    job_wait: Histogram,
    workers: Gauge,
    slots: Gauge,
    waiting_tasks: Gauge,
    plans_done: Counter,
    plans_failed: Counter,
    resident: Gauge,
    stages: Family<StageLabel, Counter>,
    rows: Family<StageLabel, Counter>,
    bytes: Family<StageLabel, Counter>,
    seconds: Family<StageLabel, Counter<f64, AtomicU64>>,
    stores: StoreMetrics,
}

impl Default for CoordinatorMetrics {
    fn default() -> Self {
        Self {
            jobs: Family::default(),
            jobs_over: Family::default(),
            job_time: Family::new_with_constructor(seconds),
            job_wait: seconds(),
            workers: Gauge::default(),
            slots: Gauge::default(),
            waiting_tasks: Gauge::default(),
            plans_done: Counter::default(),
            plans_failed: Counter::default(),
            resident: Gauge::default(),
            stages: Family::default(),
            rows: Family::default(),
            bytes: Family::default(),
            seconds: Family::default(),
            stores: StoreMetrics::default(),
        }
    }
}

impl CoordinatorMetrics {
    /// Registers them under their names.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("segmenta");
        register_build(registry);
        let time = "Time from a job's last start to its end, by how it ended";
        registry.register_with_unit("job_time", time, Unit::Seconds, self.job_time.clone());
        let wait = "Time that a job waited in the queue before it was started";
        registry.register_with_unit("job_wait", wait, Unit::Seconds, self.job_wait.clone());
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
        count(&self.plans_done, plans.done);
        count(&self.plans_failed, plans.failed);
        self.resident.set(whole(resident_memory().unwrap_or(0)));
        self.slots.set(workers.iter().map(|worker| i64::from(worker.slots)).sum());
        self.stores.set();
    }

    /// Counts a job that was started after so many seconds in the queue.
    pub fn job_started(&self, waited: f64) {
        self.job_wait.observe(waited);
    }

    /// Counts a job that came to its end in this state, so many seconds after it was started.
    pub fn job_over(&self, state: &'static str, took: f64) {
        let label = StateLabel { state: state.to_owned() };
        self.jobs_over.get_or_create(&label).inc();
        self.job_time.get_or_create(&label).observe(took);
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

/// What a worker counts and measures. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct WorkerMetrics {
    rows: Counter,
    tasks_done: Counter,
    tasks_failed: Counter,
    hits: Counter,
    misses: Counter,
    evictions: Counter,
    hit_bytes: Counter,
    loaded_bytes: Counter,
    store_bytes: Gauge,
    reserved: Gauge,
    resident: Gauge,
    stores: StoreMetrics,
}

impl WorkerMetrics {
    /// Registers them under their names.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("segmenta_worker");
        register_build(registry);
        registry.register("rows", "Rows that its tasks have gone over since it started", self.rows.clone());
        registry.register("tasks_done", "Tasks that came to their end since it started", self.tasks_done.clone());
        registry.register("tasks_failed", "Attempts at tasks that failed since it started", self.tasks_failed.clone());
        registry.register("store_hits", "Partitions served from the store since it started", self.hits.clone());
        registry.register("store_misses", "Partitions that had to be loaded since it started", self.misses.clone());
        registry.register("store_evictions", "Partitions dropped since it started", self.evictions.clone());
        let hit = "Size of the partitions served from the store since it started";
        registry.register_with_unit("store_hit", hit, Unit::Bytes, self.hit_bytes.clone());
        let loaded = "Size of the partitions that had to be loaded since it started";
        registry.register_with_unit("store_loaded", loaded, Unit::Bytes, self.loaded_bytes.clone());
        let held = "Size of the partitions that the store holds";
        registry.register_with_unit("store_held", held, Unit::Bytes, self.store_bytes.clone());
        registry.register_with_unit("pool_reserved", "Reserved memory of the pool", Unit::Bytes, self.reserved.clone());
        registry.register_with_unit("resident", "Resident memory of the process", Unit::Bytes, self.resident.clone());
        self.stores.register(registry);
    }

    /// Takes over what a worker says now.
    pub fn set(&self, now: &WorkerStatistics) {
        count(&self.rows, now.rows);
        count(&self.tasks_done, now.tasks_done);
        count(&self.tasks_failed, now.tasks_failed);
        count(&self.hits, now.store.hits);
        count(&self.misses, now.store.misses);
        count(&self.evictions, now.store.evictions);
        count(&self.hit_bytes, now.store.hit_bytes);
        count(&self.loaded_bytes, now.store.loaded_bytes);
        self.store_bytes.set(whole(now.store.bytes));
        self.reserved.set(whole(now.reserved_bytes));
        self.resident.set(whole(resident_memory().unwrap_or(0)));
        self.stores.set();
    }
}
