//! Labels, probabilities and outlier scores, from where a point falls out of the condensed tree.

use serde::{Deserialize, Serialize};

use super::condensed_tree::{CondensedCluster, lambda};
use super::selection::{Selected, SelectionOptions};

/// What a point is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Membership {
    /// Cluster, from 0; -1 for noise.
    pub label: i32,
    /// How firmly it belongs to the cluster, 0 to 1; 0 for noise.
    pub probability: f64,
    /// GLOSH outlier score, 0 to 1: how much sparser the point is than the densest point of the cluster that it falls
    /// out of, its subclusters included.
    pub outlier_score: f64,
}

/// A table, by cluster of the condensed tree, that tells what a point is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Memberships {
    by_cluster: Vec<Entry>,
    /// The least lambda of a member, if only the root is selected: that of the epsilon, if there is one, otherwise that
    /// at which the root splits or ends.
    least_of_root: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Entry {
    label: i32,
    /// Largest lambda of what falls out of the selected cluster itself.
    largest_of_selected: f64,
    /// Largest lambda below the cluster.
    largest_below: f64,
}

impl Memberships {
    /// The table for a selection. `labels[i]` is the label of the `i`-th selected cluster.
    #[must_use]
    pub fn new(clusters: &[CondensedCluster], selected: &Selected, labels: &[i32], options: &SelectionOptions) -> Self {
        let none = Entry { label: -1, largest_of_selected: 0.0, largest_below: 0.0 };
        let mut by_cluster = vec![none; clusters.len()];
        for (i, cluster) in clusters.iter().enumerate() {
            by_cluster[i].largest_below = lambda(cluster.death);
            match selected.clusters.binary_search(&(i as u32)) {
                Ok(at) => {
                    by_cluster[i].label = labels[at];
                    by_cluster[i].largest_of_selected = lambda(cluster.death);
                }
                Err(_) => {
                    if let Some(parent) = cluster.parent {
                        let parent = by_cluster[parent as usize];
                        by_cluster[i].label = parent.label;
                        by_cluster[i].largest_of_selected = parent.largest_of_selected;
                    }
                }
            }
        }
        for i in (0..clusters.len()).rev() {
            if let Some(parent) = clusters[i].parent {
                let below = by_cluster[i].largest_below;
                let parent = &mut by_cluster[parent as usize];
                parent.largest_below = parent.largest_below.max(below);
            }
        }
        let least_of_root = (selected.clusters == [0]).then(|| {
            if options.cluster_selection_epsilon > 0.0 {
                lambda(options.cluster_selection_epsilon)
            } else {
                clusters.first().map_or(0.0, |root| lambda(root.death))
            }
        });
        Self { by_cluster, least_of_root }
    }

    /// The membership of a point that falls out of `cluster` at the distance `height`.
    #[must_use]
    pub fn of(&self, cluster: u32, height: f64) -> Membership {
        let entry = self.by_cluster[cluster as usize];
        let lambda = lambda(height);
        let outlier_score = if entry.largest_below == 0.0 || lambda.is_infinite() {
            0.0
        } else if entry.largest_below.is_infinite() {
            1.0
        } else {
            // A new row may be nearer to its neighbours than any that the tree was grown over.
            ((entry.largest_below - lambda) / entry.largest_below).max(0.0)
        };
        let is_noise = entry.label < 0 || self.least_of_root.is_some_and(|least| lambda < least);
        if is_noise {
            return Membership { label: -1, probability: 0.0, outlier_score };
        }
        let largest = entry.largest_of_selected;
        let probability = if largest == 0.0 || lambda.is_infinite() {
            1.0
        } else if largest.is_infinite() {
            0.0
        } else {
            lambda.min(largest) / largest
        };
        Membership { label: entry.label, probability, outlier_score }
    }
}

/// Orders selected clusters for their labels: the one with the most rows is 0; ties by birth, death, then `tie_break`, which
/// has to be a property of the data. `sizes` and `tie_break` are by selected cluster; the result is the label of each.
#[must_use]
pub fn label_order(clusters: &[CondensedCluster], selected: &Selected, sizes: &[u64], tie_break: &[u64]) -> Vec<i32> {
    let mut order: Vec<usize> = (0..selected.clusters.len()).collect();
    let cluster = |i: usize| &clusters[selected.clusters[i] as usize];
    order.sort_by(|&a, &b| {
        (sizes[b].cmp(&sizes[a]))
            .then(cluster(b).birth.total_cmp(&cluster(a).birth))
            .then(cluster(b).death.total_cmp(&cluster(a).death))
            .then(tie_break[a].cmp(&tie_break[b]))
    });
    let mut labels = vec![0; order.len()];
    order.iter().zip(0..).for_each(|(i, label)| labels[*i] = label);
    labels
}

/// Cluster persistence as in the hdbscan package: the stability divided by what it would be if every row were as dense
/// as the densest of the data, 0 to 1. `rows` are those with the cluster's label.
#[must_use]
pub fn persistence(stability: f64, rows: u64, largest_lambda: f64) -> f64 {
    if largest_lambda.is_infinite() || largest_lambda == 0.0 || rows == 0 {
        1.0
    } else {
        stability / (rows as f64 * largest_lambda)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hdbscan::selection::SelectionMethod;

    #[test]
    fn a_new_row_may_be_denser_than_all_before() {
        let cluster = |parent, birth, death| CondensedCluster { parent, birth, death, size: 10, stability: 0.0 };
        let tree = [cluster(None, f64::INFINITY, 4.0), cluster(Some(0), 4.0, 1.0), cluster(Some(0), 4.0, 2.0)];
        let selected = Selected { clusters: vec![1, 2], stability: vec![] };
        let options = SelectionOptions {
            method: SelectionMethod::Eom,
            cluster_selection_epsilon: 0.0,
            max_cluster_size: None,
            allow_single_cluster: false,
        };
        let memberships = Memberships::new(&tree, &selected, &[0, 1], &options);
        let at = |height: f64| memberships.of(1, height);
        assert_eq!((at(2.0).outlier_score, at(2.0).probability), (0.5, 0.5));
        assert_eq!((at(1.0).outlier_score, at(1.0).probability), (0.0, 1.0));
        assert_eq!((at(0.01).outlier_score, at(0.01).probability), (0.0, 1.0), "and not beyond 0 to 1");
    }
}
