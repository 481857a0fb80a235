//! The data on the page: missing values, fences, how clusterings agree, and what the platform team wants to know.

use std::collections::BTreeMap;

use segmenta_engine::Result;
use serde::Serialize;
use serde_json::{Map, Value};

use super::filters::number;
use super::segments::Clustering;
use super::{damaged, in_words};
use segmenta_results::metrics::{FeatureMetrics, Metrics, Pattern};
use segmenta_results::published::Published;
use segmenta_results::words::count;
use segmenta_spec::Fill;

/// Patterns of missing values that are shown.
const PATTERNS: usize = 10;
/// Inputs that are listed.
const INPUTS: usize = 20;
/// Rows and columns of a table of two clusterings.
const LABELS: usize = 24;

const TABLE: &str = "quality.parquet";

/// The quantiles of a feature.
#[derive(Debug, Clone, Copy, Serialize)]
struct Quantiles {
    p05: f64,
    p25: f64,
    p50: f64,
    p75: f64,
    p95: f64,
}

/// Rows of `quality.parquet`, by feature and step.
struct Quality<'a> {
    published: &'a Published,
    at: BTreeMap<(String, String), usize>,
}

impl<'a> Quality<'a> {
    fn new(published: &'a Published) -> Result<Self> {
        let table = &published.quality;
        let column = |name: &str| table.texts(name).ok_or_else(|| damaged(TABLE, name));
        let keys = column("feature")?.into_iter().zip(column("step")?);
        let at = keys.enumerate().filter_map(|(i, (feature, step))| Some(((feature?, step?), i))).collect();
        Ok(Self { published, at })
    }

    fn row(&self, feature: &str, step: &str) -> Result<usize> {
        let row = self.at.get(&(feature.to_owned(), step.to_owned())).copied();
        row.ok_or_else(|| damaged(TABLE, &format!("for {feature} after the step {step}")))
    }

    fn number(&self, column: &str, row: usize) -> Result<Option<f64>> {
        let numbers = self.published.quality.numbers(column).ok_or_else(|| damaged(TABLE, column))?;
        Ok(numbers.get(row).copied().filter(|value| !value.is_nan()))
    }

    fn quantiles(&self, row: usize) -> Result<Option<Quantiles>> {
        let at = |column: &str| self.number(column, row);
        let all = (at("p05")?, at("p25")?, at("p50")?, at("p75")?, at("p95")?);
        let (Some(p05), Some(p25), Some(p50), Some(p75), Some(p95)) = all else { return Ok(None) };
        Ok(Some(Quantiles { p05, p25, p50, p75, p95 }))
    }
}

/// Missing values, and what imputation did.
#[derive(Debug, Serialize)]
pub(super) struct Missing {
    features: Vec<MissingFeature>,
    patterns: Vec<Pattern>,
    note: String,
}

#[derive(Debug, Serialize)]
struct MissingFeature {
    feature: String,
    missing: u64,
    share: f64,
    imputed: u64,
    method: String,
    error: Option<f64>,
    before: Option<Quantiles>,
    after: Option<Quantiles>,
}

impl Missing {
    pub(super) fn new(published: &Published) -> Result<Self> {
        let quality = Quality::new(published)?;
        let metrics = &published.metrics;
        let customers = metrics.rows.customers.max(1) as f64;
        let of = |(feature, fill): (&FeatureMetrics, &Fill)| -> Result<MissingFeature> {
            let name = &feature.feature;
            let error = feature.imputation_error.as_ref().and_then(|error| error.sample.or(error.all_rows));
            Ok(MissingFeature {
                feature: name.clone(),
                missing: feature.missing,
                share: feature.missing as f64 / customers,
                imputed: feature.imputed,
                method: fill_in_words(*fill),
                error,
                before: quality.quantiles(quality.row(name, "extracted")?)?,
                after: quality.quantiles(quality.row(name, "imputed")?)?,
            })
        };
        let features: Vec<MissingFeature> =
            metrics.features.iter().zip(&published.model.impute.fills).map(of).collect::<Result<_>>()?;
        let missing: u64 = features.iter().map(|feature| feature.missing).sum();
        let patterns = || metrics.missing_patterns.iter().filter(|pattern| !pattern.missing.is_empty());
        let hidden: u64 = patterns().skip(PATTERNS).map(|pattern| pattern.rows).sum();
        let others = hidden + metrics.missing_otherwise;
        let note = match (missing, others) {
            (0, _) => "No cell was missing.".to_owned(),
            (missing, 0) => format!("{} cells were missing.", count(missing)),
            (missing, others) => {
                format!("{} cells were missing; {} customers miss other combinations.", count(missing), count(others))
            }
        };
        Ok(Self { features, patterns: patterns().take(PATTERNS).cloned().collect(), note })
    }
}

fn fill_in_words(fill: Fill) -> String {
    match fill {
        Fill::Knn => "nearest neighbours".to_owned(),
        Fill::Mean => "mean".to_owned(),
        Fill::Median => "median".to_owned(),
        Fill::Constant(value) => format!("the value {value}"),
        Fill::None => "none".to_owned(),
    }
}

