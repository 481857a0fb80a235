//! Compare: which segments of two runs are the same, who moved between them, and what drifted.
//!
//! ```text
//!   assignments and rejected, old and new ──joined by id──▶ customers by segment of then and of now
//!                                                              │ Jaccard index of each pair, over the customers of both runs
//!   means of the segments, in standard deviations of then ─────┤ closeness: 1 / (1 + distance)
//!                                                              ▼
//!   score = share of common customers * Jaccard index + (1 - share) * closeness ──▶ the matching of the highest total
//! ```
//!
//! A pair counts as one segment if its score is at least [`SAME`]. Kuhn, "The Hungarian method for the assignment
//! problem" (1955).

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Int64Type};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::prelude::{DataFrame, ParquetReadOptions, SessionContext};
use futures::StreamExt;
use segmenta_algorithms::drift::{Distribution, bin};
use segmenta_algorithms::hierarchy::Contingency;
use segmenta_algorithms::matching::best_matching;
use segmenta_engine::artifact::append_rows;
use segmenta_engine::{EngineError, Result};
use serde::Serialize;

use segmenta_results::clusterings::Algorithm;
use segmenta_results::drift::FeatureDrift;
use segmenta_results::manifest::first_gone;
use segmenta_results::published::{Published, damaged};
use segmenta_results::segments::SegmentRow;
use segmenta_spec::OutlierAction;

/// From this score on, a pair of segments counts as one segment.
pub const SAME: f64 = 1.0 / 3.0;

/// The label of a customer that was dropped as an outlier.
const OUTLIER: i32 = i32::MIN;
/// The label of a customer that is not in the run.
const ABSENT: i32 = i32::MIN + 1;

/// What has changed between two runs.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The earlier run.
    pub old: Run,
    /// The later one.
    pub new: Run,
    /// Customers of both.
    pub common: u64,
    /// Customers of the later run alone.
    pub appeared: u64,
    /// Customers of the earlier run alone.
    pub gone: u64,
    /// The clusterings that both have.
    pub clusterings: Vec<ClusteringComparison>,
    /// What became of each feature that both have, over all customers.
    pub features: Vec<FeatureDrift>,
    /// Features of the earlier run alone.
    pub features_gone: Vec<String>,
    /// Features of the later run alone.
    pub features_new: Vec<String>,
}

/// A run.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Where it has published, a URL.
    pub output: String,
    /// Name of the job.
    pub job: String,
    /// When, RFC 3339, UTC.
    pub published_at: String,
    /// Its customers.
    pub customers: u64,
}

/// A clustering then and now.
#[derive(Debug, Clone, Serialize)]
pub struct ClusteringComparison {
    /// Which.
    pub algorithm: Algorithm,
    /// The segments: those that are the same, then those that are gone, then new ones.
    pub segments: Vec<Pair>,
    /// Common customers by where they were and are, the most first.
    pub moves: Vec<Move>,
    /// Of the customers who are in a segment both times, the share that stayed in theirs; `None` where there are none.
    pub stayed: Option<f64>,
    /// The index over these customers; 1 where the segments are the same but for their numbers.
    pub adjusted_rand_index: Option<f64>,
}

/// A segment then and now.
#[derive(Debug, Clone, Serialize)]
pub struct Pair {
    /// Then; `None` for one that is new.
    pub old: Option<SegmentRef>,
    /// Now; `None` for one that is gone.
    pub new: Option<SegmentRef>,
    /// How alike the two are, 0 to 1. For a segment that is gone or new: how alike it is to the one that it was matched
    /// with.
    pub score: f64,
    /// Of the common customers that are in either, the share that is in both; `None` without common customers.
    pub jaccard: Option<f64>,
    /// Distance between the means of the features, in standard deviations of then.
    pub distance: Option<f64>,
}

/// A segment of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SegmentRef {
    /// Its number.
    pub cluster: i32,
    /// Its label, where it has one.
    pub label: Option<String>,
    /// Its rows.
    pub size: u64,
    /// Of all rows that were clustered.
    pub share: f64,
    /// Its share of the monetary feature, where that is known.
    pub monetary_share: Option<f64>,
}

