//! What a plan costs on the embedded cluster, beside plain DataFusion and Ballista's own standalone mode, in one run.
//!
//! ```text
//! cargo run --release -p segmenta-benchmarks --bin latency
//! ```
//!
//! A no-op plan (what every pass of K-Means pays), and two queries over 5,000,000 rows in 16 files. Each figure is the
//! median of several runs, taken in turns; the answers of all three are compared.

#![allow(clippy::print_stdout)]

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use arrow::util::pretty::pretty_format_batches;
use ballista::prelude::SessionContextExt;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use segmenta_engine::cluster::{Cluster, EmbeddedOptions};
use segmenta_engine::runtime::session_like;
use segmenta_loadtest::generate::{GenerateOptions, shards, write_shard};

const ROWS: u64 = 5_000_000;
const FILES: usize = 16;
const RUNS: usize = 11;

const NO_OP: &str = "SELECT 1";
const SCAN: &str = "SELECT count(*), sum(recency), max(frequency), min(monetary) FROM customers";
const GROUPED: &str = "SELECT frequency AS orders, count(*) AS customers, max(recency) AS oldest, max(monetary) AS most \
                       FROM customers GROUP BY frequency ORDER BY frequency LIMIT 20";

/// The bars: a no-op in milliseconds, a scan relative to plain DataFusion.
const NO_OP_BAR: f64 = 10.0;
const SCAN_BAR: f64 = 1.5;

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    generate(folder.path())?;
    let files = folder.path().to_str().context("a temporary folder whose name is not text")?;

    let plain = SessionContext::new();
    let cluster = Cluster::embedded(EmbeddedOptions::default()).await?;
    // The shards are scanned in as many partitions as there are files.
    let config = cluster.state().config().clone().with_target_partitions(FILES);
    let embedded = SessionContext::new_with_state(session_like(cluster.state(), config));
    let stock = SessionContext::standalone().await?;
    for context in [&plain, &embedded, &stock] {
        context.register_parquet("customers", files, ParquetReadOptions::default()).await?;
    }
    println!(
        "{ROWS} rows in {FILES} files, {} threads, medians of {RUNS} runs",
        SessionConfig::new().target_partitions()
    );
    println!("{:<10} {:>14} {:>14} {:>14} {:>12}", "", "DataFusion", "embedded", "stock", "embedded is");
    let mut met = true;
    for (name, query) in [("no-op", NO_OP), ("scan", SCAN), ("grouped", GROUPED)] {
        let (mut times, mut answers) = ([vec![], vec![], vec![]], vec![]);
        for run in 0..=RUNS {
            answers.clear();
            for (system, times) in times.iter_mut().enumerate() {
                let started = Instant::now();
                let batches = match system {
                    0 => plain.sql(query).await.context("DataFusion")?.collect().await?,
                    1 => {
                        let frame = embedded.sql(query).await.context("embedded")?;
                        cluster.collect(frame.create_physical_plan().await?).await?
                    }
                    _ => stock.sql(query).await.context("stock")?.collect().await?,
                };
                // The first run warms up.
                if run > 0 {
                    times.push(started.elapsed());
                }
                answers.push(pretty_format_batches(&batches)?.to_string());
            }
        }
        ensure!(answers.iter().all(|answer| *answer == answers[0]), "{name}: the answers differ: {answers:#?}");
        let [plain, embedded, stock] = times.map(median);
        let ratio = embedded / plain;
        // The grouped query shuffles through files, which plain DataFusion does in memory: no bar, but kept in sight.
        let bar = match name {
            "no-op" => embedded <= NO_OP_BAR,
            "scan" => ratio <= SCAN_BAR,
            _ => true,
        };
        met &= bar;
        println!(
            "{name:<10} {plain:>11.1} ms {embedded:>11.1} ms {stock:>11.1} ms {ratio:>10.2} x  {}",
            if bar { "" } else { "over the bar" }
        );
    }
    ensure!(met, "a bar was missed: a no-op in {NO_OP_BAR} ms, a scan within {SCAN_BAR} times plain DataFusion");
    Ok(())
}

fn generate(folder: &Path) -> Result<()> {
    let options = GenerateOptions { rows: ROWS, shards: FILES, ..GenerateOptions::default() };
    for shard in shards(&options)? {
        let file = BufWriter::new(File::create(folder.join(shard.file_name()))?);
        write_shard(&options, &shard, file, &mut |_| {})?;
    }
    Ok(())
}

/// In milliseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}
