//! What plans of many parts cost the scheduler and the driver, where the parts themselves cost nothing.
//!
//! ```text
//! cargo build --release && cargo run --release -p segmenta-benchmarks --bin scheduling -- target/release/segmenta 1000 4000
//! ```
//!
//! This process is the coordinator, and the binary that is named runs as a worker of sixteen slots, as those of a cluster are. For each number of parts: a pass over
//! them, as each pass of a job is, and a shuffle of a quarter as many partitions into them, as extract is. Prints seconds, those of them that
//! this process was busy, and by how much it has grown at its peak. What a part, or a pair of partitions, keeps the coordinator busy
//! for is what `simulate.py` reckons with. Linux only.

#![allow(clippy::print_stdout)]

use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use datafusion::physical_expr::expressions::col;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning};
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use parquet::arrow::ArrowWriter;
use segmenta_engine::artifact::Part;
use segmenta_engine::cluster::{Cluster, SchedulerOptions};
use segmenta_engine::operators::parts_table;
use segmenta_engine::runtime::{MemoryPlan, session_like};
use segmenta_pipeline::process::{peak_memory, reset_peak_memory};
use tokio::net::TcpListener;

/// Clock ticks of a second in /proc.
const TICKS: f64 = 100.0;

/// A worker; it goes when this is dropped.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let binary =
        arguments.next().context("name the segmenta binary that is to be the worker, then numbers of parts")?;
    let counts =
        arguments.map(|argument| argument.parse().with_context(|| format!("{argument}: is no number of parts")));
    let counts: Vec<usize> = counts.collect::<Result<_>>()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let scheduler = listener.local_addr()?.to_string();
    let cluster = Cluster::scheduling(listener, &SchedulerOptions::default(), MemoryPlan::detect()).await?;
    let folder = tempfile::tempdir()?;
    let worker = Command::new(&binary)
        .args(["--quiet", "worker", "--scheduler", &scheduler, "--slots", "16", "--work-dir"])
        .arg(folder.path())
        .spawn();
    let _worker = Worker(worker.with_context(|| format!("{binary}: cannot be started"))?);
    while cluster.workers().await.is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("{:>8} {:>26} {:>26} {:>12}", "parts", "pass: s, busy, MiB", "shuffle: s, busy, MiB", "pairs");
    for parts in counts {
        let pass = timed(&cluster, table(parts)?, parts).await?;
        let from = parts.div_ceil(4);
        let folder = tempfile::tempdir()?;
        let rows = scan(&cluster, folder.path(), from, parts).await?;
        let by = col("id", &rows.schema())?;
        let shuffled = Arc::new(RepartitionExec::try_new(rows, Partitioning::Hash(vec![by], parts))?);
        let shuffle = timed(&cluster, shuffled, from * parts).await?;
        println!("{parts:>8} {pass} {shuffle} {:>12}", from * parts);
    }
    Ok(())
}

/// A leaf that lists so many parts.
fn table(parts: usize) -> Result<Arc<dyn ExecutionPlan>> {
    let part = |index: usize| {
        let url = format!("s3://lake/segments/customers/_work/scale/0123456789ab/part-{index:05}.parquet");
        vec![Part { index: index as u32, url, rows: 524_288, bytes: 20_000_000, sha256: "0".repeat(64) }]
    };
    Ok(parts_table(&(0..parts).map(part).collect::<Vec<_>>())?)
}

/// A scan of so many files, each with a row for each partition that they are shuffled to, by and large.
async fn scan(cluster: &Cluster, folder: &Path, files: usize, rows: usize) -> Result<Arc<dyn ExecutionPlan>> {
    for file in 0..files {
        let first = (file * rows) as u64;
        let ids = UInt64Array::from_iter_values(first..first + rows as u64);
        let batch = RecordBatch::try_from_iter([("id", Arc::new(ids) as ArrayRef)])?;
        let mut writer =
            ArrowWriter::try_new(File::create(folder.join(format!("{file}.parquet")))?, batch.schema(), None)?;
        writer.write(&batch)?;
        writer.close()?;
    }
    let config = cluster.state().config().clone().with_target_partitions(files);
    let context = SessionContext::new_with_state(session_like(cluster.state(), config));
    let path = folder.to_str().context("a temporary folder whose name is not text")?;
    let rows = context.read_parquet(path, ParquetReadOptions::default()).await?.create_physical_plan().await?;
    let partitions = rows.output_partitioning().partition_count();
    ensure!(partitions == files, "{partitions} partitions of {files} files");
    Ok(rows)
}

/// What a plan took.
struct Took {
    seconds: f64,
    /// Of them, those that this process was at work.
    busy: f64,
    /// That it has grown by at its peak.
    mebibytes: u64,
}

impl Display for Took {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:>10.2} {:>9.2} {:>5}", self.seconds, self.busy, self.mebibytes)
    }
}

/// What a plan of `rows` rows takes.
async fn timed(cluster: &Cluster, plan: Arc<dyn ExecutionPlan>, rows: usize) -> Result<Took> {
    reset_peak_memory();
    let before = peak_memory().unwrap_or(0);
    let (started, busy) = (Instant::now(), processor_seconds()?);
    let batches = cluster.collect(plan).await?;
    let found: usize = batches.iter().map(|batch| batch.num_rows()).sum();
    ensure!(found == rows, "{found} rows came back of {rows}");
    Ok(Took {
        seconds: started.elapsed().as_secs_f64(),
        busy: processor_seconds()? - busy,
        mebibytes: peak_memory().unwrap_or(0).saturating_sub(before) >> 20,
    })
}

/// Of this process so far; see proc(5).
fn processor_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| -> Result<f64> { Ok(fields.get(field).context("/proc/self/stat")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}
