//! The SQL of the extraction against what DuckDB answers: see `tests/sql/README.md`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};
use arrow::util::display::array_value_to_string;
use segmenta_engine::cluster::Cluster;
use segmenta_engine::planning::check_distributable;
use segmenta_engine::{EngineError, Fault, Result};
use segmenta_pipeline::source::Sources;
use segmenta_spec::JobSpec;
use serde_json::{Value, json};

use crate::coordinator::Site;
use crate::support::{folder, options, root};

/// A query that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

struct Query {
    name: String,
    sql: String,
    tolerance: f64,
    is_ordered: bool,
    /// Row by row, cell by cell.
    answer: Vec<Vec<Value>>,
    columns: Vec<String>,
}

fn sql_folder() -> std::path::PathBuf {
    root().join("tests/sql")
}

/// The queries of a file, with their answers.
fn queries(theme: &str, text: &str) -> Vec<Query> {
    let answers = fs::read_to_string(sql_folder().join(format!("answers/{theme}.json"))).unwrap();
    let answers: Value = serde_json::from_str(&answers).unwrap();
    let parts = text.split("-- name: ").skip(1);
    parts
        .map(|part| {
            let (name, rest) = part.split_once('\n').unwrap();
            let remarks: Vec<&str> = rest.lines().filter(|line| line.starts_with("--")).collect();
            let remark = |key: &str| remarks.iter().find_map(|line| line.strip_prefix(&format!("-- {key}")));
            let sql: Vec<&str> = rest.lines().filter(|line| !line.starts_with("--")).collect();
            let answer = &answers["answers"][name];
            let rows = answer["rows"].as_array().unwrap_or_else(|| panic!("{name} has no answer"));
            Query {
                name: name.to_owned(),
                sql: sql.join("\n"),
                tolerance: remark("tolerance: ").map_or(1e-9, |value| value.trim().parse().unwrap()),
                is_ordered: remark("ordered").is_some(),
                answer: rows.iter().map(|row| row.as_array().unwrap().clone()).collect(),
                columns: answer["columns"].as_array().unwrap().iter().map(|c| c.as_str().unwrap().to_owned()).collect(),
            }
        })
        .collect()
}

fn theme(name: &str) -> Vec<Query> {
    queries(name, &fs::read_to_string(sql_folder().join(format!("{name}.sql"))).unwrap())
}

fn tpch() -> Vec<Query> {
    let text = |i: u32| fs::read_to_string(sql_folder().join(format!("tpch/q{i:02}.sql"))).unwrap();
    queries("tpch", &(1..=22).map(text).collect::<String>())
}

/// The tables of a folder: one for each folder in it.
async fn tables(cluster: &Cluster, folder: &Path) -> Sources {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let names = names.filter(|entry| entry.file_type().unwrap().is_dir());
    let mut names: Vec<String> = names.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    let tables: Vec<String> = names.iter().map(|name| format!("{name}: {}/{name}", folder.display())).collect();
    let spec = format!(
        "name: sql\nsource:\n  tables: {{{}}}\n  sql: SELECT 1\n  id: id\n  features: [x]\noutput: out\n",
        tables.join(", ")
    );
    let spec = JobSpec::parse(&spec, "sql.yaml").unwrap();
    Sources::find(&cluster.runtime(), &spec.source, folder, "file:///none/").await.unwrap()
}

async fn ask(cluster: &Cluster, sources: &Sources, sql: &str) -> Result<Vec<RecordBatch>> {
    // As many partitions as a job would have over the tables that it reads.
    let mut sources = sources.clone();
    let words: Vec<&str> = sql.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    sources.tables.retain(|table| words.contains(&table.name.as_str()));
    let (frame, _) = sources.query(cluster.state(), sql, None).await?;
    let planned = frame.create_physical_plan().await;
    let plan = planned.map_err(|error| EngineError::spec(EngineError::from(error).message))?;
    check_distributable(cluster.state(), &plan)?;
    cluster.collect(plan).await
}

