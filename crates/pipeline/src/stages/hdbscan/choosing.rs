//! How the tree is cut: it is condensed for every size, and the most valid clustering is kept.

use segmenta_algorithms::hdbscan::condensed_tree::CondensedTree;
use segmenta_algorithms::hdbscan::membership::Memberships;
use segmenta_algorithms::hdbscan::selection::{Selected, select};
use segmenta_algorithms::hdbscan::validity::relative_validity;
use segmenta_engine::operators::hdbscan::{CellPoints, read_ids};
use segmenta_engine::{EngineError, Result};
use segmenta_results::clusterings::DensityCandidate;

use super::spanning_tree::Points;
use crate::stage::StageContext;
use segmenta_spec::{Hdbscan, MinClusterSize};

/// Shares of the rows that `min_cluster_size: auto` tries.
const AUTO_SHARES: [f64; 5] = [0.002, 0.005, 0.01, 0.02, 0.05];
const LEAST_AUTO: u64 = 5;

/// The clustering that is being chosen.
pub(super) struct Chosen {
    pub(super) candidate: DensityCandidate,
    pub(super) tree: CondensedTree,
    pub(super) selected: Selected,
}

/// The sizes that are tried.
///
/// # Errors
/// When more samples or larger clusters are asked for than there are rows.
pub(crate) fn cluster_sizes(settings: &Hdbscan, rows: u64) -> Result<Vec<u64>> {
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

/// Condenses for every size and keeps the most valid clustering; among equals, that of the largest size.
pub(super) fn choose(
    context: &StageContext<'_>,
    settings: &Hdbscan,
    points: &Points,
    sizes: &[u64],
    rows: u64,
) -> (Chosen, Vec<DensityCandidate>) {
    let mut candidates = Vec::with_capacity(sizes.len());
    let mut best: Option<Chosen> = None;
    for &min_cluster_size in sizes {
        let done = (candidates.len() * points.edges.len()) as u64;
        let total = (sizes.len() * points.edges.len()) as u64;
        let chosen = condense(settings, points, min_cluster_size, rows, &mut |edges| {
            context.step_progress(done + edges as u64, total);
        });
        candidates.push(chosen.candidate.clone());
        let better = best.as_ref().is_none_or(|best| chosen.candidate.validity >= best.candidate.validity);
        if better {
            best = Some(chosen);
        }
    }
    let chosen = best.unwrap_or_else(|| condense(settings, points, LEAST_AUTO, rows, &mut |_| {}));
    (chosen, candidates)
}

fn condense(
    settings: &Hdbscan,
    points: &Points,
    min_cluster_size: u64,
    rows: u64,
    progress: &mut dyn FnMut(usize),
) -> Chosen {
    let tree = CondensedTree::new(points.count, &points.edges, points.weighted(), min_cluster_size, progress);
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

pub(super) fn reason(chosen: &DensityCandidate, candidates: &[DensityCandidate]) -> String {
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

/// The least row id of each selected cluster, which orders clusters that are equal in everything else. Read only where
/// there are any.
pub(super) async fn least_ids(
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
