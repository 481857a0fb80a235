//! The data of a load test: made once for each number of rows, and found again by the next one.

use std::sync::Arc;

use segmenta_engine::EngineError;
use segmenta_engine::artifact::{get, put};
use segmenta_loadtest::generate::{Destination, GenerateOptions, OnCustomers, generate};
use serde_json::json;

use super::Stores;
use crate::console;

/// The file that says what a folder holds. It is written last, so a folder that has it is complete.
const MARK: &str = "generated.json";

/// The folder below `work` that holds the customers of these options, a URL without a `/` at its end. Generates them if
/// they are not there yet.
///
/// # Errors
/// Options that are out of their range, or a place that cannot be written to.
pub(crate) async fn ensure(stores: &Stores, work: &str, options: &GenerateOptions) -> Result<String, EngineError> {
    options.validate().map_err(|error| EngineError::spec(error.to_string()))?;
    let GenerateOptions { schema, rows, shards, seed, .. } = options;
    let folder = format!("{work}data/{}-{rows}-in-{shards}-seed-{seed}", schema.file_stem());
    let mark = format!("{folder}/{MARK}");
    let content = json!({"segmenta": env!("CARGO_PKG_VERSION"), "options": format!("{options:?}")}).to_string();
    if get(stores, &mark).await?.is_some_and(|there| there == content) {
        return Ok(folder);
    }
    let bar = console::bar("generate", *rows);
    let on_customers: OnCustomers = {
        let bar = bar.clone();
        Arc::new(move |customers| bar.inc(customers))
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let to = Destination { url: format!("{folder}/"), overwrite: true, threads };
    let made = generate(stores, options, &to, on_customers, std::future::pending()).await;
    bar.finish_and_clear();
    made?;
    put(stores, &mark, content).await?;
    Ok(folder)
}
