//! Bisecting K-Means: Steinbach, Karypis and Kumar, "A Comparison of Document Clustering Techniques" (KDD Workshop 2000).
//!
//! All rows are one cluster; the cluster of the largest inertia is split in two by K-Means, until there are `k`. The clusterings
//! of a sweep are nested, so one run to the largest k makes all of them:
//!
//! ```text
//!   leaves that were not tried yet ──▶ two centroids each ──▶ one tree, one pass a step for all of them ──▶ converged
//!   the leaf with the largest inertia is split as it was tried; its halves are leaves that were not tried yet
//! ```
//!
//! The leaf is chosen as by scikit-learn's `bisecting_strategy="biggest_inertia"`. Leaves are tried before it is their
//! turn, because that costs no extra pass. Rows are assigned by going down the tree ([`Centers`]), as in scikit-learn
//! and Spark.

use super::assign::{Assigner, Partial};
use super::centers::{Branch, Centers, Split};
use super::clustering::Clustering;
use crate::rows::squared_distance;

/// A clustering out of a [`Bisection`].
#[derive(Debug, Clone, PartialEq)]
pub struct Bisected {
    /// The clusters. If there were no rows left to split, the last ones are empty.
    pub clustering: Clustering,
    /// Steps of all splits together.
    pub iterations: usize,
    /// Splits that were stopped by the limit of steps.
    pub unsettled: usize,
}

/// One side of a split, or the whole.
#[derive(Debug, Clone)]
struct Half {
    centroid: Vec<f64>,
    mean: Vec<f64>,
    count: u64,
    within: f64,
    inertia: f64,
}

#[derive(Debug, Clone)]
enum Trial {
    /// Not tried yet.
    Untried,
    /// `2 x d`, after this many steps.
    Running(Vec<f64>, usize),
    /// The halves, after this many steps, and whether their centroids had stopped moving.
    Settled(Box<[Half; 2]>, usize, bool),
    /// All rows are on one side.
    Indivisible,
}

#[derive(Debug, Clone)]
struct Node {
    half: Half,
    trial: Trial,
    /// The nodes of its halves, once it is split.
    children: Option<[usize; 2]>,
}

/// The driver's side of bisecting K-Means for one run.
#[derive(Debug, Clone)]
pub struct Bisection {
    features: usize,
    tolerance: f64,
    max_iterations: usize,
    nodes: Vec<Node>,
    /// Nodes in the order in which they were split.
    order: Vec<usize>,
    largest: usize,
}

impl Bisection {
    /// Makes up to `largest` clusters from the merged partial, inertia included, that a pass by `assigner` found over
    /// all rows: a pass with a single centroid near their mean. `tolerance` (absolute) and `max_iterations` apply to
    /// each split, as in [`super::Lloyd`].
    #[must_use]
    pub fn new(assigner: &Assigner, partial: &Partial, largest: usize, tolerance: f64, max_iterations: usize) -> Self {
        let features = assigner.centers().columns();
        let halves = halves(assigner, partial);
        let root = halves.into_iter().map(|half| Node { half, trial: Trial::Untried, children: None });
        Self { features, tolerance, max_iterations, nodes: root.take(1).collect(), order: vec![], largest }
    }

    /// Leaves that need a start, with their clusters in [`Bisection::current`].
    #[must_use]
    pub fn untried(&self) -> Vec<usize> {
        if self.order.len() + 1 >= self.largest {
            return vec![];
        }
        let leaves = self.leaves(self.order.len());
        (0..leaves.len()).filter(|i| matches!(self.nodes[leaves[*i]].trial, Trial::Untried)).collect()
    }

    /// The clustering so far.
    #[must_use]
    pub fn current(&self) -> Centers {
        self.centers(self.order.len())
    }