/// Customers that went from one place to another, or stayed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Move {
    /// Where they were.
    pub from: Place,
    /// Where they are.
    pub to: Place,
    /// How many.
    pub customers: u64,
    /// Whether both are one segment.
    pub stayed: bool,
}

/// Where a customer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In a segment; -1 is HDBSCAN's noise.
    Segment(i32),
    /// Dropped as an outlier.
    Outlier,
    /// Not in the run.
    Absent,
}

impl Place {
    fn of(label: i32) -> Self {
        match label {
            OUTLIER => Self::Outlier,
            ABSENT => Self::Absent,
            cluster => Self::Segment(cluster),
        }
    }
}

/// Compares what is published under two folders, URLs that end in `/`.
///
/// # Errors
/// Outputs that cannot be read, or whose customers are not told apart by the same columns.
pub async fn compare(state: &SessionState, old: &str, new: &str) -> Result<Comparison> {
    let runtime = state.runtime_env();
    let (then, now) = (Published::read(runtime, old).await?, Published::read(runtime, new).await?);
    if then.model.id != now.model.id {
        return Err(EngineError::input(format!(
            "{old} and {new}: customers are told apart by {} in one and by {} in the other; runs can be compared by the same \
             columns alone",
            then.model.id.join(", "),
            now.model.id.join(", ")
        )));
    }
    for (published, output) in [(&then, old), (&now, new)] {
        let tables = published.manifest.outputs.iter().filter(|file| file.rows.is_some());
        let files = tables.map(|file| (format!("{output}{}", file.path), file.bytes));
        if let Some(gone) = first_gone(runtime, files).await? {
            return Err(EngineError::input(format!(
                "{gone}: is gone or damaged; run its job again to publish it anew"
            )));
        }
    }
    let context = SessionContext::new_with_state(state.clone());
    let both_have = |algorithm: &Algorithm| then.has(*algorithm) && now.has(*algorithm);
    let algorithms: Vec<Algorithm> = Algorithm::ALL.into_iter().filter(both_have).collect();
    let counted = counted(&context, (&then, old), (&now, new), &algorithms).await?;
    let sum = |of: &dyn Fn(&Labels) -> bool| counted.iter().filter(|(labels, _)| of(labels)).map(|(_, n)| n).sum();
    let is_absent = |labels: &[i32]| labels.first() == Some(&ABSENT);
    let (common, appeared, gone) = (
        sum(&|(before, after)| !is_absent(before) && !is_absent(after)),
        sum(&|(before, _)| is_absent(before)),
        sum(&|(_, after)| is_absent(after)),
    );
    let mut clusterings = vec![];
    for (i, algorithm) in algorithms.into_iter().enumerate() {
        let mut cells: BTreeMap<(i32, i32), u64> = BTreeMap::new();
        for ((before, after), customers) in &counted {
            *cells.entry((before[i], after[i])).or_default() += customers;
        }
        clusterings.push(clustering(algorithm, &then, &now, &cells, common)?);
    }
    let run = |published: &Published, output: &str| Run {
        output: output.to_owned(),
        job: published.manifest.job.clone(),
        published_at: published.manifest.published_at.clone(),
        customers: published.metrics.rows.customers,
    };
    let features = drift(&context, &then, (&now, new)).await?;
    let alone = |of: &Published, other: &Published| -> Vec<String> {
        of.model.features.iter().filter(|feature| !other.model.features.contains(feature)).cloned().collect()
    };
    Ok(Comparison {
        old: run(&then, old),
        new: run(&now, new),
        common,
        appeared,
        gone,
        clusterings,
        features,
        features_gone: alone(&then, &now),
        features_new: alone(&now, &then),
    })
}

/// Labels by each clustering, then and now.
type Labels = (Vec<i32>, Vec<i32>);

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn failed(error: DataFusionError) -> EngineError {
    EngineError::from(error)
}