/// A cell as the answers have it.
fn cell(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    let whole = |value: i128| {
        if value.unsigned_abs() <= 1 << 53 { json!(value as i64) } else { json!(value.to_string()) }
    };
    match column.data_type() {
        DataType::Boolean => json!(column.as_boolean().value(row)),
        DataType::UInt64 => whole(column.as_primitive::<UInt64Type>().value(row).into()),
        t if t.is_integer() => {
            let wide = cast(&column.slice(row, 1), &DataType::Int64).unwrap();
            whole(wide.as_primitive::<Int64Type>().value(0).into())
        }
        t if t.is_floating() => {
            let wide = cast(&column.slice(row, 1), &DataType::Float64).unwrap();
            match wide.as_primitive::<Float64Type>().value(0) {
                value if value.is_nan() => json!("NaN"),
                value if value.is_infinite() => json!(if value > 0.0 { "inf" } else { "-inf" }),
                value => json!(value),
            }
        }
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            (0..items.len()).map(|i| cell(&items, i)).collect()
        }
        t => {
            let text = array_value_to_string(column, row).unwrap();
            let has_fraction = (t.is_decimal() || matches!(t, DataType::Timestamp(..))) && text.contains('.');
            json!(if has_fraction { text.trim_end_matches('0').trim_end_matches('.') } else { &text })
        }
    }
}

fn rows_of(batches: &[RecordBatch]) -> Vec<Vec<Value>> {
    let rows = |batch: &RecordBatch| -> Vec<Vec<Value>> {
        (0..batch.num_rows()).map(|row| batch.columns().iter().map(|column| cell(column, row)).collect()).collect()
    };
    batches.iter().flat_map(rows).collect()
}

/// What rows are sorted by: digits that may differ, and the sign of zero, have no part in it.
fn sort_key(row: &[Value]) -> String {
    let key = |value: &Value| match number(value) {
        Some(value) => format!("{:.6e}", value + 0.0),
        None => value.to_string(),
    };
    row.iter().map(|value| key(value) + "|").collect()
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok().filter(|value: &f64| value.is_finite()))
}

fn are_equal(a: &Value, b: &Value, tolerance: f64) -> bool {
    if a == b {
        return true;
    }
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| are_equal(a, b, tolerance))
        }
        // Text is compared as it is.
        (Value::String(_), Value::String(_)) if number(a).is_none() || number(b).is_none() => false,
        _ => number(a).zip(number(b)).is_some_and(|(a, b)| (a - b).abs() <= tolerance * a.abs().max(b.abs())),
    }
}

/// How an answer differs from the expected one.
fn difference(query: &Query, batches: &[RecordBatch]) -> Option<String> {
    if let Some(batch) = batches.first() {
        let names: Vec<&String> = batch.schema_ref().fields().iter().map(|field| field.name()).collect();
        if names != query.columns.iter().collect::<Vec<_>>() {
            return Some(format!("columns {names:?} instead of {:?}", query.columns));
        }
    }
    let (mut found, mut expected) = (rows_of(batches), query.answer.clone());
    if !query.is_ordered {
        found.sort_by_cached_key(|row| sort_key(row));
        expected.sort_by_cached_key(|row| sort_key(row));
    }
    if found.len() != expected.len() {
        return Some(format!("{} rows instead of {}", found.len(), expected.len()));
    }
    let same = |(a, b): &(&Vec<Value>, &Vec<Value>)| {
        a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| are_equal(a, b, query.tolerance))
    };
    let wrong: Vec<_> = found.iter().zip(&expected).filter(|pair| !same(pair)).collect();
    let (found, expected) = wrong.first()?;
    Some(format!(
        "{} of {} rows differ: {} instead of {}",
        wrong.len(),
        query.answer.len(),
        json!(found),
        json!(expected)
    ))
}

/// Runs the queries, several at once so that tasks of different plans meet, and returns what was wrong with each.
async fn wrong(cluster: &Cluster, tables: &Sources, queries: Vec<Query>) -> Vec<String> {
    let waiting = Mutex::new(queries);
    let next = || waiting.lock().unwrap().pop();
    let in_turn = async || {
        let mut wrong = Vec::new();
        while let Some(query) = next() {
            let answer = tokio::time::timeout(PATIENCE, ask(cluster, tables, &query.sql)).await;
            let fault = match answer {
                Err(_) => Some("hangs".to_owned()),
                Ok(Err(error)) => Some(format!("{:?}: {}", error.fault, error.message)),
                Ok(Ok(batches)) => difference(&query, &batches),
            };
            wrong.extend(fault.map(|fault| format!("{}: {fault}\n{}", query.name, query.sql)));
        }
        wrong
    };
    let (a, b, c, d) = tokio::join!(in_turn(), in_turn(), in_turn(), in_turn());
    [a, b, c, d].concat()
}

async fn check(cluster: &Cluster, name: &str, every: usize) {
    let (folder, queries) = match name {
        "tpch" => (sql_folder().join("tpch"), tpch()),
        _ => (sql_folder().join("tables"), theme(name)),
    };
    let queries: Vec<Query> = queries.into_iter().step_by(every).collect();
    let count = queries.len();
    assert_none(&wrong(cluster, &tables(cluster, &folder).await, queries).await, count);
}

