//! The numbers of the segments: those of an earlier run, where they are the same segments.
//!
//! ```text
//!   old centroids, in raw units ──the new scalers──▶ matched one to one with the new centroids, so that the sum
//!                                                of the distances is least; a pair is one segment if its two are
//!                                                nearer to each other than half of how far each is from the
//!                                                others of its run
//! ```
//!
//! A segment that is new gets a number that none had before, so that a number never means two segments.

use segmenta_algorithms::matching::best_matching;
use segmenta_algorithms::rows::squared_distance;
use segmenta_algorithms::scalers::Scaler;
use segmenta_engine::{EngineError, Result};

use crate::previous::{Previous, PreviousCluster};

/// The numbers of the new clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbering {
    /// In the order of the clusters.
    pub(super) numbers: Vec<i32>,
    /// The least number that no segment has had.
    pub(super) next_number: i32,
}

impl Numbering {
    /// Gives clusters `0..k` their own index as number.
    pub(super) fn by_cluster(k: usize) -> Self {
        Self { numbers: (0..k as i32).collect(), next_number: k as i32 }
    }
}

/// The numbers of the new clusters, given by their scaled centroids.
pub(super) fn number(previous: &Previous, centroids: &[f64], scalers: &[Scaler]) -> Result<Numbering> {
    let d = scalers.len().max(1);
    let now: Vec<&[f64]> = centroids.chunks_exact(d).collect();
    let scale = |cluster: &PreviousCluster| -> Vec<f64> {
        cluster.centroid.iter().zip(scalers).map(|(value, scaler)| scaler.apply(*value)).collect()
    };
    let then: Vec<Vec<f64>> = previous.clusters.iter().map(scale).collect();
    let scores: Vec<f64> = now.iter().flat_map(|now| then.iter().map(|then| -distance(now, then))).collect();
    let matched = best_matching(&scores, now.len(), then.len())
        .map_err(|error| EngineError::job(format!("evaluate: the segments cannot be matched: {error}")))?;
    let apart = |all: &[&[f64]], one: usize| {
        let others = all.iter().enumerate().filter(|(other, _)| *other != one);
        others.map(|(_, other)| distance(other, all[one])).fold(f64::INFINITY, f64::min)
    };
    let then: Vec<&[f64]> = then.iter().map(Vec::as_slice).collect();
    let mut next_number = previous.next_number;
    let number = |(cluster, matched): (usize, &Option<usize>)| {
        let same = matched.filter(|earlier| {
            let reach = apart(&now, cluster).min(apart(&then, *earlier)) / 2.0;
            distance(now[cluster], then[*earlier]) < reach
        });
        same.map(|earlier| previous.clusters[earlier].cluster).unwrap_or_else(|| {
            next_number += 1;
            next_number - 1
        })
    };
    let numbers = matched.iter().enumerate().map(number).collect();
    Ok(Numbering { numbers, next_number })
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    squared_distance(a, b).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use segmenta_algorithms::scalers::Transform;

    fn previous(clusters: &[(i32, f64)], next_number: i32) -> Previous {
        let cluster = |(cluster, at): &(i32, f64)| PreviousCluster { cluster: *cluster, centroid: vec![*at] };
        Previous { clusters: clusters.iter().map(cluster).collect(), next_number }
    }

    fn numbers(previous: &Previous, centroids: &[f64]) -> (Vec<i32>, i32) {
        // Scaled by 2, so 10 in raw units is at 5.
        let numbering = number(previous, centroids, &[Scaler::new(Transform::None, 0.0, 2.0)]).unwrap();
        (numbering.numbers, numbering.next_number)
    }

    #[test]
    fn segments_keep_their_numbers() {
        let then = previous(&[(0, 0.0), (4, 20.0), (2, 40.0)], 6);
        assert_eq!(numbers(&then, &[20.5, 0.3, 9.8]), (vec![2, 0, 4], 6));
        // One is gone, and its number with it. One is new, and gets a number that none had before.
        assert_eq!(numbers(&then, &[9.8, 60.0, 0.1]), (vec![4, 6, 0], 7));
        // There are two where one was: the nearer one keeps the number.
        assert_eq!(numbers(&then, &[0.0, 20.1, 9.9, 26.0]), (vec![0, 2, 4, 6], 7));
    }

    #[test]
    fn what_is_far_from_what_it_was_is_another_segment() {
        let then = previous(&[(0, 0.0), (1, 20.0)], 2);
        assert_eq!(numbers(&then, &[0.0, 16.0]), (vec![0, 2], 3));
        // A single segment always keeps its number.
        assert_eq!(numbers(&previous(&[(3, 0.0)], 5), &[100.0]), (vec![3], 5));
    }
}
