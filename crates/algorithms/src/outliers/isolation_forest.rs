//! An isolation forest: outliers are rows that few random splits set apart.
//!
//! Each tree is grown on a small sample of the rows, by splits at a random value of a random feature, down to single
//! rows or to the depth of an average leaf. The path of a row is the depth at which it ends, plus what a search tree
//! over the rows left there would add. Its score is `2^(-mean path / c(n))`, where `c(n)` is the average path in a
//! search tree of `n` rows. It is near 1 for outliers, and about 0.5 for all rows if there are no outliers.
//!
//! Reference: Liu, Ting and Zhou, Isolation Forest, ICDM 2008, and Isolation-Based Anomaly Detection, ACM TKDD 2012.
//! scikit-learn's `score_samples` is minus the score.

use serde::{Deserialize, Serialize};

use crate::hashing::{combine, unit_interval};

/// Most levels of a tree; trees have at most 2^32 rows each.
const MOST_LEVELS: u32 = 32;
/// Rows that go down a tree side by side: their steps do not wait for each other.
const ABREAST: usize = 16;

/// One node. Trees lie one behind the other, parents before their children.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Node {
    /// Rows of values up to this go left.
    threshold: f64,
    /// For a leaf, the path of rows that end in it; for other nodes, the path of rows that would end there.
    path: f64,
    /// Left and right; a leaf itself.
    children: [u32; 2],
    feature: u32,
    /// Rows of the sample.
    rows: u32,
}

/// A forest. Holds 32 bytes a node, and up to two nodes for each row that a tree is grown on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IsolationForest {
    features: usize,
    /// Rows that each tree is grown on.
    rows: usize,
    /// Levels below the root of the deepest tree.
    levels: u32,
    /// The first node of each tree.
    roots: Vec<u32>,
    nodes: Vec<Node>,
}

impl IsolationForest {
    /// Grows `trees` trees, each on `rows` rows drawn without replacement from the `sample` (`n x d`, row-major, no NaN), or on all
    /// where there are no more. The forest is a function of its arguments: the order of the sample matters. Of fewer than
    /// two rows, every score is 0.5.
    #[must_use]
    pub fn grow(sample: &[f64], features: usize, trees: usize, rows: usize, seed: u64) -> Self {
        let drawn = sample.len() / features.max(1);
        let rows = rows.min(drawn);
        let mut forest = Self { features, rows, levels: 0, roots: vec![], nodes: vec![] };
        let depth = libm::log2(rows.max(1) as f64).ceil() as u32;
        let mut order: Vec<u32> = (0..drawn as u32).collect();
        for tree in 0..trees.max(1) {
            let seed = combine(seed, tree as u64);
            for i in 0..rows {
                let other = i + (combine(seed, i as u64) % (drawn - i) as u64) as usize;
                order.swap(i, other);
            }
            forest.roots.push(forest.nodes.len() as u32);
            // The seed differs, so that the draws of the nodes are not those of the rows.
            let mut growth = Growth { sample, features, depth, seed: combine(seed, u64::MAX), forest: &mut forest };
            growth.node(&mut order[..rows], 0);
        }
        forest
    }

    /// The score of each row (`n x d`, row-major, no NaN), in (0, 1]. The same for any batches of rows.
    #[must_use]
    pub fn scores(&self, rows: &[f64]) -> Vec<f64> {
        let expected = average_path(self.rows as u32);
        if expected == 0.0 {
            return vec![0.5; rows.len() / self.features.max(1)];
        }
        let mut scores = Vec::with_capacity(rows.len() / self.features.max(1));
        for rows in rows.chunks(ABREAST * self.features.max(1)) {
            let mut paths = [0.0; ABREAST];
            let count = rows.len() / self.features;
            for root in &self.roots {
                let mut at = [*root; ABREAST];
                for _ in 0..self.levels {
                    for (i, at) in at[..count].iter_mut().enumerate() {
                        let node = &self.nodes[*at as usize];
                        let value = rows[i * self.features + node.feature as usize];
                        *at = node.children[usize::from(value > node.threshold)];
                    }
                }
                for (path, at) in paths.iter_mut().zip(&at[..count]) {
                    *path += self.nodes[*at as usize].path;
                }
            }
            let score = |path: &f64| libm::exp2(-path / self.roots.len() as f64 / expected);
            scores.extend(paths[..count].iter().map(score));
        }
        scores
    }

