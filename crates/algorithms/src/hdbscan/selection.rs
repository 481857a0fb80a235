//! Which clusters of the condensed tree are the answer.

use serde::{Deserialize, Serialize};

use super::condensed_tree::CondensedCluster;

/// How clusters are selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelectionMethod {
    /// Excess of mass: those that persist longest, weighed by their rows.
    Eom,
    /// The leaves, which are the finest clusters. A root that never splits is a leaf, if it may be selected (hdbscan
    /// and scikit-learn select nothing there).
    Leaf,
}

/// Settings of [`select`], as scikit-learn has them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SelectionOptions {
    /// The method.
    pub method: SelectionMethod,
    /// Clusters born below this distance give way to their ancestors; 0 for none.
    pub cluster_selection_epsilon: f64,
    /// Excess of mass does not select larger ones.
    pub max_cluster_size: Option<u64>,
    /// Whether the root may be selected.
    pub allow_single_cluster: bool,
}

/// What was selected.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    /// Cluster ids, ascending; none is an ancestor of another.
    pub clusters: Vec<u32>,
    /// For each cluster, its stability or that of its descendants together, whichever is larger.
    pub stability: Vec<f64>,
}

/// Stabilities that differ by less, relatively, are equal: they are sums of many rounded terms, and often the same in counted
/// data.
const EQUAL: f64 = 1e-9;

/// Selects clusters of a condensed tree (parents before children), as hdbscan and scikit-learn do. A cluster that is as stable as
/// its descendants together is taken in their place.
#[must_use]
pub fn select(clusters: &[CondensedCluster], options: &SelectionOptions) -> Selected {
    let n = clusters.len();
    let mut stability: Vec<f64> = clusters.iter().map(|cluster| cluster.stability).collect();
    let is_parent = {
        let mut is_parent = vec![false; n];
        clusters.iter().filter_map(|cluster| cluster.parent).for_each(|parent| is_parent[parent as usize] = true);
        is_parent
    };
    let mut selected = vec![false; n];
    match options.method {
        SelectionMethod::Leaf => {
            let first = usize::from(!options.allow_single_cluster);
            (first..n).for_each(|i| selected[i] = !is_parent[i]);
            if options.cluster_selection_epsilon > 0.0 {
                selected = above_epsilon(clusters, &selected, options);
            }
        }
        SelectionMethod::Eom => {
            let mut below = vec![0.0; n];
            let first = usize::from(!options.allow_single_cluster);
            for i in (first..n).rev() {
                let too_large = options.max_cluster_size.is_some_and(|most| clusters[i].size > most);
                if below[i] > stability[i] * (1.0 + EQUAL) || too_large {
                    stability[i] = below[i];
                } else {
                    selected[i] = true;
                }
                if let Some(parent) = clusters[i].parent {
                    below[parent as usize] += stability[i];
                }
            }
            keep_topmost(clusters, &mut selected);
            let only_root = selected.first().copied().unwrap_or_default();
            if options.cluster_selection_epsilon > 0.0 && !only_root {
                selected = above_epsilon(clusters, &selected, options);
            }
        }
    }
    let clusters = (0..n as u32).filter(|i| selected[*i as usize]).collect();
    Selected { clusters, stability }
}

/// Of selected clusters that contain each other, only the outermost stay.
fn keep_topmost(clusters: &[CondensedCluster], selected: &mut [bool]) {
    let mut covered = vec![false; clusters.len()];
    for (i, cluster) in clusters.iter().enumerate() {
        if let Some(parent) = cluster.parent {
            covered[i] = covered[parent as usize] || selected[parent as usize];
        }
        selected[i] &= !covered[i];
    }
}

/// Replaces clusters that are born below the threshold by the first ancestor that is not, or by the one next to the root.
fn above_epsilon(clusters: &[CondensedCluster], selected: &[bool], options: &SelectionOptions) -> Vec<bool> {
    let mut result = vec![false; clusters.len()];
    for start in (0..clusters.len()).filter(|i| selected[*i]) {
        let mut cluster = start;
        while clusters[cluster].birth < options.cluster_selection_epsilon {
            match clusters[cluster].parent.map(|parent| parent as usize) {
                None => break,
                Some(0) if !options.allow_single_cluster => break,
                Some(parent) => cluster = parent,
            }
        }
        result[cluster] = true;
    }
    keep_topmost(clusters, &mut result);
    result
}
