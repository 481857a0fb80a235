//! A query, from its text to its logical plan.

#![no_main]

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::execution::SessionState;
use libfuzzer_sys::fuzz_target;
use segmenta_engine::runtime::planning_state;
use segmenta_pipeline::source::{SourceTable, Sources};
use segmenta_results::manifest::Shard;
use tokio::runtime::{Builder, Runtime};

static PLANNER: LazyLock<(Runtime, SessionState, Sources)> = LazyLock::new(|| {
    let column = |name: &str, kind: DataType| Field::new(name, kind, true);
    let schema = Arc::new(Schema::new(vec![
        column("customer_id", DataType::Int64),
        column("order_date", DataType::Date32),
        column("amount", DataType::Float64),
        column("tier", DataType::Utf8),
    ]));
    let table = |name: &str| SourceTable {
        name: name.to_owned(),
        shards: vec![Shard {
            table: name.to_owned(),
            url: format!("file:///nowhere/{name}.parquet"),
            bytes: 1 << 20,
            version: String::new(),
            rows: 1 << 16,
        }],
        schema: Arc::clone(&schema),
        long_columns: vec![],
    };
    let sources = Sources { tables: vec![table("orders"), table("tiers")] };
    // As the threads of the program.
    let runtime =
        Builder::new_multi_thread().worker_threads(1).thread_stack_size(32 << 20).enable_all().build().unwrap();
    (runtime, planning_state().unwrap(), sources)
});

fuzz_target!(|text: &str| {
    let (runtime, state, sources) = &*PLANNER;
    let sql = text.to_owned();
    let planned = runtime.spawn(async move { sources.query(state, &sql, None).await.map(drop) });
    match runtime.block_on(planned) {
        Ok(Err(error)) => assert!(!error.message.is_empty()),
        Ok(Ok(())) => {}
        Err(panicked) => panic!("{panicked}"),
    }
});
