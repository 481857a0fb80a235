//! Hierarchy: the linkage of all rows if they are few, otherwise of the micro-clusters that they are reduced to. See
//! [`segmenta_algorithms::hierarchy`] for the method.
//!
//! ```text
//!   distinct rows within the budget      ──▶ the dendrogram of all ──┐
//!   more: seeds of a sample ──▶ reduce   ──▶ of micro-clusters     ──┴──▶ cut ──▶ label rows by their nearest seeds
//! ```
//!
//! Single linkage of more rows than the budget is exact too. Its dendrogram is that of HDBSCAN's spanning tree over
//! cells of space with a `min_samples` of 1.
//!
//! The driver holds the points that are linked and what the linkage needs (see [`Linkage::bytes`]); that memory is
//! reserved.

use datafusion::execution::memory_pool::MemoryConsumer;
use ndarray::Array2;
use segmenta_algorithms::hdbscan::selection::{SelectionMethod, SelectionOptions};
use segmenta_algorithms::hierarchy::{
    Cut, Dendrogram, Linkage, MicroClusters, Reducer, Segment, Top, WeightedPoints, seeds,
};
use segmenta_algorithms::kmeans::Partial;
use segmenta_algorithms::rows::{Rows, matrix};
use segmenta_algorithms::sums::Bounds;
use segmenta_algorithms::with_dimensions;
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::hdbscan::PointLabels;
use segmenta_engine::operators::hierarchy::{
    CollectDistinct, DistinctPoints, LabelledCell, ReduceRows, write_hierarchy_labels, write_labelled_cell,
};
use segmenta_engine::operators::{Place, Placement};
use segmenta_engine::{EngineError, Result};
use segmenta_results::clusterings::{Algorithm, LinkedCluster, Reduction};
use segmenta_results::segments::Segment as Profiled;
use serde::{Deserialize, Serialize};

use super::hdbscan::spanning_tree::{Spanned, spanning_tree};
use super::hdbscan::{cells, label_rows};
use super::scale::Scaled;
use super::{Draw, draw, rows_of, singly};
use crate::clustering::Clustering;
use crate::source::part_count;
use crate::stage::{Given, Made, Stage, StageContext};
use crate::stages::outliers::OutliersStage;
use crate::stages::scale::ScaleStage;
use segmenta_spec::JobSpec;
use segmenta_spec::{CutRule, Graph, Hdbscan, Hierarchy, MinClusterSize, Resolution};
use serde_json::Value;

/// Rows of the sample for each seed.
const SAMPLE_ROWS_A_SEED: usize = 10;
/// The number of merges of the dendrogram that are kept: the highest ones.
const TOP_MERGES: usize = 1_000;

/// The stage.
pub struct HierarchyStage;

impl Stage for HierarchyStage {
    const NAME: &'static str = "hierarchy";
    const AFTER: &'static [&'static str] = &[ScaleStage::NAME];
    type Output = Linked;

    fn is_in(spec: &JobSpec) -> bool {
        spec.hierarchy.is_some()
    }

    fn settings(given: &Given<'_>) -> serde_json::Result<Value> {
        serde_json::to_value(given.spec.hierarchy)
    }

    fn describe(given: &Given<'_>) -> String {
        given.spec.hierarchy.as_ref().map(describe).unwrap_or_default()
    }

    fn rows(_given: &Given<'_>, made: &Made) -> Result<u64> {
        Ok(rows_of(&made.of::<OutliersStage>()?.kept))
    }

    async fn run(context: &StageContext<'_>, given: &Given<'_>, made: &Made) -> Result<Linked> {
        let settings = given.spec.hierarchy.as_ref().ok_or_else(|| EngineError::job("the spec has no hierarchy"))?;
        let slices = part_count(given.sources.rows());
        run(context, settings, &given.spec.source.features, made.of::<ScaleStage>()?, slices).await
    }
}

