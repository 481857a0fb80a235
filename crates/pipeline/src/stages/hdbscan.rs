//! HDBSCAN: density-based clusters and noise, over cells of space. See [`segmenta_algorithms::hdbscan`] for the method.
//!
//! The driver holds, for each point, 16 bytes of an edge, 40 while it condenses the tree, and 24 of labels; 12 more where
//! points stand for several rows.

use segmenta_algorithms::hdbscan::condensed_tree::{
    CondensedCluster, CondensedTree, Edge, WeightedPoints, infinite, lambda, sort_edges,
};
use segmenta_algorithms::hdbscan::joining::{Joining, Place};
use segmenta_algorithms::hdbscan::membership::{Membership, Memberships, label_order, persistence};
use segmenta_algorithms::hdbscan::resolution::{STANDARD_ERROR, ladder};
use segmenta_algorithms::hdbscan::selection::{Selected, select};
use segmenta_algorithms::hdbscan::space_partition::SpacePartition;
use segmenta_algorithms::hdbscan::validity::relative_validity;
use segmenta_algorithms::matrix::Matrix;
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::hdbscan::{
    CellPoints, CountPoints, FindLinks, ForestGrown, Gather, Gathered, GrowForest, Scatter, SearchedCell, read_edges,
    read_ids, read_links, read_weights, shuffle_plan, write_components, write_labels,
};
use segmenta_engine::operators::{RowSample, Sample, Sampled};
use segmenta_engine::{EngineError, Result};
use serde::{Deserialize, Serialize};

use super::scale::Scaled;
use super::{StageContext, rows_of, singly};
use crate::spec::{Hdbscan, MinClusterSize, Resolution};

const MAX_CELLS: u64 = 4_096;
/// Rows that the cuts between cells are drawn from, for each cell.
const SAMPLE_ROWS_A_CELL: u64 = 64;
const SAMPLE_SEED: u64 = 0x6365_6c6c;

/// Shares of the rows that `min_cluster_size: auto` tries.
const AUTO_SHARES: [f64; 5] = [0.002, 0.005, 0.01, 0.02, 0.05];
const LEAST_AUTO: u64 = 5;

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DensityClustered {
    /// Side of the grid whose cells became points; 0 where every distinct point was kept.
    pub resolution: f64,
    /// How far any dendrogram height may be from the exact one: `resolution * sqrt(d)`.
    pub bound: f64,
    /// The same from how far rows were moved in fact: twice the largest shift.
    pub measured_bound: f64,
    /// Rows before, points after.
    pub rows: u64,
    /// See above.
    pub points: u64,
    /// Cells of space that held a row.
    pub cells: usize,
    /// Rounds that joined the cells' trees.
    pub rounds: usize,
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
    /// Row id, cluster, probability and outlier score, row for row those of the prepared points.
    pub labels: Vec<Part>,
}

/// What one `min_cluster_size` gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DensityCandidate {
    /// The size.
    pub min_cluster_size: u64,
    /// Clusters found.
    pub clusters: usize,
    /// Rows without a cluster.
    pub noise: u64,
    /// Sum of the stabilities of the selected clusters.
    #[serde(with = "infinite")]
    pub stability: f64,
    /// Relative validity, -1 to 1; `None` without a cluster.
    pub validity: Option<f64>,
}

/// One cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DensityCluster {
    /// `hdbscan_cluster` of its rows.
    pub cluster: i32,
    /// Its rows.
    pub size: u64,
    /// Its cluster in the condensed tree.
    pub node: u32,
    /// Stability, and persistence: its share of what it could be.
    #[serde(with = "infinite")]
    pub stability: f64,
    /// See above.
    pub persistence: f64,
}

/// The chosen clustering on its way.
struct Chosen {
    candidate: DensityCandidate,
    tree: CondensedTree,
    selected: Selected,
}

/// Everything about the points that the driver holds.
struct Points {
    /// Place of each cell's first point.
    first: Vec<u32>,
    count: usize,
    edges: Vec<Edge>,
    /// Weights and core distances, where a point stands for several rows.
    weights: Option<(Vec<u32>, Vec<f64>)>,
}

impl Points {
    fn weighted(&self) -> Option<WeightedPoints<'_>> {
        self.weights.as_ref().map(|(weights, cores)| WeightedPoints { weights, core_distances: cores })
    }

    fn spanning_weight(&self) -> f64 {
        let mut lengths: Vec<(f64, f64)> = self.edges.iter().map(|edge| (edge.distance, 1.0)).collect();
        if let Some((weights, cores)) = &self.weights {
            let heavy = weights.iter().zip(cores).filter(|(weight, _)| **weight > 1);
            lengths.extend(heavy.map(|(weight, core)| (*core, f64::from(*weight - 1))));
        }
        // In an order that does not depend on that of the points.
        lengths.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        lengths.iter().map(|(length, count)| length * count).sum()
    }

    fn weight(&self, point: usize) -> u64 {
        self.weights.as_ref().map_or(1, |(weights, _)| u64::from(weights[point]))
    }
}