    /// Starts to split cluster `leaf` of [`Bisection::current`] from these centroids (`2 x d`). Without any, from its mean, moved both
    /// ways by its spread.
    pub fn begin(&mut self, leaf: usize, start: Option<Vec<f64>>) {
        let node = self.leaves(self.order.len())[leaf];
        let half = &self.nodes[node].half;
        let spread = (half.within / (half.count.max(1) as f64 * self.features.max(1) as f64)).sqrt();
        let apart = || {
            [-spread, spread].iter().flat_map(|by| half.mean.iter().map(move |value| value + by)).collect::<Vec<f64>>()
        };
        self.nodes[node].trial = match start {
            Some(centroids) => Trial::Running(centroids, 0),
            None if spread.is_finite() && spread > 0.0 => Trial::Running(apart(), 0),
            None => Trial::Indivisible,
        };
        self.split_what_is_settled();
    }

    /// The centers for the next pass: the clustering so far, with the leaves that are being tried split. `None` when
    /// all is done.
    #[must_use]
    pub fn trial(&self) -> Option<Centers> {
        if self.order.len() + 1 >= self.largest {
            // Leaves that were tried before their turn are no longer needed.
            return None;
        }
        let leaves = self.leaves(self.order.len());
        leaves.iter().any(|leaf| matches!(self.nodes[*leaf].trial, Trial::Running(..))).then(|| {
            let mut build = Build::default();
            self.build(0, self.order.len(), true, &mut build);
            Centers::tree(build.centroids, self.features, build.splits)
        })
    }

    /// One step from the merged partial, inertia included, of a pass by `assigner` with [`Bisection::trial`].
    pub fn step(&mut self, assigner: &Assigner, partial: &Partial) {
        let mut halves = halves(assigner, partial).into_iter();
        for leaf in self.leaves(self.order.len()) {
            let Trial::Running(centroids, steps) = &mut self.nodes[leaf].trial else {
                halves.next();
                continue;
            };
            let (Some(first), Some(second)) = (halves.next(), halves.next()) else { return };
            let halves = [first, second];
            let moved: f64 = halves.iter().map(|half| squared_distance(&half.centroid, &half.mean)).sum();
            *steps += 1;
            let rests = moved <= self.tolerance;
            if halves.iter().any(|half| half.count == 0) {
                self.nodes[leaf].trial = Trial::Indivisible;
            } else if rests || *steps >= self.max_iterations {
                self.nodes[leaf].trial = Trial::Settled(Box::new(halves), *steps, rests);
            } else {
                *centroids = halves.iter().flat_map(|half| half.mean.iter().copied()).collect();
            }
        }
        self.split_what_is_settled();
    }

    /// Splits leaves when it is their turn, as far as they were tried.
    fn split_what_is_settled(&mut self) {
        while self.order.len() + 1 < self.largest {
            let divisible = |leaf: &usize| {
                !matches!(self.nodes[*leaf].trial, Trial::Indivisible) && self.nodes[*leaf].half.within > 0.0
            };
            let leaves = self.leaves(self.order.len()).into_iter().filter(divisible);
            let widest = leaves.reduce(|widest, leaf| {
                if self.nodes[leaf].half.within > self.nodes[widest].half.within { leaf } else { widest }
            });
            let Some(widest) = widest else { return };
            let Trial::Settled(halves, ..) = self.nodes[widest].trial.clone() else { return };
            let first = self.nodes.len();
            self.nodes[widest].children = Some([first, first + 1]);
            self.order.push(widest);
            self.nodes.extend(halves.into_iter().map(|half| Node { half, trial: Trial::Untried, children: None }));
        }
    }

    /// Whether `node` is among the first `splits` that were split.
    fn is_split(&self, node: usize, splits: usize) -> Option<[usize; 2]> {
        self.nodes[node].children.filter(|_| self.order[..splits].contains(&node))
    }

    /// Leaves after so many splits, in the order of their clusters: that of the tree.
    fn leaves(&self, splits: usize) -> Vec<usize> {
        let (mut leaves, mut stack) = (vec![], vec![0]);
        while let Some(node) = stack.pop() {
            match self.is_split(node, splits) {
                Some([first, second]) => stack.extend([second, first]),
                None => leaves.push(node),
            }
        }
        leaves
    }

    fn centers(&self, splits: usize) -> Centers {
        let mut build = Build::default();
        self.build(0, splits, false, &mut build);
        Centers::tree(build.centroids, self.features, build.splits)
    }