fn describe(hierarchy: &Hierarchy) -> String {
    let linkage = match hierarchy.linkage {
        Linkage::Ward => "Ward's",
        Linkage::Average => "average",
        Linkage::Complete => "complete",
        Linkage::Single => "single",
    };
    let cut = match hierarchy.cut {
        CutRule::Clusters(clusters) => format!("into {clusters}"),
        CutRule::Height(height) => format!("at {height}"),
    };
    format!(
        "{linkage} linkage, cut {cut}; exact up to {} distinct rows, of {} micro-clusters above",
        hierarchy.budget, hierarchy.micro_clusters
    )
}

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Linked {
    /// Points that were linked.
    pub points: u64,
    /// Whether they are the distinct rows themselves.
    pub is_exact: bool,
    /// What the reduction lost; `None` where there was none.
    pub reduction: Option<Reduction>,
    /// The clusters, by label.
    pub clusters: Vec<LinkedCluster>,
    /// Height of the highest merge within a cluster.
    pub cut_below: f64,
    /// Height of the lowest merge between two clusters; `None` for a single cluster.
    pub cut_above: Option<f64>,
    /// The highest merges.
    pub top: Top,
    /// The points that were linked, or seeds of those, with their labels: for labelling other rows.
    pub model: Vec<LabelledCell>,
    /// Row id and label, row for row those of the prepared points.
    pub labels: Vec<Part>,
}

impl Clustering for Linked {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Hierarchy
    }

    fn numbers(&self) -> (i32, usize) {
        (0, self.clusters.len())
    }

    fn labels(&self) -> Option<&[Part]> {
        Some(&self.labels)
    }

    fn placement(&self) -> Option<Placement> {
        Some(Placement::Nearest(self.model.clone()))
    }

    fn complete(&self, segment: &mut Profiled) {
        let cluster = self.clusters.iter().find(|cluster| cluster.cluster == segment.cluster);
        segment.tree_path = cluster.map(|cluster| cluster.path.clone());
    }
}

/// The points that are linked, and how rows find theirs.
struct Points {
    /// Where rows are looked up, in the order in which a [`Reducer`] numbers them.
    seeds: Array2<f64>,
    points: Array2<f64>,
    weights: Vec<u64>,
    /// The point of each seed.
    of_seed: Vec<u32>,
    reduction: Option<Reduction>,
}

/// Runs the stage. `slices` is the number of slices that the row ids are cut into.
///
/// # Errors
/// A linkage that does not fit the memory.
pub async fn run(
    context: &StageContext<'_>,
    settings: &Hierarchy,
    features: &[String],
    scaled: &Scaled,
    slices: u32,
) -> Result<Linked> {
    context.begin_step("look for distinct rows");
    let task = CollectDistinct { columns: features.to_vec(), most: settings.budget };
    let merge = |total: &mut DistinctPoints, part: DistinctPoints| total.merge(part);
    let distinct = context.merge_parts(task, &singly(&scaled.parts), merge).await?;
    let found = match distinct.sorted(features.len()) {
        None if settings.linkage == Linkage::Single => {
            return single(context, settings, features, scaled, slices).await;
        }
        Some((points, weights)) => {
            let (seeds, of_seed) = as_numbered(&points, &scaled.bounds);
            Points { seeds, points, weights, of_seed, reduction: None }
        }
        None => reduce(context, settings, features, scaled).await?,
    };
    context.begin_step("link");
    let count = found.points.nrows();
    let reservation = MemoryConsumer::new("segmenta linkage").register(&context.cluster.runtime().memory_pool);
    let bytes = settings.linkage.bytes(count, features.len());
    reservation.try_grow(bytes).map_err(|error| {
        EngineError::job(format!(
            "hierarchy: the linkage of {count} points takes {} MiB: {error}; lower hierarchy.budget or \
             hierarchy.micro_clusters",
            bytes >> 20
        ))
    })?;
    let linkage = settings.linkage;
    let linking = tokio::task::spawn_blocking(move || {
        let points = WeightedPoints { points: &found.points, weights: &found.weights };
        let dendrogram = Dendrogram::new(&points, linkage);
        (found, dendrogram)
    });
    let (found, dendrogram) =
        linking.await.map_err(|error| EngineError::job(format!("hierarchy: the linkage failed: {error}")))?;
    drop(reservation);
    let cut = cut(context, settings, &dendrogram)?;
    context.begin_step("label the rows");
    let of_seed: Vec<i32> = found.of_seed.iter().map(|point| cut.labels[*point as usize] as i32).collect();
    let prefix = format!("{}model/", context.prefix);
    let cell = write_labelled_cell(&context.cluster.runtime(), &prefix, features, &found.seeds, &of_seed).await?;
    let model = vec![cell];
    let task = Place {
        prefix: context.prefix.clone(),
        columns: features.to_vec(),
        placement: Placement::Nearest(model.clone()),
    };
    let labels = context.map_parts(task, &singly(&scaled.parts)).await?;
    Ok(Linked::new(&dendrogram, &cut, found.reduction, model, labels))
}

