//! The sources of a job: finds the shards of each table, checks that their schemas agree, and plans the SQL over them.

mod lake;
mod limits;
mod listing;
mod query;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, DFSchema};
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::StreamExt;
use object_store::ObjectMeta;
use segmenta_engine::artifact::{Footer, read_footer};
use segmenta_engine::functions::is_bytes;
use segmenta_engine::runtime::session_like;
use segmenta_engine::{EngineError, Result};
use segmenta_results::manifest::Shard;

use self::lake::Listing;
use self::listing::list;
pub use self::query::Dependence;
use crate::location::to_url;
use segmenta_spec::{Source, Table};

/// Footers read at once.
const FOOTERS_AT_ONCE: usize = 16;
/// A scan is split into tasks of about this many bytes, or of one shard each, up to [`FEW_TASKS`] of them.
const SCAN_BYTES: u64 = 16 * 1024 * 1024;
const FEW_TASKS: usize = 256;
/// Larger scans are split into tasks of this many bytes, because each task costs the scheduler one entry for every part
/// that it shuffles to.
const LARGE_SCAN_BYTES: u64 = 128 * 1024 * 1024;
/// The most that the tasks of a scan times the parts that its rows are shuffled to may come to. For each such pair the
/// scheduler holds 180 bytes with workers of sixteen slots, and 840 with workers of two.
const MAX_SHUFFLE_PAIRS: usize = 2 << 20;
/// Most tasks of a scan: a query that groups or joins shuffles that many partitions into as many.
const MAX_SCAN_PARTITIONS: usize = 1_024;

/// Rows of the sources for each part.
const PART_ROWS: u64 = 512 * 1024;
const MIN_PARTS: u64 = 8;
const MAX_PARTS: u64 = 4_096;

/// A table: its shards and their common schema.
#[derive(Debug, Clone)]
pub struct SourceTable {
    /// Name in SQL.
    pub name: String,
    /// Files, by URL.
    pub shards: Vec<Shard>,
    /// Schema of the first shard.
    pub schema: SchemaRef,
    /// Columns whose values are too long to be read.
    pub long_columns: Vec<LongColumn>,
}

/// A column whose values are too long to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongColumn {
    /// Its name.
    pub name: String,
    /// The file that it was found in.
    pub url: String,
    /// Mean length of its values in a row group.
    pub bytes: u64,
}

/// All tables of a job, found and checked.
#[derive(Debug, Clone)]
pub struct Sources {
    /// In the order of the spec.
    pub tables: Vec<SourceTable>,
}

impl Sources {
    /// Checks that every shard is still the one that was found. Data that is replaced while it is read is of no use.
    ///
    /// # Errors
    /// The first shard that was replaced or removed.
    pub async fn check_unchanged(&self, runtime: &RuntimeEnv, source: &Source, base: &Path) -> Result<()> {
        let mut now = HashMap::new();
        for location in source.tables.iter().flat_map(|table| &table.locations) {
            now.extend(list(runtime, location, base).await?.files);
        }
        for shard in self.shards() {
            let what = match now.get(&shard.url) {
                Some(meta) if meta.size == shard.bytes && version_of(meta) == shard.version => continue,
                Some(_) => "was replaced",
                None => "was removed",
            };
            return Err(EngineError::input(format!("{}: {what} while the job read it; run the job again", shard.url)));
        }
        Ok(())
    }

    /// Lists the shards of every table and reads their footers. `base` is the folder of the job spec. Files under
    /// `output`, a URL that ends in `/`, are not sources.
    ///
    /// # Errors
    /// When a location matches nothing, a file is not complete Parquet, or shards disagree. One error lists everything.
    pub async fn find(runtime: &RuntimeEnv, source: &Source, base: &Path, output: &str) -> Result<Self> {
        let mut tables = Vec::with_capacity(source.tables.len());
        let mut problems: Vec<EngineError> = Vec::new();
        for table in &source.tables {
            match find_table(runtime, table, base, output).await {
                Ok(table) => tables.push(table),
                Err(mut found) => problems.append(&mut found),
            }
        }
        match problems.first() {
            None => Ok(Self { tables }),
            Some(first) => {
                let messages: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
                Err(EngineError::new(first.fault, messages.join("\n")))
            }
        }
    }

