//! `segmenta generate`: writes synthetic customers, or their orders, for load tests.

use std::num::NonZeroUsize;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use segmenta_engine::EngineError;
use segmenta_engine::runtime::{MemoryPlan, runtime_env};
use segmenta_loadtest::generate::{Destination, GenerateOptions, OnCustomers, Schema, generate};
use segmenta_pipeline::location::to_folder_url;
use segmenta_results::words::count;
use segmenta_service::shutdown;
use serde_json::json;

use super::current_folder;
use crate::console;

/// Generate synthetic customers for load tests, as Parquet shards
///
/// Three behaviours (VIP, regular, infrequent), background, missing cells and gross errors: as features, or as the raw orders
/// that add up to them. The same seed and options give the same bytes; the same customers come out however many shards they
/// are split into.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta generate --rows 5000000 --shards 16 data/customers
  segmenta generate --rows 5000000 s3://lake/customers --threads 4
  segmenta generate --schema orders --orders-per-customer 20 --skew 0.8 --shard-skew 1 data/orders
  segmenta generate --drift 0.1 --period 2 data/next      a tenth of the customers has changed behaviour

The features of raw orders, in a job spec:
  sql: |
    SELECT customer_id, DATE '2026-07-01' - MAX(order_date) AS recency, COUNT(*) AS frequency, SUM(amount) AS monetary
    FROM orders GROUP BY customer_id

From one period to the next, with --drift D: a customer leaves with probability D/2, and a new one takes its place; a
customer who stays moves with probability D to another behaviour; the average order of all who have a behaviour grows
by the share D.

Each thread holds a row group in the making (some 15 MiB) and an upload of at most 30 MiB.")]
pub(crate) struct Arguments {
    /// The folder to write to, or a URL (s3://, gs://, az://, file://); it must not hold shards already
    out: String,
    /// Customers
    #[arg(long, value_name = "N", default_value_t = GenerateOptions::default().rows)]
    rows: u64,
    /// Files to split them into
    #[arg(long, value_name = "N", default_value_t = GenerateOptions::default().shards)]
    shards: usize,
    /// Seed that the customers are drawn from
    #[arg(long, value_name = "N", default_value_t = GenerateOptions::default().seed)]
    seed: u64,
    /// What a row is
    #[arg(long, value_enum, default_value_t = Rows::Features)]
    schema: Rows,
    /// Probability that a cell is missing
    #[arg(long, value_name = "SHARE", default_value_t = GenerateOptions::default().missing_share)]
    missing_share: f64,
    /// Share of the customers with a gross error in one cell
    #[arg(long, value_name = "SHARE", default_value_t = GenerateOptions::default().outlier_share)]
    outlier_share: f64,
    /// Share of the customers that follow no behaviour
    #[arg(long, value_name = "SHARE", default_value_t = GenerateOptions::default().background_share)]
    background_share: f64,
    /// Orders per customer on average, with --schema orders [default: as the behaviours have them, some 11.8]
    #[arg(long, value_name = "MEAN")]
    orders_per_customer: Option<f64>,
    /// Zipf exponent of the orders over customers, 0 to 0.95, with --schema orders: 1 % of the customers have a share of
    /// 0.01^(1 - EXPONENT) of the orders
    #[arg(long, value_name = "EXPONENT", default_value_t = 0.0)]
    skew: f64,
    /// Zipf exponent of the customers over shards, 0 to 4: shard i has a share in proportion to i^-EXPONENT
    #[arg(long, value_name = "EXPONENT", default_value_t = 0.0)]
    shard_skew: f64,
    /// Share that changes from one period to the next, as explained below
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    drift: f64,
    /// Period to generate, from 1; --drift says what changes between periods
    #[arg(long, value_name = "N", default_value_t = 1)]
    period: u32,
    /// Shards that are written at once [default: the machine's cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Replace the shards that are there
    #[arg(long)]
    overwrite: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Rows {
    /// A customer: recency, frequency, monetary
    Features,
    /// An order: its customer, date, amount and more
    Orders,
}

impl Rows {
    pub(crate) fn schema(self) -> Schema {
        match self {
            Self::Features => Schema::Features,
            Self::Orders => Schema::Orders,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let options = GenerateOptions {
        schema: arguments.schema.schema(),
        rows: arguments.rows,
        shards: arguments.shards,
        seed: arguments.seed,
        missing_share: arguments.missing_share,
        outlier_share: arguments.outlier_share,
        background_share: arguments.background_share,
        orders_per_customer: arguments.orders_per_customer,
        skew: arguments.skew,
        shard_skew: arguments.shard_skew,
        drift: arguments.drift,
        period: arguments.period,
    };
    options.validate().map_err(|error| EngineError::spec(error.to_string()))?;
    let here = current_folder();
    let cores = std::thread::available_parallelism();
    let to = Destination {
        url: to_folder_url(&arguments.out, &here)?,
        overwrite: arguments.overwrite,
        threads: arguments.threads.or(cores.ok()).map_or(1, NonZeroUsize::get),
    };
    let bar = console::bar("generate", options.rows);
    let on_customers: OnCustomers = {
        let bar = bar.clone();
        Arc::new(move |customers| bar.inc(customers))
    };
    let runtime = crate::threads::runtime()?;
    let written = runtime.block_on(async {
        let stores = runtime_env(MemoryPlan::detect())?;
        let stop = async {
            EngineError::job(match shutdown::requested().await {
                Ok(()) => "stopped on request; the shards that were written are removed".to_owned(),
                Err(error) => format!("signals cannot be listened for: {error}"),
            })
        };
        generate(&stores, &options, &to, on_customers, stop).await
    });
    bar.finish_and_clear();
    let (written, out) = (written?, &arguments.out);
    console::result(
        || {
            json!({
                "schema": options.schema.file_stem(),
                "customers": options.rows,
                "rows": written.rows,
                "shards": options.shards,
                "bytes": written.bytes,
                "folder": out,
            })
        },
        || {
            let orders = match options.schema {
                Schema::Features => String::new(),
                Schema::Orders => format!(" with {} orders", count(written.rows)),
            };
            let (customers, shards) = (count(options.rows), options.shards);
            console::line(&format!("{customers} customers{orders} in {shards} shards: {out}"))
        },
    )?;
    Ok(())
}