    /// The feature that isolates a row (`d` values) the most: the one whose splits on its way down the trees shorten its path the most
    /// against what a split does on average. The first of several.
    #[must_use]
    pub fn reason(&self, row: &[f64]) -> usize {
        let mut gains = vec![0.0; self.features];
        for root in &self.roots {
            let mut node = &self.nodes[*root as usize];
            for _ in 0..self.levels {
                let child =
                    &self.nodes[node.children[usize::from(row[node.feature as usize] > node.threshold)] as usize];
                if std::ptr::eq(node, child) {
                    break;
                }
                gains[node.feature as usize] += average_path(node.rows) - 1.0 - average_path(child.rows);
                node = child;
            }
        }
        let best = (0..self.features).rev().max_by(|a, b| gains[*a].total_cmp(&gains[*b]));
        best.unwrap_or_default()
    }

    /// Whether it can score rows with this many features. To be called for a forest that comes from outside.
    #[must_use]
    pub fn is_sound(&self, features: usize) -> bool {
        let count = self.nodes.len();
        let sound = |(i, node): (usize, &Node)| {
            let is_leaf = node.children == [i as u32; 2];
            let inner = || node.children.iter().all(|child| (*child as usize) > i && (*child as usize) < count);
            node.threshold.is_finite()
                && (0.0..1e9).contains(&node.path)
                && (node.feature as usize) < features
                && (is_leaf || inner())
        };
        self.features == features
            && self.levels <= MOST_LEVELS
            && self.rows <= u32::MAX as usize
            && !self.roots.is_empty()
            && self.roots.iter().all(|root| (*root as usize) < count)
            && self.nodes.iter().enumerate().all(sound)
    }
}

/// The average path to a row in a search tree of `rows` random rows, `2 H(n - 1) - 2 (n - 1) / n`.
fn average_path(rows: u32) -> f64 {
    const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
    match rows {
        0 | 1 => 0.0,
        2 => 1.0,
        rows => {
            let n = f64::from(rows);
            // The harmonic number, as scikit-learn takes it.
            2.0 * (libm::log(n - 1.0) + EULER_GAMMA) - 2.0 * (n - 1.0) / n
        }
    }
}

struct Growth<'a> {
    sample: &'a [f64],
    features: usize,
    depth: u32,
    seed: u64,
    forest: &'a mut IsolationForest,
}

