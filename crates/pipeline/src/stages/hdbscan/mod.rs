//! HDBSCAN: density-based clusters and noise, over cells of space. See [`segmenta_algorithms::hdbscan`] for the method.
//!
//! For each point the driver holds 16 bytes for an edge, 40 while it condenses the tree, and 24 for labels; 12 more
//! where points stand for several rows.

pub(super) mod cells;
mod choosing;
pub(super) mod spanning_tree;

use segmenta_algorithms::hdbscan::condensed_tree::{CondensedCluster, lambda};
use segmenta_algorithms::hdbscan::membership::{Membership, Memberships, label_order, persistence};
use segmenta_algorithms::hdbscan::prediction::Clustering as DensityClustering;
use segmenta_algorithms::hdbscan::selection::{Selected, SelectionOptions};
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::Placement;
use segmenta_engine::operators::hdbscan::{
    DensityModel, DensityModelCell, Gather, Gathered, PROBABILITY_COLUMN, PointLabels, SCORE_COLUMN, Scatter,
    shuffle_plan, write_labels,
};
use segmenta_engine::{EngineError, Result};
use segmenta_results::clusterings::{Algorithm, DensityCandidate, DensityCluster, NeighborGraph};
use serde::{Deserialize, Serialize};

pub(crate) use self::choosing::cluster_sizes;
use self::choosing::{choose, least_ids, reason};
use self::spanning_tree::{Spanned, spanning_tree};
use super::rows_of;
use super::scale::Scaled;
use crate::clustering::Clustering;
use crate::source::part_count;
use crate::stage::{Given, Made, Stage, StageContext};
use crate::stages::outliers::OutliersStage;
use crate::stages::scale::ScaleStage;
use segmenta_spec::Hdbscan;
use segmenta_spec::{Graph, JobSpec, MinClusterSize, Resolution};
use serde_json::Value;

/// The stage.
pub struct HdbscanStage;

impl Stage for HdbscanStage {
    const NAME: &'static str = "hdbscan";
    const AFTER: &'static [&'static str] = &[ScaleStage::NAME];
    type Output = DensityClustered;

    fn is_in(spec: &JobSpec) -> bool {
        spec.hdbscan.is_some()
    }

    fn settings(given: &Given<'_>) -> serde_json::Result<Value> {
        serde_json::to_value(&given.spec.hdbscan)
    }

    fn describe(given: &Given<'_>) -> String {
        given.spec.hdbscan.as_ref().map(describe).unwrap_or_default()
    }

    fn check(given: &Given<'_>) -> Result<()> {
        // For HDBSCAN, a row of weight w counts as w rows.
        match (&given.spec.hdbscan, given.customers(), &given.spec.source.weight) {
            (Some(settings), Some(rows), None) => cluster_sizes(settings, rows).map(drop),
            _ => Ok(()),
        }
    }

    fn rows(_given: &Given<'_>, made: &Made) -> Result<u64> {
        Ok(rows_of(&made.of::<OutliersStage>()?.kept))
    }

    async fn run(context: &StageContext<'_>, given: &Given<'_>, made: &Made) -> Result<DensityClustered> {
        let settings = given.spec.hdbscan.as_ref().ok_or_else(|| EngineError::job("the spec has no hdbscan"))?;
        let slices = part_count(given.sources.rows());
        run(context, settings, &given.spec.source.features, made.of::<ScaleStage>()?, slices).await
    }
}