/// The customers of a run, by the columns that tell them apart and the labels of each clustering.
async fn customers(
    context: &SessionContext,
    (published, output): (&Published, &str),
    name: &str,
    algorithms: &[Algorithm],
) -> Result<String> {
    let ids: Vec<String> = published.model.id.iter().map(|id| quoted(id)).collect();
    let mut selects = vec![];
    for (folder, is_assigned) in tables(published) {
        let Some(table) = table(context, published, output, folder).await? else { continue };
        let view = format!("{name}_{folder}");
        context.register_table(view.as_str(), table.into_view()).map_err(failed)?;
        let label = |(i, algorithm): (usize, &Algorithm)| match is_assigned {
            true => format!("{} AS {name}_{i}", quoted(algorithm.column())),
            false => format!("CAST({OUTLIER} AS INT) AS {name}_{i}"),
        };
        let labels: Vec<String> = algorithms.iter().enumerate().map(label).collect();
        selects.push(format!("SELECT {}, {} FROM {view}", ids.join(", "), labels.join(", ")));
    }
    if selects.is_empty() {
        return Err(EngineError::input(format!("{output}: holds no customers")));
    }
    Ok(selects.join(" UNION ALL "))
}

/// The tables that together have each customer once, and whether the customers of each are in segments.
fn tables(published: &Published) -> impl Iterator<Item = (&'static str, bool)> {
    let is_apart = published.model.outliers.action == OutlierAction::Drop;
    [("assignments", true), ("rejected", false)].into_iter().filter(move |(_, is_assigned)| *is_assigned || is_apart)
}

/// The rows of a published table; `None` where it has none.
async fn table(
    context: &SessionContext,
    published: &Published,
    output: &str,
    folder: &str,
) -> Result<Option<DataFrame>> {
    let files = published.manifest.table(folder).filter(|(_, file)| file.rows.is_some_and(|rows| rows > 0));
    let files: Vec<String> = files.map(|(_, file)| format!("{output}{}", file.path)).collect();
    if files.is_empty() {
        return Ok(None);
    }
    context.read_parquet(files, ParquetReadOptions::default()).await.map(Some).map_err(failed)
}