impl Growth<'_> {
    /// Grows the node of some rows of the sample at a level, and all below it.
    fn node(&mut self, rows: &mut [u32], level: u32) -> u32 {
        let at = self.forest.nodes.len() as u32;
        let count = rows.len() as u32;
        let path = f64::from(level) + average_path(count);
        self.forest.nodes.push(Node { threshold: 0.0, path, children: [at; 2], feature: 0, rows: count });
        self.forest.levels = self.forest.levels.max(level);
        if level == self.depth || count <= 1 {
            return at;
        }
        let value = |row: u32, feature: usize| self.sample[row as usize * self.features + feature];
        let bounds = |feature: usize| {
            let bounds = (f64::INFINITY, f64::NEG_INFINITY);
            rows.iter().map(|row| value(*row, feature)).fold(bounds, |(low, high), x| (low.min(x), high.max(x)))
        };
        let varying =
            (0..self.features).map(|feature| (feature, bounds(feature))).filter(|(_, (low, high))| low < high);
        let varying: Vec<(usize, (f64, f64))> = varying.collect();
        if varying.is_empty() {
            return at;
        }
        let draw = |which: u64| combine(self.seed, u64::from(at) << 1 | which);
        let (feature, (low, high)) = varying[(draw(0) % varying.len() as u64) as usize];
        let between = low + unit_interval(draw(1)) * (high - low);
        // Rounding must not leave the right side without rows.
        let threshold = if between < high { between } else { low };
        let mut left = 0;
        for i in 0..rows.len() {
            if value(rows[i], feature) <= threshold {
                rows.swap(left, i);
                left += 1;
            }
        }
        let (below, above) = rows.split_at_mut(left);
        let children = [self.node(below, level + 1), self.node(above, level + 1)];
        let node = &mut self.forest.nodes[at as usize];
        (node.threshold, node.feature, node.children) = (threshold, feature as u32, children);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::mix;
    use proptest::prelude::*;

    fn cloud(n: usize, d: usize, seed: u64) -> Vec<f64> {
        (0..n * d).map(|i| (0..4).map(|k| unit_interval(mix(seed ^ mix((4 * i + k) as u64)))).sum::<f64>()).collect()
    }

    #[test]
    fn a_tree_by_hand() {
        let leaf = |at: u32, path: f64, rows: u32| Node { threshold: 0.0, path, children: [at; 2], feature: 0, rows };
        let nodes = vec![
            Node { threshold: 5.0, path: 0.0, children: [1, 2], feature: 1, rows: 4 },
            leaf(1, 1.0 + average_path(3), 3),
            leaf(2, 1.0, 1),
        ];
        let forest = IsolationForest { features: 2, rows: 4, levels: 1, roots: vec![0], nodes };
        assert!(forest.is_sound(2) && !forest.is_sound(1));
        let c4 = 2.0 * (3.0_f64.ln() + 0.577_215_664_901_532_9) - 1.5;
        let c3 = 2.0 * (2.0_f64.ln() + 0.577_215_664_901_532_9) - 4.0 / 3.0;
        let scores = forest.scores(&[0.0, 5.0, 0.0, 5.1]);
        assert!((scores[0] - 2.0_f64.powf(-(1.0 + c3) / c4)).abs() < 1e-15);
        assert!((scores[1] - 2.0_f64.powf(-1.0 / c4)).abs() < 1e-15);
        assert_eq!(forest.reason(&[0.0, 9.0]), 1);
    }

    #[test]
    fn outliers_score_high_and_say_why() {
        let mut rows = cloud(3_000, 3, 1);
        rows.extend([2.0, 50.0, 2.0]);
        let forest = IsolationForest::grow(&rows, 3, 100, 256, 7);
        let scores = forest.scores(&rows);
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        // Most trees never saw the outlier and treat it as any row at the edge.
        let higher = scores.iter().filter(|score| **score > scores[3_000]).count();
        assert!(higher < 100 && (0.4..0.55).contains(&mean), "{higher} {mean}");
        assert_eq!(forest.reason(&[2.0, 50.0, 2.0]), 1);
        assert_eq!(forest, IsolationForest::grow(&rows, 3, 100, 256, 7));
        assert_ne!(forest, IsolationForest::grow(&rows, 3, 100, 256, 8));
    }

    #[test]
    fn nothing_to_isolate() {
        assert_eq!(IsolationForest::grow(&[], 2, 5, 256, 0).scores(&[1.0, 2.0]), [0.5]);
        let same = IsolationForest::grow(&[3.0; 40], 2, 5, 256, 0);
        assert_eq!(same.scores(&[3.0, 3.0]), same.scores(&[9.0, 9.0]));
        assert!(same.is_sound(2));
    }

    proptest! {
        #[test]
        fn sound_bounded_and_the_same_for_any_batch(
            seed in any::<u64>(), n in 1usize..300, d in 1usize..5, trees in 1usize..8, rows in 2usize..100, cut in 0usize..300,
        ) {
            let sample = cloud(n, d, seed);
            let forest = IsolationForest::grow(&sample, d, trees, rows, seed);
            prop_assert!(forest.is_sound(d));
            let scores = forest.scores(&sample);
            prop_assert!(scores.iter().all(|score| *score > 0.0 && *score <= 1.0));
            let cut = cut.min(n) * d;
            prop_assert_eq!([forest.scores(&sample[..cut]), forest.scores(&sample[cut..])].concat(), scores);
            let text = serde_json::to_string(&forest).unwrap();
            prop_assert_eq!(serde_json::from_str::<IsolationForest>(&text).unwrap(), forest);
        }

        #[test]
        fn what_is_sound_does_not_panic(
            nodes in proptest::collection::vec((any::<f64>(), 0u32..6, 0u32..6, 0u32..4), 1..6),
            roots in proptest::collection::vec(0u32..6, 0..3), levels in 0u32..40,
        ) {
            let node = |(threshold, left, right, feature)| {
                Node { threshold, path: 1.0, children: [left, right], feature, rows: left }
            };
            let forest =
                IsolationForest { features: 3, rows: 9, levels, roots, nodes: nodes.into_iter().map(node).collect() };
            if forest.is_sound(3) {
                let scores = forest.scores(&[0.0; 60]);
                prop_assert!(scores.iter().all(|score| score.is_finite()));
                prop_assert!(forest.reason(&[0.0; 3]) < 3);
            }
        }
    }
}