/// Single linkage of any number of rows, from HDBSCAN's spanning tree: with a `min_samples` of 1, mutual reachability is distance.
async fn single(
    context: &StageContext<'_>,
    settings: &Hierarchy,
    features: &[String],
    scaled: &Scaled,
    slices: u32,
) -> Result<Linked> {
    let tree = Hdbscan {
        min_cluster_size: MinClusterSize::OneOf(vec![2]),
        min_samples: 1,
        resolution: Resolution::Auto { budget: POINT_BUDGET },
        graph: Graph::Exact,
        selection: SelectionOptions {
            method: SelectionMethod::Eom,
            cluster_selection_epsilon: 0.0,
            max_cluster_size: None,
            allow_single_cluster: false,
        },
        cell_rows: CELL_ROWS,
    };
    let resolution = cells::resolution(context, &tree, features, scaled, rows_of(&scaled.parts)).await?;
    context.begin_step("shuffle to cells");
    let cells = cells::cells(context, &tree, features, scaled, resolution).await?;
    let Spanned { points, .. } = spanning_tree(context, &tree, features, scaled, &cells).await?;
    context.begin_step("link");
    let weights: Vec<u64> = (0..points.count).map(|point| points.weight(point)).collect();
    let dendrogram = Dendrogram::from_spanning_tree(&weights, &points.edges);
    let cut = cut(context, settings, &dendrogram)?;
    context.begin_step("label the rows");
    let runtime = context.cluster.runtime();
    let prefix = format!("{}points_labels/", context.prefix);
    let mut inputs = Vec::with_capacity(cells.len());
    let mut model = Vec::with_capacity(cells.len());
    for (cell, first) in cells.iter().zip(&points.first) {
        let first = *first as usize;
        let labels: Vec<i32> =
            cut.labels[first..first + cell.points.rows as usize].iter().map(|label| *label as i32).collect();
        let labels = write_hierarchy_labels(&runtime, &prefix, cell.points.index, &labels).await?;
        model.push(LabelledCell { points: cell.points.clone(), labels: labels.clone() });
        inputs.push(vec![cell.rows.clone(), labels]);
    }
    let labels = label_rows(context, &inputs, PointLabels::Hierarchy, scaled, slices).await?;
    let reduction = (resolution > 0.0).then(|| Reduction {
        lost_variance: None,
        height_error: Some(resolution * (features.len() as f64).sqrt()),
        hidden_height: Some(resolution * (features.len() as f64).sqrt()),
    });
    Ok(Linked::new(&dendrogram, &cut, reduction, model, labels))
}

/// Points and rows of a cell of the spanning tree, the same as HDBSCAN's defaults.
const POINT_BUDGET: u64 = 20_000_000;
const CELL_ROWS: u64 = 256 * 1024;

/// Cuts as the spec says. If it asks for more clusters than there are points, there are as many clusters as points, as
/// with K-Means.
fn cut(context: &StageContext<'_>, settings: &Hierarchy, dendrogram: &Dendrogram) -> Result<Cut> {
    let cut = match settings.cut {
        CutRule::Clusters(clusters) => {
            let points = dendrogram.points();
            if clusters > points {
                context.warn(format!(
                    "hierarchy: {points} clusters, not {clusters}: there are no more than {points} distinct rows"
                ));
            }
            dendrogram.cut_into(clusters.min(points))
        }
        CutRule::Height(height) => dendrogram.cut_at(height),
    };
    if cut.segments.len() > MOST_CLUSTERS {
        return Err(EngineError::spec(format!(
            "hierarchy.height: the dendrogram has {} clusters there, more than {MOST_CLUSTERS}; cut it higher (its highest merge is \
             at {})",
            cut.segments.len(),
            dendrogram.merges().last().map_or(0.0, |merge| merge.height)
        )));
    }
    Ok(cut)
}