/// Runs the stage. `slices` is the number of slices that the row ids are cut into.
///
/// # Errors
/// Fewer rows than `min_samples` or `min_cluster_size` ask for; a budget that no grid fits.
pub async fn run(
    context: &StageContext<'_>,
    settings: &Hdbscan,
    features: &[String],
    scaled: &Scaled,
    slices: u32,
) -> Result<DensityClustered> {
    let rows = rows_of(&scaled.parts);
    let sizes = cluster_sizes(settings, rows)?;
    let resolution = resolution(context, settings, features, scaled, rows).await?;
    let cells = cells(context, settings, features, scaled, resolution, rows).await?;
    let (points, rounds) = spanning_tree(context, settings, features, &cells).await?;
    let spanning_weight = points.spanning_weight();
    let (chosen, candidates) = choose(settings, &points, &sizes, rows);
    let why = reason(&chosen.candidate, &candidates);

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
    for (cell, first) in cells.iter().zip(&points.first) {
        let first = *first as usize;
        let members: Vec<Membership> = (first..first + cell.points.rows as usize)
            .map(|i| memberships.of(chosen.tree.point_cluster[i], chosen.tree.point_height[i]))
            .collect();
        let labels = write_labels(&runtime, &prefix, cell.points.index, &members).await?;
        inputs.push(vec![cell.rows.clone(), labels]);
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

    let gather = Gather::Rows { prefix: context.prefix.clone() };
    let plan = shuffle_plan(Scatter::ToParts { parts: slices }, &inputs, gather, slices)?;
    let labels = gathered_rows(context.cluster.collect_results(plan).await?)?;
    context.count_pass();
    if labels.len() != scaled.parts.len() || rows_of(&labels) != rows {
        return Err(EngineError::job(format!("hdbscan: {} of {rows} rows were labelled", rows_of(&labels))));
    }
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
        points: points_count,
        cells: cells.len(),
        rounds,
        spanning_weight,
        candidates,
        min_cluster_size: chosen.candidate.min_cluster_size,
        why,
        clusters,
        noise,
        tree: condensed,
        labels,
    })
}

fn cluster_sizes(settings: &Hdbscan, rows: u64) -> Result<Vec<u64>> {
    let too_few = |key: &str, value: u64| {
        EngineError::spec(format!(
            "hdbscan.{key}: {value} is more than the {rows} rows there are; lower it, or check what source.sql and outliers \
             leave"
        ))
    };
    if settings.min_samples > rows {
        return Err(too_few("min_samples", settings.min_samples));
    }
    match &settings.min_cluster_size {
        MinClusterSize::OneOf(sizes) => match sizes.last() {
            Some(largest) if *largest > rows => Err(too_few("min_cluster_size", *largest)),
            _ => Ok(sizes.clone()),
        },
        MinClusterSize::Auto => {
            let mut sizes: Vec<u64> =
                AUTO_SHARES.iter().map(|share| ((rows as f64 * share).round() as u64).max(LEAST_AUTO)).collect();
            sizes.dedup();
            Ok(sizes)
        }
    }
}

/// The side of the grid: as the spec says, or the least that fits the budget.
async fn resolution(
    context: &StageContext<'_>,
    settings: &Hdbscan,
    features: &[String],
    scaled: &Scaled,
    rows: u64,
) -> Result<f64> {
    let budget = match settings.resolution {
        Resolution::Side(side) => return Ok(side),
        Resolution::Auto { budget } if rows <= budget => return Ok(0.0),
        Resolution::Auto { budget } => budget,
    };
    let resolutions = ladder(&scaled.bounds, budget);
    let task = CountPoints { features: features.to_vec(), resolutions: resolutions.clone() };
    let counters = context
        .merge_parts(task, &singly(&scaled.parts), |total, part| {
            total.iter_mut().zip(&part).for_each(|(total, counter)| total.merge(counter));
        })
        .await?;
    // Four standard errors on the safe side.
    let fits = |count: f64| count * (1.0 + 4.0 * STANDARD_ERROR) <= budget as f64;
    let found = resolutions.iter().zip(&counters).find(|(_, counter)| fits(counter.estimate()));
    found.map(|(resolution, _)| *resolution).ok_or_else(|| {
        EngineError::spec(format!(
            "hdbscan.budget: even the widest grid has more than {budget} cells with rows in {} features; raise the budget, \
             or use fewer features",
            features.len()
        ))
    })
}