fn describe(hdbscan: &Hdbscan) -> String {
    let size = match &hdbscan.min_cluster_size {
        MinClusterSize::Auto => "of a size chosen by validity".to_owned(),
        MinClusterSize::OneOf(sizes) => {
            let sizes: Vec<String> = sizes.iter().map(u64::to_string).collect();
            format!("of at least {} rows", sizes.join(" or "))
        }
    };
    let resolution = match hdbscan.resolution {
        Resolution::Auto { budget } => format!("every distinct row a point up to {budget} rows, on a grid above"),
        Resolution::Side(0.0) => "every distinct row a point".to_owned(),
        Resolution::Side(side) => format!("on a grid of side {side}"),
    };
    let graph = match hdbscan.graph {
        Graph::Exact => String::new(),
        Graph::Knn { neighbors } => format!(", by the graph of {neighbors} nearest neighbours (approximate)"),
    };
    format!("clusters {size}, min_samples {}; {resolution}{graph}", hdbscan.min_samples)
}

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DensityClustered {
    /// Side of the grid whose cells became points; 0 where every distinct point was kept.
    pub resolution: f64,
    /// How far any dendrogram height may be from the exact one: `resolution * sqrt(d)`.
    pub bound: f64,
    /// The same from how far rows were moved in fact: twice the largest shift.
    pub measured_bound: f64,
    /// Rows before they were collapsed.
    pub rows: u64,
    /// Sum of their weights, or their number if they have no weights. Sizes are counted in this unit.
    pub weight: u64,
    /// Points after that.
    pub points: u64,
    /// Cells of space that held a row.
    pub cells: usize,
    /// Rounds that joined the cells' trees.
    pub rounds: usize,
    /// The neighbour graph, if the tree was built from one.
    pub graph: Option<NeighborGraph>,
    /// Total length of the spanning tree over the rows: rows that share a point are joined by edges of its core distance.
    pub spanning_weight: f64,
    /// What each `min_cluster_size` gave, ascending.
    pub candidates: Vec<DensityCandidate>,
    /// The chosen `min_cluster_size`.
    pub min_cluster_size: u64,
    /// Why, in a sentence.
    pub why: String,
    /// The clusters, by label.
    pub clusters: Vec<DensityCluster>,
    /// Rows without a cluster.
    pub noise: u64,
    /// The condensed tree of the chosen size.
    pub tree: Vec<CondensedCluster>,
    /// How clusters were selected in it.
    pub selection: SelectionOptions,
    /// The weight within a core distance.
    pub min_samples: u64,
    /// The points, for labelling other rows.
    pub model: Vec<DensityModelCell>,
    /// Row id, cluster, probability and outlier score, row for row those of the prepared points.
    pub labels: Vec<Part>,
}

/// The number of clusters that are described: the largest ones.
const MAX_DENSITY_SEGMENTS: usize = 100;

impl Clustering for DensityClustered {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Hdbscan
    }

    /// Noise comes first.
    fn numbers(&self) -> (i32, usize) {
        (-1, self.clusters.len().min(MAX_DENSITY_SEGMENTS) + 1)
    }

    fn labels(&self) -> Option<&[Part]> {
        Some(&self.labels)
    }

    fn placement(&self) -> Option<Placement> {
        let Self { model, tree, clusters, selection, min_samples, .. } = self;
        Some(Placement::Density(density_model(model.clone(), tree.clone(), clusters, selection, *min_samples)))
    }

    fn columns(&self) -> &'static [&'static str] {
        &[PROBABILITY_COLUMN, SCORE_COLUMN]
    }

    /// Clusters of one density have any size and shape, and often one of them has most customers. Their features
    /// describe what sets them apart, but that does not justify a name that promises something or gives up on somebody.
    fn has_names(&self) -> bool {
        false
    }

    fn warning(&self) -> Option<String> {
        let found = self.clusters.len();
        (found > MAX_DENSITY_SEGMENTS).then(|| {
            format!("hdbscan finds {found} clusters; segments.parquet has the {MAX_DENSITY_SEGMENTS} largest of them")
        })
    }
}

/// What rows are labelled by that were no part of the fit.
pub(crate) fn density_model(
    cells: Vec<DensityModelCell>,
    tree: Vec<CondensedCluster>,
    clusters: &[DensityCluster],
    selection: &SelectionOptions,
    min_samples: u64,
) -> DensityModel {
    let mut selected: Vec<(u32, i32)> = clusters.iter().map(|cluster| (cluster.node, cluster.cluster)).collect();
    selected.sort_unstable();
    let (nodes, labels): (Vec<u32>, Vec<i32>) = selected.into_iter().unzip();
    let selected = Selected { clusters: nodes, stability: vec![] };
    let memberships = Memberships::new(&tree, &selected, &labels, selection);
    DensityModel { cells, clustering: DensityClustering { clusters: tree, memberships, min_samples } }
}

