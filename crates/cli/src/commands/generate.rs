//! `segmenta generate`: writes synthetic customers for load tests.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, bail};
use clap::Args;
use segmenta_engine::EngineError;
use segmenta_pipeline::generate::{GenerateError, GenerateOptions, ShardRange, shards, write_shard};

use segmenta_pipeline::words::count;
use serde_json::json;

use crate::console;

/// Generate synthetic customers for load tests, as Parquet shards
///
/// Three behaviours (VIP, regular, infrequent), background, missing cells and gross errors. The same seed gives the same
/// customers, however many shards they are split into.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta generate --rows 5000000 --shards 16 data/customers")]
pub(crate) struct Arguments {
    /// The folder to write to; it must not hold shards already
    out: PathBuf,
    /// Customers
    #[arg(long, default_value_t = GenerateOptions::default().rows)]
    rows: u64,
    /// Files to split them into
    #[arg(long, default_value_t = GenerateOptions::default().shards)]
    shards: usize,
    /// What the customers are a function of
    #[arg(long, default_value_t = GenerateOptions::default().seed)]
    seed: u64,
    /// Probability that a cell is missing
    #[arg(long, value_name = "SHARE", default_value_t = GenerateOptions::default().missing_share)]
    missing_share: f64,
    /// Share of the customers with a gross error in one cell
    #[arg(long, value_name = "SHARE", default_value_t = GenerateOptions::default().outlier_share)]
    outlier_share: f64,
    /// Share of the customers that follow no behaviour
    #[arg(long, value_name = "SHARE", default_value_t = GenerateOptions::default().background_share)]
    background_share: f64,
    /// Replace the shards that are there
    #[arg(long)]
    overwrite: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let options = GenerateOptions {
        rows: arguments.rows,
        shards: arguments.shards,
        seed: arguments.seed,
        missing_share: arguments.missing_share,
        outlier_share: arguments.outlier_share,
        background_share: arguments.background_share,
    };
    let shards = shards(&options).map_err(|error| EngineError::spec(error.to_string()))?;
    let out = &arguments.out;
    fs::create_dir_all(out).with_context(|| format!("{}: cannot be created", out.display()))?;
    let existing = existing_shards(out)?;
    if !existing.is_empty() && !arguments.overwrite {
        let message = format!(
            "{}: already holds {} shards; choose another folder, or replace them with --overwrite",
            out.display(),
            existing.len()
        );
        return Err(EngineError::spec(message).into());
    }
    for shard in existing {
        fs::remove_file(&shard).with_context(|| format!("{}: cannot be removed", shard.display()))?;
    }
    write_all(&options, &shards, out)?;
    console::result(
        || json!({"customers": options.rows, "shards": options.shards, "folder": out}),
        || {
            let (customers, shards) = (count(options.rows), options.shards);
            console::line(&format!("{customers} customers in {shards} shards: {}", out.display()))
        },
    )?;
    Ok(())
}

fn existing_shards(out: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(out).with_context(|| format!("{}: cannot be read", out.display()))? {
        let path = entry.with_context(|| format!("{}: cannot be read", out.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Writes the shards on all cores; stops at the first failure.
fn write_all(options: &GenerateOptions, shards: &[ShardRange], out: &Path) -> anyhow::Result<()> {
    let bar = console::bar("generate", options.rows);
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<anyhow::Error>> = Mutex::new(None);
    let failed = || failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(shards.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while failed().is_none()
                    && let Some(shard) = shards.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    if let Err(error) = write_one(options, shard, out, &mut |rows| bar.inc(rows)) {
                        failed().get_or_insert(error);
                    }
                }
            });
        }
    });
    bar.finish_and_clear();
    match failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Under another name until it is whole.
fn write_one(
    options: &GenerateOptions,
    shard: &ShardRange,
    out: &Path,
    on_rows: &mut dyn FnMut(u64),
) -> anyhow::Result<()> {
    let path = out.join(shard.file_name());
    let partial = path.with_extension("partial");
    let mut write = || -> anyhow::Result<()> {
        let file = File::create(&partial)?;
        match write_shard(options, shard, BufWriter::new(file), on_rows) {
            Ok(_) => {}
            Err(error @ GenerateError::Write { .. }) => return Err(error.into()),
            Err(error) => bail!(EngineError::spec(error.to_string())),
        }
        Ok(fs::rename(&partial, &path)?)
    };
    let written = write();
    if written.is_err() {
        // The failure is what counts; a leftover is overwritten next time.
        let _ = fs::remove_file(&partial);
    }
    written.with_context(|| format!("{}: cannot be written", path.display()))
}