impl Linked {
    fn new(
        dendrogram: &Dendrogram,
        cut: &Cut,
        reduction: Option<Reduction>,
        model: Vec<LabelledCell>,
        labels: Vec<Part>,
    ) -> Self {
        Self {
            points: dendrogram.points() as u64,
            is_exact: reduction.is_none(),
            reduction,
            clusters: clusters(dendrogram, cut),
            cut_below: cut.height,
            cut_above: first_above(dendrogram, cut.segments.len()),
            top: dendrogram.top(TOP_MERGES),
            model,
            labels,
        }
    }
}

/// Most clusters that a cut by height may give.
const MOST_CLUSTERS: usize = 1_000;

fn clusters(dendrogram: &Dendrogram, cut: &Cut) -> Vec<LinkedCluster> {
    let cluster = |(cluster, segment): (i32, &Segment)| LinkedCluster {
        cluster,
        size: segment.count,
        path: dendrogram.path(segment.node),
    };
    (0..).zip(&cut.segments).map(cluster).collect()
}

/// The height of the lowest merge that is not within one of this many clusters.
fn first_above(dendrogram: &Dendrogram, clusters: usize) -> Option<f64> {
    let merges = dendrogram.merges();
    merges.get((merges.len() + 1).checked_sub(clusters)?).map(|merge| merge.height)
}

/// Points in the order in which a [`Reducer`] numbers them, and the index of each.
fn as_numbered(points: &Array2<f64>, bounds: &[Bounds]) -> (Array2<f64>, Vec<u32>) {
    let places = with_dimensions!(points.ncols(), D => Reducer::<D>::new(points, bounds).assign(points));
    let mut of_seed = vec![0; points.nrows()];
    places.iter().zip(0..).for_each(|(place, point)| of_seed[*place as usize] = point);
    let seeds = of_seed.iter().flat_map(|point| points.row_slice(*point as usize).iter().copied()).collect();
    (matrix(seeds, points.ncols()), of_seed)
}

/// Reduces all rows to micro-clusters.
async fn reduce(
    context: &StageContext<'_>,
    settings: &Hierarchy,
    features: &[String],
    scaled: &Scaled,
) -> Result<Points> {
    context.begin_step("draw seeds");
    let rows = SAMPLE_ROWS_A_SEED * settings.micro_clusters;
    let wanted = Draw { parts: &scaled.parts, columns: features, seed: settings.seed, rows, keep: true };
    let mut sample = draw(context, &wanted).await?;
    sample.sort_by_key(|row| row.id);
    let sample = matrix(sample.into_iter().flat_map(|row| row.point).collect(), features.len());
    let most = settings.micro_clusters;
    let seeding = tokio::task::spawn_blocking(move || seeds(&sample, most));
    let seeds = seeding.await.map_err(|error| EngineError::job(format!("hierarchy: no seeds: {error}")))?;
    context.begin_step("reduce the rows");
    let task = ReduceRows { columns: features.to_vec(), bounds: scaled.bounds.clone(), seeds: seeds.values().to_vec() };
    let partial =
        context.merge_parts(task, &singly(&scaled.parts), |total: &mut Partial, part| total.merge(&part, 0)).await?;
    let (micro, seeds) = with_dimensions!(features.len(), D => {
        let reducer = Reducer::<D>::new(&seeds, &scaled.bounds);
        let numbered = reducer.assigner().centers().centroids().to_vec();
        (MicroClusters::new(reducer.assigner(), &partial), matrix(numbered, features.len()))
    });
    let is_ward = settings.linkage == Linkage::Ward;
    let reduction = Reduction {
        lost_variance: Some(micro.lost_share()),
        height_error: is_ward.then(|| micro.height_error()),
        hidden_height: is_ward.then(|| micro.hidden_height()),
    };
    Ok(Points {
        seeds,
        points: micro.means,
        weights: micro.weights,
        of_seed: micro.of_seed,
        reduction: Some(reduction),
    })
}