fn assert_none(wrong: &[String], queries: usize) {
    assert!(wrong.is_empty(), "{} of {queries} queries:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// All queries of a theme on the embedded cluster.
macro_rules! themes {
    ($($theme:ident)*) => {
        const THEMES: &[&str] = &[$(stringify!($theme)),*];

        mod the_embedded_cluster_answers_as_duckdb_does {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $theme() {
                    check(&Cluster::embedded(options(2)).await.unwrap(), stringify!($theme), 1).await;
                }
            )*
        }
    };
}
themes!(tpch joins subqueries decimals dates windows grouping sets expressions nested statistics);

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_answer_as_duckdb_does() {
    let here = folder();
    let site = Site::new(here.path());
    let mut coordinator = site.coordinator(&[]);
    coordinator.says("ready for jobs");
    let _workers = [site.worker(), site.worker()];
    let cluster = Cluster::remote(&site.scheduler_url()).unwrap();
    for theme in THEMES {
        check(&cluster, theme, if ["joins", "statistics"].contains(theme) { 4 } else { 1 }).await;
    }
}

/// What DataFusion cannot run, or would answer otherwise than the standard says, is refused, before anything runs.
#[tokio::test(flavor = "multi_thread")]
async fn what_would_go_wrong_is_refused() {
    let cluster = Cluster::embedded(options(2)).await.unwrap();
    let tables = tables(&cluster, &sql_folder().join("tables")).await;
    let mut wrong = Vec::new();
    for query in theme("known_faults") {
        match ask(&cluster, &tables, &query.sql).await {
            Err(error) if error.fault == Fault::Spec && !error.message.contains("internal error") => {}
            Err(error) => wrong.push(format!("{}: {:?}: {}", query.name, error.fault, error.message)),
            Ok(_) => wrong.push(format!("{}: is answered", query.name)),
        }
    }
    assert_none(&wrong, theme("known_faults").len());
    let refusals: HashMap<&str, &str> = HashMap::from([
        ("SELECT ROW_NUMBER() OVER () AS id, a FROM l", "ROW_NUMBER() OVER (…) depends on the order of rows"),
        ("SELECT id FROM l LIMIT 10", "LIMIT depends on the order of rows"),
        ("SELECT a, ARRAY_AGG(id) AS ids FROM l GROUP BY a", "ARRAY_AGG depends on the order of rows"),
        ("SELECT a, FIRST_VALUE(id) AS id FROM l GROUP BY a", "FIRST_VALUE depends on the order of rows"),
        ("SELECT id, SUM(a) OVER (ROWS 2 PRECEDING) AS s FROM l", "depends on the order of rows"),
        ("SELECT id FROM l TABLESAMPLE BERNOULLI (10)", "samples are not taken"),
        ("SELECT a FROM l EXCEPT ALL SELECT a FROM r", "EXCEPT ALL: how often a row occurs"),
        (
            "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 9) SELECT n FROM t",
            "WITH RECURSIVE",
        ),
        ("SELECT SUM(9223372036854775807 - 0 * id) AS s FROM l", "a SUM is beyond what Int64 holds"),
    ]);
    for (sql, expected) in refusals {
        let error = ask(&cluster, &tables, sql).await.expect_err(sql);
        assert!(error.fault == Fault::Spec && error.message.contains(expected), "{sql}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ties_are_warned_of() {
    let cluster = Cluster::embedded(options(1)).await.unwrap();
    let tables = tables(&cluster, &sql_folder().join("tables")).await;
    let warnings = async |sql: &str| tables.query(cluster.state(), sql, None).await.unwrap().1.warnings;
    for sql in [
        "SELECT id, ROW_NUMBER() OVER (PARTITION BY a ORDER BY c) AS n FROM l",
        "SELECT id FROM l ORDER BY a LIMIT 10",
        "SELECT a, FIRST_VALUE(id ORDER BY c) AS id FROM l GROUP BY a",
        "SELECT id, SUM(a) OVER (ORDER BY c ROWS 2 PRECEDING) AS s FROM l",
    ] {
        assert_eq!(warnings(sql).await.len(), 1, "{sql}");
    }
    for sql in [
        "SELECT id, RANK() OVER (PARTITION BY a ORDER BY c) AS n FROM l",
        "SELECT a, ARRAY_AGG(id ORDER BY id) AS ids FROM l GROUP BY a",
        "SELECT id, SUM(a) OVER (PARTITION BY c) AS s FROM l",
        "SELECT id, SUM(a) OVER (PARTITION BY c ORDER BY a) AS s FROM l",
    ] {
        assert_eq!(warnings(sql).await, Vec::<String>::new(), "{sql}");
    }
}