/// Brings the rows to the cells of space.
async fn cells(
    context: &StageContext<'_>,
    settings: &Hdbscan,
    features: &[String],
    scaled: &Scaled,
    resolution: f64,
    rows: u64,
) -> Result<Vec<CellPoints>> {
    let count = rows.div_ceil(settings.cell_rows).clamp(1, MAX_CELLS);
    let sample = if count == 1 {
        Matrix::new(vec![], features.len())
    } else {
        let wanted = count * SAMPLE_ROWS_A_CELL;
        let threshold = RowSample::of(SAMPLE_SEED, wanted, rows).threshold;
        let task = Sample { columns: features.to_vec(), seed: SAMPLE_SEED, rows: 2 * wanted as usize, threshold };
        let mut drawn: Vec<Sampled> =
            context.map_parts(task, &singly(&scaled.parts)).await?.into_iter().flatten().collect();
        drawn.sort_by_key(|sampled| (sampled.hash, sampled.id));
        Matrix::new(drawn.into_iter().flat_map(|sampled| sampled.point).collect(), features.len())
    };
    let partition = SpacePartition::new(&sample, count as u32);
    let scatter = Scatter::ToCells { features: features.to_vec(), partition, resolution };
    let gather = Gather::Cells { prefix: context.prefix.clone(), features: features.to_vec(), resolution };
    let plan = shuffle_plan(scatter, &singly(&scaled.parts), gather, count as u32)?;
    let gathered: Vec<Gathered> = context.cluster.collect_results(plan).await?;
    context.count_pass();
    let cells = gathered.into_iter().map(|gathered| match gathered {
        Gathered::Cell(cell) => Ok(cell),
        Gathered::Rows(part) => Err(EngineError::job(format!("{}: rows where a cell was expected", part.url))),
    });
    cells.collect()
}

fn gathered_rows(gathered: Vec<Gathered>) -> Result<Vec<Part>> {
    let parts = gathered.into_iter().map(|gathered| match gathered {
        Gathered::Rows(part) => Ok(part),
        Gathered::Cell(cell) => Err(EngineError::job(format!("{}: a cell where rows were expected", cell.rows.url))),
    });
    parts.collect()
}

/// The spanning tree of all points, and how many rounds it took to join the cells' own.
async fn spanning_tree(
    context: &StageContext<'_>,
    settings: &Hdbscan,
    features: &[String],
    cells: &[CellPoints],
) -> Result<(Points, usize)> {
    let runtime = context.cluster.runtime();
    let parts: Vec<Part> = cells.iter().map(|cell| cell.points.clone()).collect();
    let task = GrowForest {
        prefix: context.prefix.clone(),
        features: features.to_vec(),
        min_samples: settings.min_samples as usize,
        cells: cells.iter().map(|cell| (cell.points.clone(), cell.bounds.clone())).collect(),
    };
    let grown: Vec<ForestGrown> = context.map_parts(task, &singly(&parts)).await?;

    let total = rows_of(&parts);
    if total >= u64::from(u32::MAX) {
        return Err(EngineError::spec(format!(
            "hdbscan.resolution: {total} points are more than the {} that the tree can hold; set a coarser resolution",
            u32::MAX - 1
        )));
    }
    let mut first = Vec::with_capacity(cells.len());
    let (mut before, mut fragments) = (0u32, 0u32);
    let (mut edges, mut open, mut searched) = (Vec::with_capacity(total as usize), Vec::new(), Vec::new());
    for (cell, grown) in cells.iter().zip(&grown) {
        first.push(before);
        if let Some(certain) = &grown.certain {
            let certain = read_edges(&runtime, certain).await?;
            edges.extend(certain.into_iter().map(|(a, b, squared)| Edge {
                distance: squared.sqrt(),
                a: before + a,
                b: before + b,
            }));
        }
        if let Some(part) = &grown.open {
            open.extend(read_links(&runtime, part, fragments).await?);
        }
        searched.push(SearchedCell {
            points: cell.points.clone(),
            cores: grown.cores.clone(),
            bounds: cell.bounds.clone(),
            first_fragment: fragments,
            fragments: grown.fragments,
        });
        before += cell.points.rows as u32;
        fragments += grown.fragments;
    }
    let mut joining = Joining::new(fragments, open);
    let mut rounds = 0;
    while joining.components() > 1 {
        let components = format!("{}rounds/components-{rounds:03}", context.prefix);
        write_components(&runtime, &components, &joining.limits()).await?;
        let task = FindLinks { features: features.to_vec(), cells: searched.clone(), components };
        let links = context.map_parts(task, &singly(&parts)).await?;
        let links: Vec<_> = links.into_iter().flatten().collect();
        if joining.join(&links) == 0 {
            return Err(EngineError::job(format!(
                "hdbscan: {} parts of the spanning tree find no edge to each other",
                joining.components()
            )));
        }
        rounds += 1;
    }
    // Cells without rows have no part: places are looked up by index.
    let by_index: std::collections::HashMap<u32, u32> =
        cells.iter().zip(&first).map(|(cell, first)| (cell.points.index, *first)).collect();
    let point = |place: Place| by_index.get(&place.cell).map_or(u32::MAX, |first| first + place.point);
    edges.extend(joining.into_edges().iter().map(|link| Edge {
        distance: link.squared_reach.sqrt(),
        a: point(link.points.0),
        b: point(link.points.1),
    }));
    sort_edges(&mut edges);
    let weights = if cells.iter().any(|cell| cell.is_weighted) {
        let (mut weights, mut cores) = (Vec::with_capacity(total as usize), Vec::with_capacity(total as usize));
        for (cell, grown) in cells.iter().zip(&grown) {
            let (weight, core) = read_weights(&runtime, &cell.points, &grown.cores).await?;
            weights.extend(weight);
            cores.extend(core);
        }
        Some((weights, cores))
    } else {
        None
    };
    Ok((Points { first, count: total as usize, edges, weights }, rounds))
}