    /// Every shard of every table.
    pub fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.tables.iter().flat_map(|table| &table.shards)
    }

    /// Bytes of all shards.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.shards().map(|shard| shard.bytes).sum()
    }

    /// Rows of all shards.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.shards().map(|shard| shard.rows).sum()
    }

    /// The number of partitions that the sources are scanned in: `per_shard` for each shard, or by size. It changes no
    /// result.
    fn scan_partitions(&self, per_shard: Option<usize>) -> usize {
        let shards = self.shards().count();
        let partitions = match per_shard {
            Some(n) => shards.saturating_mul(n),
            None => {
                let tasks = |bytes: u64| self.bytes().div_ceil(bytes) as usize;
                shards.max(tasks(SCAN_BYTES)).min(FEW_TASKS).max(tasks(LARGE_SCAN_BYTES)).max(2)
            }
        };
        let most = MAX_SHUFFLE_PAIRS / part_count(self.rows()) as usize;
        partitions.clamp(1, most.min(MAX_SCAN_PARTITIONS))
    }

    /// Plans `source.sql` over the tables (without it, the one table as it is) and checks that the id and feature
    /// columns are there and have suitable types. Only footers are read.
    ///
    /// # Errors
    /// When the SQL cannot be planned or would not be answered correctly, or a column is missing or not a number.
    pub async fn features(&self, state: &SessionState, source: &Source, per_shard: Option<usize>) -> Result<Features> {
        let (frame, dependence) = match (&source.sql, self.tables.first()) {
            (Some(sql), _) => self.query(state, sql, per_shard).await?,
            (None, Some(table)) => {
                let context = self.session(state, per_shard)?;
                (context.table(table.name.as_str()).await?, Dependence::default())
            }
            (None, None) => return Err(EngineError::spec("source.tables: no table")),
        };
        check_columns(frame.schema(), source)?;
        self.check_lengths(&frame, source)?;
        Ok(Features { frame, dependence })
    }

    /// Refuses values that are too long, where the query reads them. A batch holds thousands of values, each of them
    /// whole.
    fn check_lengths(&self, frame: &DataFrame, source: &Source) -> Result<()> {
        if self.tables.iter().all(|table| table.long_columns.is_empty()) {
            return Ok(());
        }
        let used = source.id.iter().chain(&source.features).chain(&source.weight).chain(&source.beside);
        let used: Vec<Expr> = used.map(|name| Expr::Column(Column::from_name(name))).collect();
        let plan = frame.clone().select(used)?.into_optimized_plan()?;
        let mut found = None;
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && let Some(table) = self.tables.iter().find(|table| table.name == scan.table_name.table())
            {
                let reads = |name: &str| scan.projected_schema.has_column_with_unqualified_name(name);
                found = table.long_columns.iter().find(|column| reads(&column.name)).or(found.take());
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        match found {
            None => Ok(()),
            Some(LongColumn { name, url, bytes }) => Err(EngineError::input(format!(
                "{url}: the values of `{name}` are {bytes} bytes long on average, and thousands of them are held at \
                 a time; shorten them where the file is written, or leave the column out of the query"
            ))),
        }
    }

    /// Plans a query over the tables.
    ///
    /// # Errors
    /// When the SQL cannot be planned, is not a query, or would not be answered correctly.
    pub async fn query(
        &self,
        state: &SessionState,
        sql: &str,
        per_shard: Option<usize>,
    ) -> Result<(DataFrame, Dependence)> {
        let refused = |error: DataFusionError| EngineError::spec(format!("source.sql: {}", error.strip_backtrace()));
        let context = self.session(state, per_shard)?;
        let state = context.state();
        let statement = limits::parse(&state, sql)?;
        query::check_statement(&statement)?;
        let plan = state.statement_to_plan(statement).await.map_err(refused)?;
        let only_queries = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        only_queries.verify_plan(&plan).map_err(refused)?;
        let dependence = query::check_plan(&plan)?;
        Ok((DataFrame::new(state, plan), dependence))
    }

    /// A session that has the tables.
    fn session(&self, state: &SessionState, per_shard: Option<usize>) -> Result<SessionContext> {
        let mut config = state.config().clone().with_target_partitions(self.scan_partitions(per_shard));
        if per_shard.is_some() {
            config = config.with_repartition_file_min_size(1);
        }
        let context = SessionContext::new_with_state(session_like(state, config));
        for table in &self.tables {
            let urls: Vec<ListingTableUrl> =
                table.shards.iter().map(|shard| ListingTableUrl::parse(&shard.url)).collect::<Result<_, _>>()?;
            let options = ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension("");
            let config = ListingTableConfig::new_with_multi_paths(urls)
                .with_listing_options(options)
                .with_schema(Arc::clone(&table.schema));
            context.register_table(table.name.as_str(), Arc::new(ListingTable::try_new(config)?))?;
        }
        Ok(context)
    }
}

/// The number of slices of the row ids. It follows from the rows of the sources, which are the same for any sharding.
#[must_use]
pub fn part_count(source_rows: u64) -> u32 {
    source_rows.div_ceil(PART_ROWS).clamp(MIN_PARTS, MAX_PARTS) as u32
}

