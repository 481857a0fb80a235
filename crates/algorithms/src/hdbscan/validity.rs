//! Relative validity: DBCV (Moulavi et al. 2014) as the hdbscan package approximates it from the spanning tree.

use super::condensed_tree::{Edge, WeightedPoints};

/// The weighted mean over clusters of (separation - sparseness) / max of the two, -1 to 1, more is better. Sparseness is the
/// longest edge of the spanning tree within a cluster, separation the shortest that leads to another. `sizes` are the rows
/// of each label, `rows` all of them, noise included. `None` without a cluster.
#[must_use]
pub fn relative_validity(
    edges: &[Edge],
    labels: &[i32],
    points: Option<WeightedPoints<'_>>,
    sizes: &[u64],
    rows: u64,
) -> Option<f64> {
    let k = sizes.len();
    if k == 0 {
        return None;
    }
    let mut sparseness = vec![0.0f64; k];
    let mut separation = vec![f64::INFINITY; k];
    let (mut longest, mut to_noise) = (0.0f64, f64::INFINITY);
    for edge in edges {
        longest = longest.max(edge.distance);
        match (labels[edge.a as usize], labels[edge.b as usize]) {
            (-1, -1) => {}
            (-1, _) | (_, -1) => to_noise = to_noise.min(edge.distance),
            (a, b) if a == b => sparseness[a as usize] = sparseness[a as usize].max(edge.distance),
            (a, b) => {
                for label in [a, b] {
                    separation[label as usize] = separation[label as usize].min(edge.distance);
                }
            }
        }
    }
    if let Some(points) = points {
        // The edges between the rows of a point are as long as its core distance.
        for ((label, weight), core) in labels.iter().zip(points.weights).zip(points.core_distances) {
            if *weight > 1 {
                longest = longest.max(*core);
                if *label >= 0 {
                    sparseness[*label as usize] = sparseness[*label as usize].max(*core);
                }
            }
        }
    }
    let to_noise = if to_noise.is_infinite() { longest } else { to_noise };
    let island = 2.0 * if k > 1 { longest } else { to_noise };
    let mut sum = 0.0;
    for ((sparse, separate), size) in sparseness.iter().zip(separation).zip(sizes) {
        let separate = if separate.is_infinite() { island } else { separate };
        let larger = separate.max(*sparse);
        if larger > 0.0 {
            sum += *size as f64 * (separate - sparse) / larger;
        }
    }
    Some(sum / rows as f64)
}
