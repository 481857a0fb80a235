//! [`Centers`]: what rows are assigned by.
//!
//! ```text
//!   flat    the nearest of all centroids                      Lloyd, mini-batch
//!   tree    at each split the nearer of two, down to a leaf   bisecting
//! ```

use crate::rows::squared_distance;
use serde::{Deserialize, Serialize};

/// `k` centroids, and the splits that lead to them where rows go down a tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Centers {
    columns: usize,
    /// `k x d`, row-major.
    centroids: Vec<f64>,
    /// The root first, each before those below it; none where the nearest of all centroids is taken.
    #[serde(default)]
    splits: Vec<Split>,
}

/// One split of a tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// `2 x d`: a row goes to the nearer of the two, or to the first if both are equally near.
    pub centroids: Vec<f64>,
    /// Where it goes on.
    pub below: [Branch; 2],
}

/// A side of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Branch {
    /// Rows there are of this cluster.
    Cluster(u32),
    /// Rows there go on to this split.
    Split(u32),
}

impl Centers {
    /// Rows go to the nearest of these centroids (`k x d`, row-major; `columns` is `d`).
    #[must_use]
    pub fn flat(centroids: Vec<f64>, columns: usize) -> Self {
        Self { columns, centroids, splits: vec![] }
    }

    /// Rows go down `splits`, of which each comes before those below it, to one of `centroids` (`k x d`).
    #[must_use]
    pub fn tree(centroids: Vec<f64>, columns: usize, splits: Vec<Split>) -> Self {
        Self { columns, centroids, splits }
    }

    /// Number of clusters, `k`.
    #[must_use]
    pub fn k(&self) -> usize {
        self.centroids.len().checked_div(self.columns).unwrap_or(0)
    }

    /// Number of columns, `d`.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// `k x d`, row-major.
    #[must_use]
    pub fn centroids(&self) -> &[f64] {
        &self.centroids
    }

    /// The splits; none where the nearest of all centroids is taken.
    #[must_use]
    pub fn splits(&self) -> &[Split] {
        &self.splits
    }

    /// Whether these are centers over `columns` columns in which every row finds a cluster. To be called for centers
    /// that come from outside.
    #[must_use]
    pub fn is_sound(&self, columns: usize) -> bool {
        let goes_on = |at: usize, branch: &Branch| match branch {
            Branch::Cluster(cluster) => (*cluster as usize) < self.k(),
            Branch::Split(split) => (*split as usize) > at && (*split as usize) < self.splits.len(),
        };
        let mut splits = self.splits.iter().enumerate();
        columns > 0
            && self.columns == columns
            && self.k() > 0
            && self.centroids.len() == self.k() * columns
            && splits.all(|(at, split)| {
                split.centroids.len() == 2 * columns && split.below.iter().all(|branch| goes_on(at, branch))
            })
    }

    /// The cluster of `row` and the squared distance to its centroid; ties go to the lower index, in a tree to the first side.
    #[must_use]
    pub fn nearest(&self, row: &[f64]) -> (usize, f64) {
        let mut at = 0;
        while let Some(split) = self.splits.get(at) {
            let (first, second) = split.centroids.split_at(self.columns);
            let distances = [squared_distance(row, first), squared_distance(row, second)];
            let side = usize::from(distances[1] < distances[0]);
            match split.below[side] {
                Branch::Cluster(cluster) => return (cluster as usize, distances[side]),
                Branch::Split(split) => at = split as usize,
            }
        }
        let (mut best, mut least) = (0, f64::INFINITY);
        for (c, centroid) in self.centroids.chunks_exact(self.columns.max(1)).enumerate() {
            let distance = squared_distance(row, centroid);
            if distance < least {
                (best, least) = (c, distance);
            }
        }
        (best, least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_leads_to_its_leaves() {
        let splits = vec![
            Split { centroids: vec![0.0, 10.0], below: [Branch::Cluster(0), Branch::Split(1)] },
            Split { centroids: vec![8.0, 12.0], below: [Branch::Cluster(1), Branch::Cluster(2)] },
        ];
        let centers = Centers::tree(vec![0.0, 8.0, 12.0], 1, splits);
        assert!(centers.is_sound(1));
        let found: Vec<usize> = [-1.0, 4.9, 5.1, 9.0, 10.0, 99.0].map(|x| centers.nearest(&[x]).0).to_vec();
        // 4.9 is nearer to the centroid at 8 than to that at 0, but the tree decides.
        assert_eq!(found, [0, 0, 1, 1, 1, 2]);
        assert_eq!(centers.nearest(&[9.0]).1, 1.0);
    }

    #[test]
    fn what_leads_nowhere_is_not_sound() {
        let with = |below| Centers::tree(vec![0.0, 1.0], 1, vec![Split { centroids: vec![0.0, 1.0], below }]);
        assert!(with([Branch::Cluster(0), Branch::Cluster(1)]).is_sound(1));
        for below in [[Branch::Cluster(0), Branch::Cluster(2)], [Branch::Split(0), Branch::Cluster(1)]] {
            assert!(!with(below).is_sound(1));
        }
        assert!(!Centers::flat(vec![0.0; 3], 2).is_sound(2) && !Centers::flat(vec![], 2).is_sound(2));
    }
}