/// The rows that a job starts from, as planned.
#[derive(Debug, Clone)]
pub struct Features {
    /// The query.
    pub frame: DataFrame,
    /// What its answer depends on.
    pub dependence: Dependence,
}

fn check_columns(schema: &DFSchema, source: &Source) -> Result<()> {
    let names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    let listed = || names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    let mut problems = Vec::new();
    let ids = source.id.iter().map(|id| ("source.id", id));
    let numbers: Vec<(&str, &String)> = (source.features.iter().map(|name| ("source.features", name)))
        .chain(source.weight.iter().map(|name| ("source.weight", name)))
        .chain(source.beside.iter().map(|name| ("profile.tenure", name)))
        .collect();
    for (key, name) in ids.chain(numbers.iter().copied()) {
        let found = names.iter().filter(|n| **n == name).count();
        if found == 0 {
            problems.push(format!("{key}: there is no column `{name}`; the columns are: {}", listed()));
        } else if found > 1 {
            problems.push(format!("{key}: {found} columns are named `{name}`; give them different names with AS"));
        }
    }
    for (key, name) in numbers {
        if let Ok(field) = schema
            .field_with_name(None, name)
            .or_else(|_| schema.qualified_field_from_column(&Column::from_name(name)).map(|(_, field)| field))
            && !field.data_type().is_numeric()
            // True is 1, false is 0.
            && !(key == "source.features" && *field.data_type() == DataType::Boolean)
        {
            problems.push(format!(
                "{key}: `{name}` is {}, not a number; convert it in source.sql, for example with \
                 CAST(\"{name}\" AS DOUBLE), or a date to the days since then",
                field.data_type()
            ));
        }
    }
    for name in &source.id {
        if let Ok((_, field)) = schema.qualified_field_from_column(&Column::from_name(name))
            && !identifies(field.data_type())
        {
            problems.push(format!(
                "source.id: `{name}` is {}; an id is whole numbers, text, dates, times or bytes; cast it to one of \
                 these in source.sql",
                field.data_type()
            ));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(EngineError::spec(problems.join("\n"))) }
}

/// Whether values of a type can identify customers.
fn identifies(id: &DataType) -> bool {
    match id {
        DataType::Dictionary(_, values) => identifies(values),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean => true,
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _) => true,
        DataType::Decimal32(_, _) | DataType::Decimal64(_, _) | DataType::Decimal128(_, _) => true,
        DataType::Decimal256(_, _) => true,
        other => other.is_integer() || is_bytes(other),
    }
}

/// The store's ETag, or the time of the last change.
fn version_of(meta: &ObjectMeta) -> String {
    meta.e_tag.clone().unwrap_or_else(|| meta.last_modified.to_rfc3339())
}

async fn find_table(
    runtime: &RuntimeEnv,
    table: &Table,
    base: &Path,
    output: &str,
) -> Result<SourceTable, Vec<EngineError>> {
    let mut listings: Vec<Listing> = Vec::new();
    let mut problems = Vec::new();
    for location in &table.locations {
        let listing = list(runtime, location, base).await.map(|mut listing| {
            listing.files.retain(|(url, _)| !url.starts_with(output));
            listing
        });
        match listing {
            Ok(listing) if listing.files.is_empty() && listing.tables.is_empty() => {
                problems.push(EngineError::input(format!(
                    "source.tables.{}: {location} matches no file (looked in {})",
                    table.name,
                    to_url(location, base).unwrap_or_default()
                )));
            }
            Ok(listing) => listings.push(listing),
            Err(error) => problems
                .push(EngineError::new(error.fault, format!("source.tables.{}: {location}: {error}", table.name))),
        }
    }
    let refusals = lake::refusals(&listings).await;
    problems.extend(refusals.iter().map(|why| EngineError::input(format!("source.tables.{}: {why}", table.name))));
    let mut found: Vec<(String, ObjectMeta)> = listings.into_iter().flat_map(|listing| listing.files).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found.dedup_by(|a, b| a.0 == b.0);
    let mut footers = futures::stream::iter(found)
        .map(|(url, meta)| async move {
            let footer = read_footer(runtime, &url, meta.size).await.map_err(|error| {
                EngineError::input(format!(
                    "{url}: not a whole Parquet file: {}; is it truncated, still being written, or of another format? Only Parquet is read",
                    error.message
                ))
            })?;
            if let Some(name) = repeated(&footer.schema) {
                return Err(EngineError::input(format!(
                    "{url}: has two columns of the name `{name}`, which no query can tell apart; give one of them another name \
                     where the file is written"
                )));
            }
            let version = version_of(&meta);
            let rows = footer.rows;
            Ok((Shard { table: table.name.clone(), url, bytes: meta.size, version, rows }, footer))
        })
        .buffered(FOOTERS_AT_ONCE);
    // With a hundred thousand files, only their locations are held in memory.
    let mut shards: Vec<Shard> = vec![];
    let mut first: Option<SchemaRef> = None;
    let mut long_columns: Vec<LongColumn> = vec![];
    while let Some(footer) = footers.next().await {
        let (shard, Footer { schema, long_columns: long, .. }) = match footer {
            Ok(found) => found,
            Err(error) => {
                problems.push(error);
                continue;
            }
        };
        if let (Some(expected), Some(first)) = (&first, shards.first())
            && let Some(difference) = difference(expected, &schema)
        {
            problems.push(EngineError::input(format!(
                "source.tables.{}: the schemas of {} and {} disagree: {difference}",
                table.name, first.url, shard.url
            )));
        }
        for (name, bytes) in long {
            if !long_columns.iter().any(|known| known.name == name) {
                long_columns.push(LongColumn { name, url: shard.url.clone(), bytes });
            }
        }
        first.get_or_insert(schema);
        shards.push(shard);
    }
    match first {
        Some(schema) if problems.is_empty() => {
            // Where one shard requires a column, another shard may still lack a value in it.
            let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
            let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            Ok(SourceTable { name: table.name.clone(), shards, schema, long_columns })
        }
        _ => Err(problems),
    }
}

