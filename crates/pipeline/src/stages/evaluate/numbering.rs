//! The numbers of the segments: those of an earlier run, where they are the same segments.
//!
//! ```text
//!   centroids of then, in raw units ──the scalers of now──▶ matched one to one with the centroids of now, so that the distances
//!                                                           add up to the least; a pair is one segment where its two are nearer
//!                                                           to each other than half of how far each is from the others of its run
//! ```
//!
//! A segment that is new gets a number that none had before, so that a number never means two segments.

use datafusion::execution::runtime_env::RuntimeEnv;
use segmenta_algorithms::matching::best_matching;
use segmenta_algorithms::matrix::squared_distance;
use segmenta_algorithms::scalers::Scaler;
use segmenta_engine::{EngineError, Result};
use segmenta_results::manifest::read_manifest;
use segmenta_results::model::{KMeansModel, Model};
use segmenta_results::published::{document, read_whole};
use serde::{Deserialize, Serialize};

/// The segments of an earlier run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Previous {
    /// Each segment's number and its centroid, in raw units.
    pub clusters: Vec<PreviousCluster>,
    /// The least number that none has had.
    pub next_number: i32,
}

/// A segment of an earlier run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreviousCluster {
    /// Its number.
    pub cluster: i32,
    /// In raw units.
    pub centroid: Vec<f64>,
}

/// The numbers of the clusters of now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbering {
    /// By cluster.
    pub(super) numbers: Vec<i32>,
    /// The least number that none has had.
    pub(super) next_number: i32,
}

impl Numbering {
    /// Clusters `0..k` by themselves.
    pub(super) fn by_cluster(k: usize) -> Self {
        Self { numbers: (0..k as i32).collect(), next_number: k as i32 }
    }
}

impl Previous {
    /// From the model that is published under `output`, a URL that ends in `/`.
    ///
    /// # Errors
    /// None there, or one of another form or of other features.
    pub async fn read(runtime: &RuntimeEnv, output: &str, features: &[String]) -> Result<Self> {
        let url = format!("{output}model.json");
        let broken = |what: String| EngineError::spec(format!("previous: {url}: {what}"));
        if read_manifest(runtime, output).await.map_err(|error| broken(error.message))?.is_none() {
            let what = "there is no model; name the output of an earlier run, or leave `previous` out of the first one";
            return Err(broken(what.into()));
        }
        let read = async |manifest| document::<Model>(runtime, output, &manifest, "model.json").await;
        let model = read_whole(runtime, output, read).await.map_err(|error| broken(error.message))?;
        if model.features != features {
            return Err(broken(format!(
                "its features are {}, not {}; segments can be compared by the same features alone",
                model.features.join(", "),
                features.join(", ")
            )));
        }
        let KMeansModel { clusters, next_number, .. } = model.kmeans;
        let clusters: Vec<PreviousCluster> = { clusters.into_iter() }
            .map(|cluster| PreviousCluster { cluster: cluster.cluster, centroid: cluster.centroid })
            .collect();
        let sound = |cluster: &PreviousCluster| {
            cluster.centroid.len() == features.len() && (0..next_number).contains(&cluster.cluster)
        };
        if !clusters.iter().all(sound) {
            return Err(broken("its parts do not fit together; publish it anew".into()));
        }
        Ok(Self { clusters, next_number })
    }

    /// The numbers of clusters of now, given by their scaled centroids.
    pub(super) fn number(&self, centroids: &[f64], scalers: &[Scaler]) -> Result<Numbering> {
        let d = scalers.len().max(1);
        let now: Vec<&[f64]> = centroids.chunks_exact(d).collect();
        let scale = |cluster: &PreviousCluster| -> Vec<f64> {
            cluster.centroid.iter().zip(scalers).map(|(value, scaler)| scaler.apply(*value)).collect()
        };
        let then: Vec<Vec<f64>> = self.clusters.iter().map(scale).collect();
        let scores: Vec<f64> = now.iter().flat_map(|now| then.iter().map(|then| -distance(now, then))).collect();
        let matched = best_matching(&scores, now.len(), then.len())
            .map_err(|error| EngineError::job(format!("evaluate: the segments cannot be matched: {error}")))?;
        let apart = |all: &[&[f64]], one: usize| {
            let others = all.iter().enumerate().filter(|(other, _)| *other != one);
            others.map(|(_, other)| distance(other, all[one])).fold(f64::INFINITY, f64::min)
        };
        let then: Vec<&[f64]> = then.iter().map(Vec::as_slice).collect();
        let mut next_number = self.next_number;
        let number = |(cluster, matched): (usize, &Option<usize>)| {
            let same = matched.filter(|earlier| {
                let reach = apart(&now, cluster).min(apart(&then, *earlier)) / 2.0;
                distance(now[cluster], then[*earlier]) < reach
            });
            same.map(|earlier| self.clusters[earlier].cluster).unwrap_or_else(|| {
                next_number += 1;
                next_number - 1
            })
        };
        let numbers = matched.iter().enumerate().map(number).collect();
        Ok(Numbering { numbers, next_number })
    }
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
        // Scaled by 2: what is 10 in raw units is at 5.
        let numbering = previous.number(centroids, &[Scaler::new(Transform::None, 0.0, 2.0)]).unwrap();
        (numbering.numbers, numbering.next_number)
    }

    #[test]
    fn segments_keep_their_numbers() {
        let then = previous(&[(0, 0.0), (4, 20.0), (2, 40.0)], 6);
        assert_eq!(numbers(&then, &[20.5, 0.3, 9.8]), (vec![2, 0, 4], 6));
        // One is gone, and its number with it; one is new, and gets one that none had.
        assert_eq!(numbers(&then, &[9.8, 60.0, 0.1]), (vec![4, 6, 0], 7));
        // Two now where one was: the nearer one goes on.
        assert_eq!(numbers(&then, &[0.0, 20.1, 9.9, 26.0]), (vec![0, 2, 4, 6], 7));
    }

    #[test]
    fn what_is_far_from_what_it_was_is_another_segment() {
        let then = previous(&[(0, 0.0), (1, 20.0)], 2);
        assert_eq!(numbers(&then, &[0.0, 16.0]), (vec![0, 2], 3));
        // A single segment is itself.
        assert_eq!(numbers(&previous(&[(3, 0.0)], 5), &[100.0]), (vec![3], 5));
    }
}