/// Condenses for every size and keeps the most valid; of equals, the largest size.
fn choose(settings: &Hdbscan, points: &Points, sizes: &[u64], rows: u64) -> (Chosen, Vec<DensityCandidate>) {
    let mut candidates = Vec::with_capacity(sizes.len());
    let mut best: Option<Chosen> = None;
    for &min_cluster_size in sizes {
        let chosen = condense(settings, points, min_cluster_size, rows);
        candidates.push(chosen.candidate.clone());
        let better = best.as_ref().is_none_or(|best| chosen.candidate.validity >= best.candidate.validity);
        if better {
            best = Some(chosen);
        }
    }
    let chosen = best.unwrap_or_else(|| condense(settings, points, LEAST_AUTO, rows));
    (chosen, candidates)
}

fn condense(settings: &Hdbscan, points: &Points, min_cluster_size: u64, rows: u64) -> Chosen {
    let tree = CondensedTree::new(points.count, &points.edges, points.weighted(), min_cluster_size, &mut |_| {});
    let selected = select(&tree.clusters, &settings.selection);
    let numbers: Vec<i32> = (0..).take(selected.clusters.len()).collect();
    let memberships = Memberships::new(&tree.clusters, &selected, &numbers, &settings.selection);
    let labels: Vec<i32> = tree
        .point_cluster
        .iter()
        .zip(&tree.point_height)
        .map(|(c, height)| memberships.of(*c, *height).label)
        .collect();
    let mut sizes = vec![0; numbers.len()];
    for (i, label) in labels.iter().enumerate() {
        if let Ok(label) = usize::try_from(*label) {
            sizes[label] += points.weight(i);
        }
    }
    let candidate = DensityCandidate {
        min_cluster_size,
        clusters: numbers.len(),
        noise: rows - sizes.iter().sum::<u64>(),
        stability: selected.clusters.iter().map(|cluster| selected.stability[*cluster as usize]).sum(),
        validity: relative_validity(&points.edges, &labels, points.weighted(), &sizes, rows),
    };
    Chosen { candidate, tree, selected }
}

fn reason(chosen: &DensityCandidate, candidates: &[DensityCandidate]) -> String {
    let size = chosen.min_cluster_size;
    match (candidates.len(), chosen.validity) {
        (1, _) => format!("min_cluster_size is fixed at {size} by the spec"),
        (_, Some(validity)) => {
            format!(
                "of {} sizes, clusters of at least {size} rows are the most valid ({validity:.4})",
                candidates.len()
            )
        }
        (_, None) => format!("none of {} sizes gives a cluster; the largest, {size}, is taken", candidates.len()),
    }
}

/// The least row id of each selected cluster: what tells apart clusters that are equal in all else. Read only where some are.
async fn least_ids(
    context: &StageContext<'_>,
    cells: &[CellPoints],
    points: &Points,
    chosen: &Chosen,
    sizes: &[u64],
    label: impl Fn(usize) -> i32,
) -> Result<Vec<u64>> {
    let mut least = vec![u64::MAX; sizes.len()];
    let mut keys: Vec<(u64, u64, u64)> = chosen
        .selected
        .clusters
        .iter()
        .zip(sizes)
        .map(|(cluster, size)| {
            let cluster = &chosen.tree.clusters[*cluster as usize];
            (*size, cluster.birth.to_bits(), cluster.death.to_bits())
        })
        .collect();
    keys.sort_unstable();
    if keys.windows(2).all(|pair| pair[0] != pair[1]) {
        return Ok(least);
    }
    for (cell, first) in cells.iter().zip(&points.first) {
        let ids = read_ids(&context.cluster.runtime(), &cell.points).await?;
        for (i, id) in ids.into_iter().enumerate() {
            if let Ok(label) = usize::try_from(label(*first as usize + i)) {
                least[label] = least[label].min(id);
            }
        }
    }
    Ok(least)
}