    fn build(&self, node: usize, splits: usize, with_trials: bool, build: &mut Build) -> Branch {
        let at = build.splits.len();
        let cluster = Branch::Cluster((build.centroids.len() / self.features.max(1)) as u32);
        if let Some([first, second]) = self.is_split(node, splits) {
            let centroids =
                [first, second].iter().flat_map(|child| self.nodes[*child].half.centroid.iter().copied()).collect();
            build.splits.push(Split { centroids, below: [cluster; 2] });
            build.splits[at].below[0] = self.build(first, splits, with_trials, build);
            build.splits[at].below[1] = self.build(second, splits, with_trials, build);
            return Branch::Split(at as u32);
        }
        match &self.nodes[node].trial {
            Trial::Running(centroids, _) if with_trials => {
                let first = (build.centroids.len() / self.features.max(1)) as u32;
                build.splits.push(Split {
                    centroids: centroids.clone(),
                    below: [Branch::Cluster(first), Branch::Cluster(first + 1)],
                });
                build.centroids.extend_from_slice(centroids);
                Branch::Split(at as u32)
            }
            _ => {
                build.centroids.extend_from_slice(&self.nodes[node].half.centroid);
                cluster
            }
        }
    }

    /// The clustering into `k`, once [`Bisection::trial`] and [`Bisection::untried`] have nothing left. If rows could
    /// not be split that often, the last clusters are empty and have the centroid of the first.
    #[must_use]
    pub fn clustering(&self, k: usize) -> Bisected {
        let splits = k.saturating_sub(1).min(self.order.len());
        let leaves = self.leaves(splits);
        let centers = self.centers(splits);
        let empty = k.saturating_sub(leaves.len());
        let padded = |mut rows: Vec<f64>| {
            let first = rows.get(..self.features).map(<[f64]>::to_vec).unwrap_or_default();
            rows.extend(first.repeat(empty));
            rows
        };
        let of = |value: &dyn Fn(&Half) -> f64| {
            leaves.iter().map(|leaf| value(&self.nodes[*leaf].half)).collect::<Vec<f64>>()
        };
        let mut within = of(&|half| half.within);
        within.resize(k, 0.0);
        let mut counts: Vec<u64> = leaves.iter().map(|leaf| self.nodes[*leaf].half.count).collect();
        counts.resize(k, 0);
        let settled = self.order[..splits].iter().filter_map(|node| match &self.nodes[*node].trial {
            Trial::Settled(_, steps, rests) => Some((*steps, *rests)),
            _ => None,
        });
        let clustering = Clustering {
            centers: Centers::tree(padded(centers.centroids().to_vec()), self.features, centers.splits().to_vec()),
            means: padded(leaves.iter().flat_map(|leaf| self.nodes[*leaf].half.mean.iter().copied()).collect()),
            counts,
            within,
            inertia: of(&|half| half.inertia).iter().sum(),
        };
        Bisected {
            clustering,
            iterations: settled.clone().map(|(steps, _)| steps).sum(),
            unsettled: settled.filter(|(_, rests)| !rests).count(),
        }
    }
}

/// What a pass found of each cluster.
fn halves(assigner: &Assigner, partial: &Partial) -> Vec<Half> {
    let d = assigner.centers().columns();
    let inertias = assigner.inertias(partial);
    let Clustering { centers, means, counts, within, .. } = Clustering::new(assigner, partial);
    let half = |c: usize| Half {
        centroid: centers.centroids()[c * d..(c + 1) * d].to_vec(),
        mean: means[c * d..(c + 1) * d].to_vec(),
        count: counts[c],
        within: within[c],
        inertia: inertias[c],
    };
    (0..counts.len()).map(half).collect()
}

#[derive(Default)]
struct Build {
    centroids: Vec<f64>,
    splits: Vec<Split>,
}

#[cfg(test)]
mod tests {
    use super::super::local::best_of;
    use super::*;
    use crate::hashing::{mix, unit_interval};
    use crate::rows::{Rows, matrix};
    use crate::sums::Bounds;
    use ndarray::Array2;

