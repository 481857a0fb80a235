//! Extract: runs the SQL over the shards and writes the feature table.
//!
//! ```text
//!   shards ──scan──▶ source.sql ──▶ ids, features, __row = hash(ids), __part = slice of __row
//!          ──shuffle by __part──▶ sort by (__part, __row, ids) ──▶ one file a part
//! ```
//!
//! The number of parts comes from the rows of the sources alone, so the parts are the same for any split of the scan
//! and wherever it ran.

use std::path::Path;
use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, Partitioning};
use segmenta_algorithms::missing::MissingPatterns;
use segmenta_engine::artifact::{Part, ROW_COLUMN};
use segmenta_engine::functions::{PART_OF, ROW_ID};
use segmenta_engine::operators::{
    FeatureStatistics, FeaturesWritten, OperatorExec, PART_COLUMN, Verify, WriteFeatures,
};
use segmenta_engine::planning::check_distributable;
use segmenta_engine::{EngineError, Fault, Result};
use serde::{Deserialize, Serialize};

use super::rows_of;
use crate::source::{Features, Sources, part_count};
use crate::stage::{Given, Made, Stage, StageContext};
use segmenta_results::words;
use segmenta_results::words::{count, plural};
use segmenta_spec::JobSpec;
use segmenta_spec::Source;
use serde_json::Value;

/// Largest absolute value of a feature: its square and sums of such squares have to be finite.
pub(super) const LARGEST: f64 = 1e140;

/// The stage.
pub struct ExtractStage;

impl Stage for ExtractStage {
    const NAME: &'static str = "extract";
    const AFTER: &'static [&'static str] = &[];
    type Output = Extracted;

    fn settings(given: &Given<'_>) -> serde_json::Result<Value> {
        // The output is part of the settings. Manifests list their parts by URL, and a folder that was copied elsewhere
        // must not be mistaken for the original.
        let Given { spec, sources, output, moment, .. } = *given;
        let Source { tables, sql, id, features, weight, beside } = &spec.source;
        let shards: Vec<_> = sources.shards().map(|shard| (&shard.url, shard.bytes, &shard.version)).collect();
        let source = (tables, sql, id, features, weight, beside);
        serde_json::to_value((source, shards, part_count(sources.rows()), output, moment))
    }

    fn describe(given: &Given<'_>) -> String {
        describe(given.spec, given.sources)
    }

    fn rows(given: &Given<'_>, _made: &Made) -> Result<u64> {
        Ok(given.sources.rows())
    }

    async fn run(context: &StageContext<'_>, given: &Given<'_>, _made: &Made) -> Result<Extracted> {
        run(context, &given.spec.source, given.sources, given.base, given.partitions_per_shard).await
    }
}

fn describe(spec: &JobSpec, sources: &Sources) -> String {
    let (rows, shards) = (sources.rows(), sources.shards().count() as u64);
    let how = if spec.source.sql.is_some() { "source.sql" } else { "the table as it is" };
    format!(
        "{how} over {} rows of {shards} {}, into {} parts",
        count(rows),
        plural(shards, "shard", "shards"),
        part_count(rows)
    )
}

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Extracted {
    /// The feature table: id columns, row id, features and columns beside them (null where missing), the
    /// weight if there is one.
    pub parts: Vec<Part>,
    /// One entry for each feature.
    pub features: Vec<FeatureStatistics>,
    /// Which features are missing together in a row.
    pub patterns: MissingPatterns,
}

/// Runs the stage. Relative locations of the source start from `base`.
///
/// # Errors
/// When sources cannot be read or were replaced in the meantime, an id is null or repeated, a feature has no value at
/// all, or the query gives no row.
pub async fn run(
    context: &StageContext<'_>,
    source: &Source,
    sources: &Sources,
    base: &Path,
    per_shard: Option<usize>,
) -> Result<Extracted> {
    let extracted = extract(context, source, sources, per_shard).await;
    // If a shard was replaced, everything else that went wrong follows from that.
    sources.check_unchanged(&context.cluster.runtime(), source, base).await?;
    extracted
}

/// Refuses a query that cannot be planned, or that a cluster cannot run. Nothing is read.
///
/// # Errors
/// The spec's, with the reason.
pub async fn check_query(state: &SessionState, features: Features, source: &Source, sources: &Sources) -> Result<()> {
    let refused = |error: EngineError| match (&source.sql, error.fault) {
        (Some(_), Fault::Job | Fault::Spec) => EngineError::spec(format!("source.sql: {}", error.message)),
        _ => error,
    };
    let plan = plan(features.frame, source, part_count(sources.rows()), "").await.map_err(refused)?;
    check_distributable(state, &plan).map_err(refused)
}