/// The fences of a feature, and how many customers are outliers by them.
#[derive(Debug, Serialize)]
pub(super) struct Outliers {
    feature: String,
    rule: String,
    fence_low: Option<f64>,
    fence_high: Option<f64>,
    cut: u64,
    cut_by_forest: u64,
    min: Option<f64>,
    p01: Option<f64>,
    p05: Option<f64>,
    p25: Option<f64>,
    p50: Option<f64>,
    p75: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
}

pub(super) fn outliers(published: &Published) -> Result<Vec<Outliers>> {
    let quality = Quality::new(published)?;
    let rules = published.quality.texts("rule").ok_or_else(|| damaged(TABLE, "rule"))?;
    let of = |feature: &FeatureMetrics| -> Result<Outliers> {
        let (before, kept) = (quality.row(&feature.feature, "imputed")?, quality.row(&feature.feature, "kept")?);
        let at = |column: &str| quality.number(column, before);
        let fence = |column: &str| {
            Ok::<_, segmenta_engine::EngineError>(quality.number(column, kept)?.filter(|f| f.abs() < f64::MAX))
        };
        Ok(Outliers {
            feature: feature.feature.clone(),
            rule: rules[kept].clone().unwrap_or_else(|| "none".to_owned()),
            fence_low: fence("fence_low")?,
            fence_high: fence("fence_high")?,
            cut: feature.cut_as_outlier,
            cut_by_forest: feature.cut_by_forest,
            min: at("min")?,
            p01: at("p01")?,
            p05: at("p05")?,
            p25: at("p25")?,
            p50: at("p50")?,
            p75: at("p75")?,
            p95: at("p95")?,
            p99: at("p99")?,
            max: at("max")?,
        })
    };
    published.metrics.features.iter().map(of).collect()
}

/// Two clusterings against each other.
#[derive(Debug, Serialize)]
pub(super) struct Agreement {
    first: String,
    second: String,
    adjusted_rand_index: f64,
    rows: Vec<String>,
    columns: Vec<String>,
    cells: Vec<(usize, usize, u64)>,
}

/// The segments along one side of a table: the largest, in the order in which they are listed.
struct Side {
    /// Label and size.
    labels: Vec<(i32, u64)>,
}

impl Side {
    fn new(clustering: &Clustering) -> Self {
        let mut sizes: Vec<u64> = clustering.segments.iter().map(|segment| segment.size).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        let least = sizes.get(LABELS - 1).copied().unwrap_or(0);
        let listed = clustering.segments.iter().filter(|segment| segment.size >= least);
        Self { labels: listed.map(|segment| (segment.cluster, segment.size)).take(LABELS).collect() }
    }

    fn at(&self, label: i32) -> Option<usize> {
        self.labels.iter().position(|(listed, _)| *listed == label)
    }
}

pub(super) fn agreements(metrics: &Metrics, clusterings: &[Clustering]) -> Vec<Agreement> {
    let clustering = |column: &str| clusterings.iter().find(|clustering| clustering.algorithm.column() == column);
    let of = |agreement: &segmenta_results::clusterings::Agreement| {
        let (first, second) = (clustering(&agreement.first)?, clustering(&agreement.second)?);
        let (rows, columns) = (Side::new(first), Side::new(second));
        let mut cells = vec![vec![0; columns.labels.len() + 1]; rows.labels.len() + 1];
        for cell in &agreement.contingency {
            if let (Some(row), Some(column)) = (rows.at(cell.first), columns.at(cell.second)) {
                cells[row][column] = cell.count;
            }
        }
        // What a listed segment has in others follows from its size, whichever cells were published.
        let (last_row, last_column) = (rows.labels.len(), columns.labels.len());
        for (row, (_, size)) in rows.labels.iter().enumerate() {
            cells[row][last_column] = size.saturating_sub(cells[row].iter().sum());
        }
        for (column, (_, size)) in columns.labels.iter().enumerate() {
            cells[last_row][column] = size.saturating_sub(cells.iter().map(|row| row[column]).sum());
        }
        let cells = cells.iter().enumerate().flat_map(|(row, cells)| {
            cells.iter().enumerate().filter(|(_, count)| **count > 0).map(move |(column, count)| (row, column, *count))
        });
        let cells: Vec<(usize, usize, u64)> = cells.collect();
        let names = |side: &Side, clustering: &Clustering, has_others: bool| {
            let others = has_others.then(|| "Others".to_owned());
            side.labels.iter().map(|(label, _)| clustering.short(*label)).chain(others).collect()
        };
        Some(Agreement {
            first: first.title.to_owned(),
            second: second.title.to_owned(),
            adjusted_rand_index: agreement.adjusted_rand_index,
            rows: names(&rows, first, cells.iter().any(|(row, _, _)| *row == last_row)),
            columns: names(&columns, second, cells.iter().any(|(_, column, _)| *column == last_column)),
            cells,
        })
    };
    metrics.agreements.iter().filter_map(of).collect()
}