    fn run(points: &Array2<f64>, largest: usize, with_starts: bool) -> (Bisection, usize) {
        let d = points.ncols();
        let mut bounds = vec![Bounds::default(); d];
        points.row_slices().for_each(|r| r.iter().zip(&mut bounds).for_each(|(v, b)| b.include(*v)));
        let pass = |centers: Centers| {
            let assigner = Assigner::new(centers, &bounds, 0);
            let mut partial = assigner.empty_partial();
            assigner.accumulate(points, &[], None, &mut partial);
            (assigner, partial)
        };
        let (assigner, partial) = pass(Centers::flat(points.row_slice(0).to_vec(), d));
        let mut bisection = Bisection::new(&assigner, &partial, largest, 1e-6, 100);
        let mut passes = 0;
        loop {
            let current = bisection.current();
            for leaf in bisection.untried() {
                let members: Vec<f64> =
                    points.row_slices().filter(|row| current.nearest(row).0 == leaf).flatten().copied().collect();
                let members = matrix(members, d);
                let start = best_of(&members, &vec![1.0; members.nrows()], 2, 7, 1).centroids;
                bisection.begin(leaf, with_starts.then_some(start));
            }
            let Some(trial) = bisection.trial() else {
                if bisection.untried().is_empty() {
                    return (bisection, passes);
                }
                continue;
            };
            let (assigner, partial) = pass(trial);
            bisection.step(&assigner, &partial);
            passes += 1;
        }
    }

    fn blobs() -> Array2<f64> {
        let value = |i: u64| {
            let (row, column) = (i / 2, i % 2);
            [[0.0, 0.0], [0.0, 20.0], [30.0, 0.0], [30.0, 9.0]][(row % 4) as usize][column as usize]
                + unit_interval(mix(i))
        };
        matrix((0..800).map(value).collect(), 2)
    }

    #[test]
    fn clusterings_are_nested_and_tell_what_they_hold() {
        let points = blobs();
        for with_starts in [true, false] {
            let (bisection, passes) = run(&points, 6, with_starts);
            assert!(passes < 60, "{passes}");
            let mut finer: Option<Vec<usize>> = None;
            for k in (2..=6).rev() {
                let clustering = bisection.clustering(k).clustering;
                assert!(clustering.centers.is_sound(2));
                let labels: Vec<usize> = points.row_slices().map(|row| clustering.centers.nearest(row).0).collect();
                let mut counts = vec![0; k];
                labels.iter().for_each(|label| counts[*label] += 1);
                assert_eq!(clustering.counts, counts);
                let mut sums = vec![[0.0; 2]; k];
                points
                    .row_slices()
                    .zip(&labels)
                    .for_each(|(row, label)| (0..2).for_each(|j| sums[*label][j] += row[j]));
                for (c, sum) in sums.iter().enumerate() {
                    for (j, sum) in sum.iter().enumerate() {
                        assert!((clustering.means[c * 2 + j] - sum / counts[c] as f64).abs() < 1e-9);
                    }
                }
                if let Some(finer) = &finer {
                    let mut parents = vec![None; k + 1];
                    for (label, fine) in labels.iter().zip(finer) {
                        assert_eq!(*parents[*fine].get_or_insert(*label), *label);
                    }
                }
                finer = Some(labels);
            }
            let four = bisection.clustering(4).clustering;
            assert_eq!(four.counts, [100; 4]);
        }
    }

    #[test]
    fn equal_rows_cannot_be_split() {
        let (bisection, _) = run(&matrix([1.0, 1.0, 5.0, 5.0, 5.0].to_vec(), 1), 4, true);
        let clustering = bisection.clustering(4).clustering;
        let mut counts = clustering.counts.clone();
        counts.sort_unstable();
        assert_eq!(counts, [0, 0, 2, 3]);
        assert!(clustering.centers.is_sound(1) && clustering.centers.k() == 4);
        for with_starts in [true, false] {
            let (bisection, passes) = run(&matrix(vec![2.0; 4], 1), 3, with_starts);
            let clustering = bisection.clustering(3).clustering;
            assert!(passes <= 2 && clustering.centers.k() == 3);
            assert_eq!((clustering.counts, clustering.inertia, clustering.means), (vec![4, 0, 0], 0.0, vec![2.0; 3]));
        }
    }
}