/// Runs the stage. `slices` is the number of slices that the row ids are cut into.
///
/// # Errors
/// When there are fewer rows than `min_samples` or `min_cluster_size` ask for, or no grid fits the budget.
pub async fn run(
    context: &StageContext<'_>,
    settings: &Hdbscan,
    features: &[String],
    scaled: &Scaled,
    slices: u32,
) -> Result<DensityClustered> {
    let rows = rows_of(&scaled.parts);
    context.begin_step("choose a resolution");
    let resolution = cells::resolution(context, settings, features, scaled, rows).await?;
    context.begin_step("shuffle to cells");
    let cells = cells::cells(context, settings, features, scaled, resolution).await?;
    let weight = cells.iter().map(|cell| cell.weight).sum();
    let sizes = cluster_sizes(settings, weight)?;
    let Spanned { points, cores, rounds, graph } = spanning_tree(context, settings, features, scaled, &cells).await?;
    context.begin_step("condense the tree");
    let spanning_weight = points.spanning_weight();
    let (chosen, candidates) = choose(context, settings, &points, &sizes, weight);
    let why = reason(&chosen.candidate, &candidates);

    context.begin_step("label the rows");
    let runtime = context.cluster.runtime();
    let numbers: Vec<i32> = (0..).take(chosen.selected.clusters.len()).collect();
    let memberships = Memberships::new(&chosen.tree.clusters, &chosen.selected, &numbers, &settings.selection);
    let by_number = |i: usize| memberships.of(chosen.tree.point_cluster[i], chosen.tree.point_height[i]).label;
    let mut found = vec![0; numbers.len()];
    let mut noise = 0;
    for i in 0..points.count {
        match usize::try_from(by_number(i)) {
            Ok(number) => found[number] += points.weight(i),
            Err(_) => noise += points.weight(i),
        }
    }
    let least_ids = least_ids(context, &cells, &points, &chosen, &found, by_number).await?;
    let order = label_order(&chosen.tree.clusters, &chosen.selected, &found, &least_ids);
    let memberships = Memberships::new(&chosen.tree.clusters, &chosen.selected, &order, &settings.selection);

    let prefix = format!("{}points_labels/", context.prefix);
    let mut inputs = Vec::with_capacity(cells.len());
    let mut model = Vec::with_capacity(cells.len());
    for ((cell, first), cores) in cells.iter().zip(&points.first).zip(cores) {
        let first = *first as usize;
        let members: Vec<Membership> = (first..first + cell.points.rows as usize)
            .map(|i| memberships.of(chosen.tree.point_cluster[i], chosen.tree.point_height[i]))
            .collect();
        let range = first..first + members.len();
        let places = (&chosen.tree.point_cluster[range.clone()], &chosen.tree.point_height[range]);
        let labels = write_labels(&runtime, &prefix, cell.points.index, &members, places).await?;
        inputs.push(vec![cell.rows.clone(), labels.clone()]);
        model.push(DensityModelCell { points: cell.points.clone(), cores, tree: labels });
    }
    let largest = chosen.tree.point_height.iter().fold(0.0, |largest, height| f64::max(largest, lambda(*height)));
    let mut clusters: Vec<DensityCluster> = chosen
        .selected
        .clusters
        .iter()
        .zip(order.iter().zip(&found))
        .map(|(node, (label, size))| {
            let stability = chosen.selected.stability[*node as usize];
            let persistence = persistence(stability, *size, largest);
            DensityCluster { cluster: *label, size: *size, node: *node, stability, persistence }
        })
        .collect();
    clusters.sort_by_key(|cluster| cluster.cluster);
    let condensed = chosen.tree.clusters.clone();
    let points_count = points.count as u64;
    drop((points, chosen.tree));

    let labels = label_rows(context, &inputs, PointLabels::Density, scaled, slices).await?;
    if clusters.is_empty() {
        context.warn(format!(
            "hdbscan finds no cluster of {} rows or more: every row is noise; try a smaller hdbscan.min_cluster_size or \
             min_samples, or allow_single_cluster",
            chosen.candidate.min_cluster_size
        ));
    }
    let shift = cells.iter().fold(0.0, |shift, cell| f64::max(shift, cell.squared_shift)).sqrt();
    Ok(DensityClustered {
        resolution,
        bound: resolution * (features.len() as f64).sqrt(),
        measured_bound: 2.0 * shift,
        rows,
        weight,
        points: points_count,
        cells: cells.len(),
        rounds,
        graph,
        spanning_weight,
        candidates,
        min_cluster_size: chosen.candidate.min_cluster_size,
        why,
        clusters,
        noise,
        tree: condensed,
        selection: settings.selection,
        min_samples: settings.min_samples,
        model,
        labels,
    })
}

/// Gives every row the labels of its point: `inputs` has the rows and the labels of each cell.
pub(super) async fn label_rows(
    context: &StageContext<'_>,
    inputs: &[Vec<Part>],
    labels: PointLabels,
    scaled: &Scaled,
    slices: u32,
) -> Result<Vec<Part>> {
    let gather = Gather::Rows { prefix: context.prefix.clone() };
    let plan = shuffle_plan(Scatter::ToParts { parts: slices, labels }, inputs, gather, slices)?;
    let labelled = gathered_rows(context.cluster.collect_results(plan).await?)?;
    context.count_pass();
    let rows = rows_of(&scaled.parts);
    if labelled.len() != scaled.parts.len() || rows_of(&labelled) != rows {
        return Err(EngineError::job(format!("{} of {rows} rows were labelled", rows_of(&labelled))));
    }
    Ok(labelled)
}

fn gathered_rows(gathered: Vec<Gathered>) -> Result<Vec<Part>> {
    let parts = gathered.into_iter().map(|gathered| match gathered {
        Gathered::Rows(part) => Ok(part),
        Gathered::Cell(cell) => Err(EngineError::job(format!("{}: a cell where rows were expected", cell.rows.url))),
    });
    parts.collect()
}