/// What the platform team wants to know.
#[derive(Debug, Serialize)]
pub(super) struct Platform {
    inputs: Vec<File>,
    hidden_inputs: usize,
    parameters: Vec<Section>,
    stages: Vec<Stage>,
    hdbscan: Vec<(String, String)>,
    files: Vec<File>,
    versions: Vec<(String, String)>,
}

#[derive(Debug, Serialize)]
struct File {
    path: String,
    rows: Option<u64>,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Section {
    section: String,
    values: Vec<(String, String)>,
}

#[derive(Debug, Serialize)]
struct Stage {
    stage: String,
    rows: u64,
    passes: u64,
    seconds: f64,
    peak_memory_bytes: Option<u64>,
    bytes_written: u64,
    resumed: bool,
}

impl Platform {
    pub(super) fn new(published: &Published) -> Self {
        let Published { manifest, metrics, .. } = published;
        let inputs = manifest.inputs.iter().take(INPUTS).map(|shard| File {
            path: shard.url.clone(),
            rows: Some(shard.rows),
            bytes: shard.bytes,
        });
        let stages = metrics.stages.iter().map(|report| Stage {
            stage: report.stage.clone(),
            rows: report.cost.rows,
            passes: report.cost.passes,
            seconds: report.cost.seconds,
            peak_memory_bytes: report.cost.peak_memory_bytes,
            bytes_written: report.cost.bytes_written,
            resumed: report.resumed,
        });
        Self {
            inputs: inputs.collect(),
            hidden_inputs: manifest.inputs.len().saturating_sub(INPUTS),
            parameters: parameters(&metrics.parameters),
            stages: stages.collect(),
            hdbscan: density(metrics),
            files: files(published),
            versions: vec![
                ("segmenta".to_owned(), manifest.segmenta.clone()),
                ("format of the files".to_owned(), manifest.format.to_string()),
                ("fingerprint of spec and inputs".to_owned(), manifest.fingerprint.clone()),
            ],
        }
    }
}

/// The sections of the spec; what is a key of the spec itself comes first.
fn parameters(spec: &Map<String, Value>) -> Vec<Section> {
    let mut plain = vec![];
    let mut sections = vec![];
    for (name, value) in spec {
        match value {
            Value::Object(keys) => {
                let values = keys.iter().map(|(key, value)| (key.clone(), one_for_all(value))).collect();
                sections.push(Section { section: name.clone(), values });
            }
            other => plain.push((name.clone(), in_words(other))),
        }
    }
    sections.insert(0, Section { section: "job".to_owned(), values: plain });
    sections
}

/// A list of equal values, as settings by feature often are, is shown as one value.
fn one_for_all(value: &Value) -> String {
    match value.as_array().map(Vec::as_slice) {
        Some([first, rest @ ..]) if !rest.is_empty() && rest.iter().all(|other| other == first) => in_words(first),
        _ => in_words(value),
    }
}

fn density(metrics: &Metrics) -> Vec<(String, String)> {
    let Some(found) = &metrics.hdbscan else { return vec![] };
    let mut rows = vec![
        ("points that the rows were merged into".to_owned(), count(found.points)),
        ("side of the grid, in scaled units".to_owned(), number(found.resolution)),
        ("no height is off by more than".to_owned(), number(found.height_error_bound)),
        ("the same, from how far rows were in fact moved".to_owned(), number(found.height_error_bound_measured)),
        ("cells of space".to_owned(), found.cells.to_string()),
        ("rounds that joined their trees".to_owned(), found.rounds.to_string()),
        ("min_cluster_size".to_owned(), count(found.min_cluster_size)),
        ("because".to_owned(), found.why.clone()),
    ];
    if let Some(graph) = &found.neighbor_graph {
        rows.push((
            "graph of nearest neighbours (approximate)".to_owned(),
            format!("{} of each point; recall {:.4}", graph.neighbors, graph.recall),
        ));
    }
    rows
}

/// The published files, those of a table together.
fn files(published: &Published) -> Vec<File> {
    let mut files: Vec<(String, File, usize)> = vec![];
    for output in &published.manifest.outputs {
        let folder =
            output.name.rsplit_once('/').filter(|(_, name)| name.starts_with("part-")).map(|(folder, _)| folder);
        let Some(folder) = folder else {
            let file = File { path: output.name.clone(), rows: output.rows, bytes: output.bytes };
            files.push((output.name.clone(), file, 1));
            continue;
        };
        match files.iter_mut().find(|(name, _, _)| name == folder) {
            Some((_, file, parts)) => {
                file.rows = file.rows.zip(output.rows).map(|(all, more)| all + more);
                file.bytes += output.bytes;
                *parts += 1;
            }
            None => {
                let file = File { path: folder.to_owned(), rows: output.rows, bytes: output.bytes };
                files.push((folder.to_owned(), file, 1));
            }
        }
    }
    let named = |(name, file, parts): (String, File, usize)| {
        if parts > 1 { File { path: format!("{name}/ ({parts} parts)"), ..file } } else { file }
    };
    files.into_iter().map(named).collect()
}