/// Customers by their labels then and now.
async fn counted(
    context: &SessionContext,
    then: (&Published, &str),
    now: (&Published, &str),
    algorithms: &[Algorithm],
) -> Result<Vec<(Labels, u64)>> {
    let (before, after) =
        (customers(context, then, "old", algorithms).await?, customers(context, now, "new", algorithms).await?);
    let same: Vec<String> =
        then.0.model.id.iter().map(|id| format!("o.{0} IS NOT DISTINCT FROM n.{0}", quoted(id))).collect();
    let columns = |name: &str| -> Vec<String> { (0..algorithms.len()).map(|i| format!("{name}_{i}")).collect() };
    let all = [columns("old"), columns("new")].concat();
    let labels: Vec<String> = all.iter().map(|column| format!("COALESCE({column}, {ABSENT}) AS {column}")).collect();
    let query = format!(
        "SELECT {labels}, COUNT(*) AS customers FROM ({before}) o FULL OUTER JOIN ({after}) n ON {same} GROUP BY {all}",
        labels = labels.join(", "),
        same = same.join(" AND "),
        all = all.join(", "),
    );
    let unlike = |error: DataFusionError| {
        let columns = then.0.model.id.join(", ");
        EngineError::input(format!("{} and {}: the ids ({columns}) cannot be compared: {error}", then.1, now.1))
    };
    let batches = context.sql(&query).await.map_err(unlike)?.collect().await.map_err(unlike)?;
    let mut found = vec![];
    for batch in &batches {
        let label = |column: usize, row: usize| -> i32 {
            batch.column(column).as_primitive_opt::<Int32Type>().map_or_else(
                || batch.column(column).as_primitive::<Int64Type>().value(row) as i32,
                |labels| labels.value(row),
            )
        };
        let customers = batch.column(all.len()).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let labels: Vec<i32> = (0..all.len()).map(|column| label(column, row)).collect();
            let (before, after) = labels.split_at(algorithms.len());
            found.push(((before.to_vec(), after.to_vec()), customers.value(row) as u64));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The segments of a clustering, noise left out, and their means.
fn segments(published: &Published, algorithm: Algorithm) -> Result<Vec<(SegmentRef, Vec<f64>)>> {
    let mean = |feature: &String| {
        let column = format!("{feature}_mean");
        published.segments.numbers(&column).ok_or_else(|| damaged("segments.parquet", &column))
    };
    let means: Vec<Vec<f64>> = published.model.features.iter().map(mean).collect::<Result<_>>()?;
    let rows = published.segment_rows()?.into_iter().enumerate();
    let of_clustering = rows.filter(|(_, row)| row.algorithm == algorithm.name() && row.cluster >= 0);
    let segment = |(i, row): (usize, SegmentRow)| {
        let SegmentRow { cluster, label, size, share, monetary_share, .. } = row;
        (SegmentRef { cluster, label, size, share, monetary_share }, means.iter().map(|feature| feature[i]).collect())
    };
    Ok(of_clustering.map(segment).collect())
}

fn clustering(
    algorithm: Algorithm,
    then: &Published,
    now: &Published,
    cells: &BTreeMap<(i32, i32), u64>,
    common: u64,
) -> Result<ClusteringComparison> {
    let (before, after) = (segments(then, algorithm)?, segments(now, algorithm)?);
    let least = then.metrics.rows.customers.min(now.metrics.rows.customers).max(1);
    let weight = common as f64 / least as f64;
    let units = crate::page::standard_deviations(then)?;
    // Features of both, by their index in each.
    let shared: Vec<(usize, usize)> = then
        .model
        .features
        .iter()
        .enumerate()
        .filter_map(|(i, feature)| Some((i, now.model.features.iter().position(|name| name == feature)?)))
        .collect();
    let jaccard = |old: i32, new: i32| -> Option<f64> {
        let sum = |of: &dyn Fn(i32, i32) -> bool| -> u64 {
            let common = cells.iter().filter(|((a, b), _)| *a != ABSENT && *b != ABSENT);
            common.filter(|((a, b), _)| of(*a, *b)).map(|(_, customers)| customers).sum()
        };
        let either = sum(&|a, b| a == old || b == new);
        (either > 0).then(|| sum(&|a, b| a == old && b == new) as f64 / either as f64)
    };
    let distance = |old: &[f64], new: &[f64]| -> Option<f64> {
        let squared =
            |(i, j): &(usize, usize)| if units[*i] > 0.0 { ((old[*i] - new[*j]) / units[*i]).powi(2) } else { 0.0 };
        (!shared.is_empty()).then(|| shared.iter().map(squared).sum::<f64>().sqrt())
    };
    let measured: Vec<(f64, Option<f64>, Option<f64>)> = before
        .iter()
        .flat_map(|(old, old_means)| {
            after.iter().map(move |(new, new_means)| {
                let (jaccard, distance) = (jaccard(old.cluster, new.cluster), distance(old_means, new_means));
                let closeness = distance.map_or(0.0, |distance| 1.0 / (1.0 + distance));
                (weight * jaccard.unwrap_or(0.0) + (1.0 - weight) * closeness, jaccard, distance)
            })
        })
        .collect();
    let scores: Vec<f64> = measured.iter().map(|(score, _, _)| *score).collect();
    let matched = best_matching(&scores, before.len(), after.len())
        .map_err(|error| EngineError::job(format!("the segments cannot be matched: {error}")))?;
    let (mut same, mut gone, mut new, mut taken) = (vec![], vec![], vec![], BTreeSet::new());
    for (i, ((old, _), matched)) in before.iter().zip(&matched).enumerate() {
        let measures = matched.map(|j| (j, measured[i * after.len() + j]));
        let pair = |new: Option<SegmentRef>| Pair {
            old: Some(old.clone()),
            new,
            score: measures.map_or(0.0, |(_, (score, _, _))| score),
            jaccard: measures.and_then(|(_, (_, jaccard, _))| jaccard),
            distance: measures.and_then(|(_, (_, _, distance))| distance),
        };
        match measures {
            Some((j, (score, _, _))) if score >= SAME => {
                taken.insert(j);
                same.push(pair(Some(after[j].0.clone())));
            }
            _ => gone.push(pair(None)),
        }
    }
    for (j, (segment, _)) in after.iter().enumerate().filter(|(j, _)| !taken.contains(j)) {
        let found = matched.iter().position(|matched| *matched == Some(j)).map(|i| measured[i * after.len() + j]);
        let (score, jaccard, distance) = found.unwrap_or((0.0, None, None));
        new.push(Pair { old: None, new: Some(segment.clone()), score, jaccard, distance });
    }
    let is_one = |from: i32, to: i32| {
        let both = |pair: &Pair| pair.old.as_ref().zip(pair.new.as_ref()).map(|(old, new)| (old.cluster, new.cluster));
        from == to && (from == OUTLIER || from == -1) || same.iter().any(|pair| both(pair) == Some((from, to)))
    };
    let mut moves: Vec<Move> = cells
        .iter()
        .map(|((from, to), customers)| Move {
            from: Place::of(*from),
            to: Place::of(*to),
            customers: *customers,
            stayed: is_one(*from, *to),
        })
        .collect();
    moves.sort_by_key(|to| (std::cmp::Reverse(to.customers), to.from, to.to));
    let in_segments = || cells.iter().filter(|((a, b), _)| *a >= 0 && *b >= 0);
    let total: u64 = in_segments().map(|(_, customers)| customers).sum();
    let stayed: u64 = in_segments().filter(|((a, b), _)| is_one(*a, *b)).map(|(_, customers)| customers).sum();
    let mut contingency = Contingency::default();
    in_segments().for_each(|((a, b), customers)| contingency.add(*a, *b, *customers));
    same.extend(gone);
    same.extend(new);
    Ok(ClusteringComparison {
        algorithm,
        segments: same,
        moves,
        stayed: (total > 0).then(|| stayed as f64 / total as f64),
        adjusted_rand_index: (total > 0).then(|| contingency.adjusted_rand_index()),
    })
}

/// How the customers of now are spread between the deciles of then: one pass, a batch at a time.
async fn drift(
    context: &SessionContext,
    then: &Published,
    (now, output): (&Published, &str),
) -> Result<Vec<FeatureDrift>> {
    let of_then = then.model.features.iter().zip(&then.model.distributions);
    let wanted: Vec<(&String, &Distribution)> =
        of_then.filter(|(feature, _)| now.model.features.contains(feature)).collect();
    let names: Vec<String> = wanted.iter().map(|(feature, _)| (*feature).clone()).collect();
    let flags: Vec<String> = names.iter().map(|name| format!("{name}_imputed")).collect();
    let columns = [names.clone(), flags].concat();
    let mut counts: Vec<Vec<u64>> = wanted.iter().map(|(_, then)| vec![0; then.edges.len() + 2]).collect();
    for (folder, _) in tables(now) {
        let Some(table) = table(context, now, output, folder).await? else { continue };
        let selected: Vec<_> = columns.iter().map(|name| datafusion::prelude::ident(name.as_str())).collect();
        let mut batches = table.select(selected).map_err(failed)?.execute_stream().await.map_err(failed)?;
        while let Some(batch) = batches.next().await {
            let mut values = vec![];
            append_rows(&batch.map_err(failed)?, &columns, &mut values)?;
            for row in values.chunks_exact(columns.len().max(1)) {
                for (j, (counts, (_, then))) in counts.iter_mut().zip(&wanted).enumerate() {
                    let is_imputed = row[names.len() + j] != 0.0;
                    counts[if is_imputed { then.edges.len() + 1 } else { bin(&then.edges, row[j]) }] += 1;
                }
            }
        }
    }
    let found = wanted.iter().zip(&counts).map(|((feature, then), counts)| {
        let now = Distribution::from_counts(then.edges.clone(), counts);
        FeatureDrift {
            feature: (*feature).clone(),
            shift: then.shift(&now),
            missing_before: then.missing,
            missing_now: now.missing,
        }
    });
    Ok(found.collect())
}