/// The first name that two columns have.
fn repeated(schema: &Schema) -> Option<&str> {
    let mut names = HashSet::new();
    schema.fields().iter().map(|field| field.name().as_str()).find(|name| !names.insert(*name))
}

/// How two schemas differ in names and types; the order of columns does not matter.
fn difference(a: &Schema, b: &Schema) -> Option<String> {
    let types = |schema: &Schema| -> HashMap<String, DataType> {
        schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
    };
    let (a_types, b_types) = (types(a), types(b));
    for field in a.fields() {
        match b_types.get(field.name()) {
            None => return Some(format!("the second has no column `{}`", field.name())),
            Some(other) if other != field.data_type() => {
                return Some(format!(
                    "`{}` is {} in the first and {other} in the second",
                    field.name(),
                    field.data_type()
                ));
            }
            Some(_) => {}
        }
    }
    let extra = b.fields().iter().find(|field| !a_types.contains_key(field.name()))?;
    Some(format!("the first has no column `{}`", extra.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Field;

    #[test]
    fn scans_grow_with_the_sources() {
        let of = |shards: u64, bytes: u64, rows: u64| {
            let shard = |_| Shard {
                table: "t".to_owned(),
                url: String::new(),
                bytes: bytes / shards,
                version: String::new(),
                rows: rows / shards,
            };
            let shards = (0..shards).map(shard).collect();
            let table =
                SourceTable { name: "t".to_owned(), schema: Arc::new(Schema::empty()), shards, long_columns: vec![] };
            Sources { tables: vec![table] }.scan_partitions(None)
        };
        assert_eq!([of(1, 1, 1), of(16, 1 << 20, 1_000), of(10_000, 1 << 30, 1_000_000)], [2, 16, 256]);
        assert_eq!([of(64, 10 << 30, 700_000_000), of(64, 50 << 30, 1_000_000_000)], [256, 400]);
        // For any number of rows: at most 4,096 parts, and no more pairs than the scheduler can track.
        assert_eq!([of(1_000, 1 << 40, 20_000_000_000), of(1, 1 << 50, 100)], [512, 1_024]);
    }

    #[test]
    fn differences_are_named() {
        let schema = |fields: &[(&str, DataType)]| {
            Schema::new(fields.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect::<Vec<_>>())
        };
        let a = schema(&[("x", DataType::Int32), ("y", DataType::Utf8)]);
        assert_eq!(difference(&a, &schema(&[("y", DataType::Utf8), ("x", DataType::Int32)])), None);
        let other = difference(&a, &schema(&[("x", DataType::Int64), ("y", DataType::Utf8)]));
        assert_eq!(other.as_deref(), Some("`x` is Int32 in the first and Int64 in the second"));
        assert!(difference(&a, &schema(&[("x", DataType::Int32)])).is_some_and(|d| d.contains("`y`")));
    }

    #[test]
    fn parts_grow_with_the_sources() {
        assert_eq!((part_count(0), part_count(1 << 20)), (8, 8));
        assert_eq!(part_count(100 * PART_ROWS + 1), 101);
        assert_eq!(part_count(u64::MAX), 4_096);
    }
}