async fn extract(
    context: &StageContext<'_>,
    source: &Source,
    sources: &Sources,
    per_shard: Option<usize>,
) -> Result<Extracted> {
    let features = sources.features(context.cluster.state(), source, per_shard).await?;
    for warning in features.dependence.warnings {
        context.warn(warning);
    }
    let plan = plan(features.frame, source, part_count(sources.rows()), &context.prefix).await?;
    let written: Vec<FeaturesWritten> = match context.cluster.collect_results(plan).await {
        Ok(written) => written,
        Err(error) => return Err(diagnose(context, sources, error).await),
    };
    context.count_pass();
    let mut features = vec![FeatureStatistics::default(); source.features.len()];
    for part in &written {
        for (total, part) in features.iter_mut().zip(&part.features) {
            total.merge(part);
        }
    }
    let patterns: Vec<MissingPatterns> = written.iter().map(|written| written.patterns.clone()).collect();
    let patterns = MissingPatterns::merge(&patterns);
    let parts: Vec<Part> = written.into_iter().map(|written| written.part).collect();
    let rows = rows_of(&parts);
    if rows == 0 {
        return Err(EngineError::input("the source gives no row: check its tables, and the filters of source.sql"));
    }
    let empty: Vec<&str> = source
        .features
        .iter()
        .zip(&features)
        .filter(|(_, f)| f.missing == rows)
        .map(|(name, _)| name.as_str())
        .collect();
    if !empty.is_empty() {
        return Err(EngineError::input(format!(
            "no row has a value of `{}`: there is nothing to impute it from; check source.sql, or leave it out of \
             source.features",
            empty.join("`, `")
        )));
    }
    let large = source.features.iter().zip(&features).find(|(_, feature)| feature.bounds().max_abs() > LARGEST);
    if let Some((name, feature)) = large {
        return Err(EngineError::input(format!(
            "feature `{name}` goes up to {:e}, and squares of more than {LARGEST:e} cannot be added up; scale it in \
             source.sql, or make such values NULL there",
            feature.bounds().max_abs()
        )));
    }
    let odd = source.features.iter().zip(&features).filter(|(_, feature)| feature.nan + feature.infinite > 0);
    let (names, odd): (Vec<&str>, Vec<&FeatureStatistics>) =
        odd.map(|(name, feature)| (name.as_str(), feature)).unzip();
    if !names.is_empty() {
        let sum = |of: fn(&FeatureStatistics) -> u64| odd.iter().map(|feature| of(feature)).sum::<u64>();
        context.warn(format!(
            "{}: {} NaN and {} infinite cells are treated as missing",
            words::features(&names),
            sum(|feature| feature.nan),
            sum(|feature| feature.infinite)
        ));
    }
    Ok(Extracted { parts, features, patterns })
}

async fn plan(frame: DataFrame, source: &Source, parts: u32, prefix: &str) -> Result<Arc<dyn ExecutionPlan>> {
    let named = |name: &String| Expr::Column(Column::from_name(name));
    let function = |name: &str, arguments: Vec<Expr>| -> Result<Expr> {
        let function = segmenta_engine::functions::all().into_iter().find(|function| function.name() == name);
        let function = function.ok_or_else(|| EngineError::job(format!("the function {name} is not there")))?;
        Ok(function.call(arguments))
    };
    let mut columns: Vec<Expr> = source.id.iter().map(named).collect();
    columns.extend(source.features.iter().map(|name| cast(named(name), DataType::Float64).alias(name)));
    columns.extend(source.beside.iter().map(|name| cast(named(name), DataType::Float64).alias(name)));
    columns.extend(source.weight.iter().map(|name| cast(named(name), DataType::Float64).alias(name)));
    columns.push(function(ROW_ID, source.id.iter().map(named).collect())?.alias(ROW_COLUMN));
    let with_row = frame.select(columns)?;
    let part = function(PART_OF, vec![Expr::Column(Column::from_name(ROW_COLUMN)), lit(parts)])?;
    let rows = with_row.with_column(PART_COLUMN, part)?.create_physical_plan().await?;

    let schema = rows.schema();
    let by_part: Arc<dyn PhysicalExpr> = col(PART_COLUMN, &schema)?;
    let shuffled: Arc<dyn ExecutionPlan> =
        Arc::new(RepartitionExec::try_new(rows, Partitioning::Hash(vec![by_part], parts as usize))?);
    let mut order = Vec::new();
    for name in [PART_COLUMN, ROW_COLUMN].into_iter().chain(source.id.iter().map(String::as_str)) {
        order.push(PhysicalSortExpr::new(col(name, &schema)?, SortOptions::default()));
    }
    let order = LexOrdering::new(order).ok_or_else(|| EngineError::job("an ordering without columns"))?;
    let sorted: Arc<dyn ExecutionPlan> = Arc::new(SortExec::new(order, shuffled).with_preserve_partitioning(true));
    let settings = WriteFeatures {
        prefix: prefix.to_owned(),
        ids: source.id.clone(),
        features: source.features.clone(),
        beside: source.beside.clone(),
        weight: source.weight.clone(),
    };
    Ok(Arc::new(OperatorExec::new(settings, sorted)))
}

/// The error of a scan does not say which file failed. If the error may come from damaged files, this reads all shards
/// through and names those that cannot be read.
async fn diagnose(context: &StageContext<'_>, sources: &Sources, error: EngineError) -> EngineError {
    if error.fault != Fault::Job {
        return error;
    }
    let shards: Vec<Vec<Part>> = (0..)
        .zip(sources.shards())
        .map(|(index, shard)| {
            vec![Part { index, url: shard.url.clone(), rows: shard.rows, bytes: shard.bytes, sha256: String::new() }]
        })
        .collect();
    let findings = match context.cluster.map_parts(Verify {}, &shards).await {
        Ok(findings) => findings,
        Err(error) => return error,
    };
    let corrupt: Vec<String> = sources
        .shards()
        .zip(findings)
        .filter_map(|(shard, finding)| finding.map(|finding| format!("{}: the shard is corrupt: {finding}", shard.url)))
        .collect();
    if corrupt.is_empty() {
        // Every shard can be read, so the query itself fails, for example at a cast or a division.
        return EngineError::new(error.fault, format!("source.sql failed: {}", error.message));
    }
    EngineError::input(format!("{}\nreplace the file and run again", corrupt.join("\n")))
}
