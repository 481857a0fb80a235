//! The tree: how it is grown, and how it predicts.

use crate::rows::Rows;
use ndarray::Array2;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::threshold::roundest;
use crate::input::{InputError, check_length, check_weighted_rows};
use crate::sums::Quantum;

/// Least gain of a split, as a share of the weight of its rows. It is more than rounding alone can give.
const LEAST_GAIN: f64 = 1e-12;

/// How large a tree may grow.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Leaves; 0 is taken as 1.
    pub max_leaves: usize,
    /// Splits on the way to a leaf.
    pub max_depth: usize,
    /// Share of the weight of all rows that each leaf must have.
    pub min_leaf_share: f64,
}

/// Where rows are divided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// Index of the feature.
    pub feature: usize,
    /// Rows of values up to this go to `below`, others to `above`.
    pub threshold: f64,
    /// Index of a node; larger than that of its parent.
    pub below: usize,
    /// Index of a node; larger than that of its parent.
    pub above: usize,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The class of most of the weight; the lowest of several.
    pub class: u32,
    /// Weight of the training rows by class.
    pub weights: Vec<f64>,
    /// `None` of a leaf.
    pub split: Option<Split>,
}

/// A decision tree that tells classes of rows apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionTree {
    nodes: Vec<Node>,
}

impl DecisionTree {
    /// Grows a tree on `points` (`n x d`, finite, fewer than 2^32 rows) of these `classes` (`n`, below `class_count`) and
    /// `weights` (`n`, positive).
    ///
    /// The leaf whose split gains the most is split, again and again; the gain is the Gini impurity times the weight,
    /// less that of the two sides. Among equal gains, the lowest feature and then the lowest threshold is taken. A node
    /// stays a leaf if no split gains anything, as in an even exclusive-or. When the tree is grown, leaves of one
    /// parent that predict the same class become one; that changes no prediction.
    ///
    /// Weights are added up as integers (see [`crate::sums`]), so that the tree depends on the set of rows, not on their order, and a
    /// row of weight 2 is the same as two rows. A weight counts as no less than `n` times the largest one times 2^-62.
    ///
    /// `O(n d log n)` to sort, and as much as `O(n d)` for each level of the tree; holds `12 d + 24` bytes a row while it works.
    ///
    /// # Errors
    /// When there are no rows, arrays have different lengths, numbers are not finite, weights are not positive, or a
    /// class is not below `class_count`.
    pub fn grow(
        points: &Array2<f64>,
        classes: &[u32],
        weights: &[f64],
        class_count: usize,
        limits: &Limits,
    ) -> Result<Self, InputError> {
        check_weighted_rows(points, weights)?;
        check_length("classes", classes.len(), points.nrows())?;
        if let Some(row) = classes.iter().position(|class| *class as usize >= class_count) {
            return Err(InputError::Class { row, class: classes[row], classes: class_count });
        }
        let largest = weights.iter().copied().fold(0.0, f64::max);
        // All weights together are at most 2^62 quanta, and squares of sums fit into 128 bits.
        let quantum = Quantum::for_bound(largest * points.nrows() as f64);
        let rows = classes.iter().zip(weights).map(|(class, weight)| Row {
            weight: quantum.quanta(*weight).max(1).unsigned_abs(),
            class: *class as usize,
        });
        let mut growth = Growth::new(points, rows.collect(), class_count, limits);
        growth.run(limits);
        let mut grown = growth.nodes;
        merge_equal_leaves(&mut grown);
        Ok(Self { nodes: in_order(&grown, quantum) })
    }

    /// The nodes: the root first, parents before their children, `below` before `above`.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Number of leaves.
    #[must_use]
    pub fn leaves(&self) -> usize {
        self.nodes.iter().filter(|node| node.split.is_none()).count()
    }

    /// The class of a row (`d` values) by a sound tree. NaN is above every threshold.
    #[must_use]
    pub fn predict(&self, row: &[f64]) -> u32 {
        let mut node = &self.nodes[0];
        while let Some(split) = &node.split {
            node = &self.nodes[if row[split.feature] <= split.threshold { split.below } else { split.above }];
        }
        node.class
    }

    /// Whether it can predict rows with this many features. To be called for a tree that comes from outside.
    #[must_use]
    pub fn is_sound(&self, features: usize) -> bool {
        let Some(root) = self.nodes.first() else { return false };
        let mut parents = vec![0; self.nodes.len()];
        parents[0] = 1;
        for (i, node) in self.nodes.iter().enumerate() {
            let sound = node.weights.len() == root.weights.len()
                && (node.class as usize) < node.weights.len()
                && node.weights.iter().all(|weight| *weight >= 0.0 && weight.is_finite());
            if !sound {
                return false;
            }
            let Some(split) = &node.split else { continue };
            for child in [split.below, split.above] {
                if child <= i || child >= parents.len() {
                    return false;
                }
                parents[child] += 1;
            }
            if split.feature >= features || !split.threshold.is_finite() {
                return false;
            }
        }
        parents.iter().all(|parents| *parents == 1)
    }
}

/// What a split needs of a row, besides its values.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// In quanta.
    weight: u64,
    class: usize,
}

/// A node while the tree grows.
struct Growing {
    /// Its rows: these places in the order of every feature.
    rows: Range<usize>,
    depth: usize,
    /// Weight by class, in quanta.
    weights: Vec<u64>,
    /// The best way to split it, until it is.
    best: Option<Best>,
    split: Option<Split>,
}

/// A way to split a node.
struct Best {
    gain: f64,
    feature: usize,
    /// How many rows are below.
    below: usize,
}

struct Growth {
    n: usize,
    d: usize,
    /// `d x n`: a feature after the other, so that a pass over one stays in the cache.
    columns: Vec<f64>,
    rows: Vec<Row>,
    /// `d x n`: the rows by the value of each feature, those of a node together.
    orders: Vec<u32>,
    /// What a leaf must weigh.
    least: f64,
    nodes: Vec<Growing>,
}

impl Growth {
    fn new(points: &Array2<f64>, rows: Vec<Row>, class_count: usize, limits: &Limits) -> Self {
        let (n, d) = (points.nrows(), points.ncols());
        let mut columns = Vec::with_capacity(n * d);
        let mut orders = Vec::with_capacity(n * d);
        for feature in 0..d {
            columns.extend(points.row_slices().map(|row| row[feature]));
            let column = &columns[feature * n..];
            let at = orders.len();
            orders.extend(0..n as u32);
            orders[at..].sort_unstable_by(|a, b| column[*a as usize].total_cmp(&column[*b as usize]));
        }
        let mut weights = vec![0; class_count];
        rows.iter().for_each(|row| weights[row.class] += row.weight);
        let least = limits.min_leaf_share * weights.iter().sum::<u64>() as f64;
        let root = Growing { rows: 0..n, depth: 0, weights, best: None, split: None };
        Self { n, d, columns, rows, orders, least, nodes: vec![root] }
    }

    fn run(&mut self, limits: &Limits) {
        let (mut is_below, mut others) = (vec![false; self.n], Vec::with_capacity(self.n));
        self.look_at(0, limits);
        for _ in 1..limits.max_leaves {
            let gains = self.nodes.iter().enumerate().filter_map(|(i, node)| Some((i, node.best.as_ref()?.gain)));
            let Some((parent, _)) = gains.rev().max_by(|a, b| a.1.total_cmp(&b.1)) else { break };
            let Some(best) = self.nodes[parent].best.take() else { break };
            self.split(parent, &best, &mut is_below, &mut others);
            for child in self.nodes.len() - 2..self.nodes.len() {
                self.look_at(child, limits);
            }
        }
    }

    /// Finds the best split of a node.
    fn look_at(&mut self, node: usize, limits: &Limits) {
        if self.nodes[node].depth < limits.max_depth {
            self.nodes[node].best = self.best(&self.nodes[node]);
        }
    }

    /// With `s(X)` the sum of the squared weights of the classes of rows `X`, and `w(X)` their weight, Gini impurity times weight is
    /// `w(X) - s(X) / w(X)`; so a split gains what it adds to `s / w`.
    fn best(&self, node: &Growing) -> Option<Best> {
        if node.weights.iter().filter(|weight| **weight > 0).count() < 2 {
            return None;
        }
        let weight: u64 = node.weights.iter().sum();
        let squares: u128 = node.weights.iter().map(|weight| u128::from(*weight).pow(2)).sum();
        let unsplit = squares as f64 / weight as f64;
        let mut most = LEAST_GAIN * weight as f64;
        let mut best = None;
        let (mut below, mut above) = (vec![0; node.weights.len()], node.weights.clone());
        for feature in 0..self.d {
            let column = &self.columns[feature * self.n..][..self.n];
            let order = &self.orders[feature * self.n..][node.rows.clone()];
            below.fill(0);
            above.copy_from_slice(&node.weights);
            let (mut squares_below, mut squares_above, mut weight_below) = (0, squares, 0);
            for (i, pair) in order.windows(2).enumerate() {
                let row = self.rows[pair[0] as usize];
                let (below, above) = (&mut below[row.class], &mut above[row.class]);
                squares_below += u128::from(row.weight) * u128::from(2 * *below + row.weight);
                squares_above -= u128::from(row.weight) * u128::from(2 * *above - row.weight);
                *below += row.weight;
                *above -= row.weight;
                weight_below += row.weight;
                if column[pair[0] as usize] < column[pair[1] as usize] {
                    let sides = [weight_below as f64, (weight - weight_below) as f64];
                    let gain = squares_below as f64 / sides[0] + squares_above as f64 / sides[1] - unsplit;
                    if gain > most && sides[0] >= self.least && sides[1] >= self.least {
                        most = gain;
                        best = Some(Best { gain, feature, below: i + 1 });
                    }
                }
            }
        }
        best
    }

    /// Makes two nodes of the rows of one. `is_below` has room for every row; `others` is scratch.
    fn split(&mut self, parent: usize, best: &Best, is_below: &mut [bool], others: &mut Vec<u32>) {
        let Growing { rows, depth, weights, .. } = &self.nodes[parent];
        let (rows, depth, mut above) = (rows.clone(), depth + 1, weights.clone());
        let mut below = vec![0; above.len()];
        let order = &self.orders[best.feature * self.n..][rows.clone()];
        for (i, row) in order.iter().enumerate() {
            is_below[*row as usize] = i < best.below;
        }
        for row in &order[..best.below] {
            let row = self.rows[*row as usize];
            below[row.class] += row.weight;
            above[row.class] -= row.weight;
        }
        let value = |place: usize| self.columns[best.feature * self.n + order[place] as usize];
        let threshold = roundest(value(best.below - 1), value(best.below));
        for order in self.orders.chunks_exact_mut(self.n) {
            let order = &mut order[rows.clone()];
            others.clear();
            let mut kept = 0;
            for i in 0..order.len() {
                let row = order[i];
                if is_below[row as usize] {
                    order[kept] = row;
                    kept += 1;
                } else {
                    others.push(row);
                }
            }
            order[kept..].copy_from_slice(others);
        }
        let at = self.nodes.len();
        let middle = rows.start + best.below;
        let sides = [(rows.start..middle, below), (middle..rows.end, above)];
        self.nodes.extend(sides.map(|(rows, weights)| Growing { rows, depth, weights, best: None, split: None }));
        self.nodes[parent].split = Some(Split { feature: best.feature, threshold, below: at, above: at + 1 });
    }
}

/// The class of most of the weight, the lowest of several.
fn majority(weights: &[u64]) -> usize {
    (0..weights.len()).rev().max_by_key(|class| weights[*class]).unwrap_or(0)
}

/// Makes leaves of nodes whose two sides are leaves of the same class. A class with the most weight on both sides has
/// it in both together.
fn merge_equal_leaves(nodes: &mut [Growing]) {
    // Children come after their parents.
    for i in (0..nodes.len()).rev() {
        let Some(Split { below, above, .. }) = nodes[i].split else { continue };
        let of = |child: usize| (nodes[child].split.is_none(), majority(&nodes[child].weights));
        if of(below).0 && of(below) == of(above) {
            nodes[i].split = None;
        }
    }
}

/// The nodes that can be reached from the root, in the order of a walk that goes `below` first.
fn in_order(grown: &[Growing], quantum: Quantum) -> Vec<Node> {
    let (mut walk, mut ahead) = (vec![], vec![0]);
    let mut place = vec![0; grown.len()];
    while let Some(i) = ahead.pop() {
        place[i] = walk.len();
        walk.push(i);
        ahead.extend(grown[i].split.iter().flat_map(|split| [split.above, split.below]));
    }
    let node = |i: &usize| Node {
        class: majority(&grown[*i].weights) as u32,
        weights: grown[*i].weights.iter().map(|weight| quantum.value(i128::from(*weight))).collect(),
        split: grown[*i].split.map(|split| Split { below: place[split.below], above: place[split.above], ..split }),
    };
    walk.iter().map(node).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::{combine, unit_interval};
    use crate::rows::matrix;
    use proptest::prelude::*;

    const FREE: Limits = Limits { max_leaves: 100, max_depth: 20, min_leaf_share: 0.0 };

    fn grow(values: &[f64], d: usize, classes: &[u32], limits: &Limits) -> DecisionTree {
        let points = matrix(values.to_vec(), d);
        let count = classes.iter().max().map_or(0, |class| *class as usize + 1);
        DecisionTree::grow(&points, classes, &vec![1.0; classes.len()], count, limits).unwrap()
    }

    fn split(tree: &DecisionTree, node: usize) -> (usize, f64) {
        tree.nodes[node].split.map(|split| (split.feature, split.threshold)).unwrap()
    }

    #[test]
    fn one_feature() {
        let tree = grow(&[1.0, 2.0, 179.4378, 182.9, 300.0], 1, &[0, 0, 0, 1, 1], &FREE);
        assert_eq!((split(&tree, 0), tree.leaves()), ((0, 180.0), 2));
        assert_eq!(tree.nodes[0].weights, [3.0, 2.0]);
        assert_eq!(
            (tree.nodes[1].weights.as_slice(), tree.nodes[2].weights.as_slice()),
            (&[3.0, 0.0][..], &[0.0, 2.0][..])
        );
        assert_eq!([180.0, 180.1, f64::NAN, -1e9].map(|x| tree.predict(&[x])), [0, 1, 1, 0]);
    }

    #[test]
    fn exclusive_or() {
        let (values, classes) = ([0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], [0, 1, 1, 0]);
        // Even, no split gains anything.
        assert_eq!(grow(&values, 2, &classes, &FREE).leaves(), 1);
        let points = matrix(values.to_vec(), 2);
        let tree = DecisionTree::grow(&points, &classes, &[1.0, 1.0, 1.0, 1.5], 2, &FREE).unwrap();
        assert_eq!(tree.leaves(), 4);
        assert!(points.row_slices().zip(classes).all(|(row, class)| tree.predict(row) == class));
        let shallow = Limits { max_depth: 1, ..FREE };
        // Both sides of the single split have the same class except for ties, and become one.
        let tree = DecisionTree::grow(&points, &classes, &[1.0, 1.0, 1.0, 1.5], 2, &shallow).unwrap();
        assert_eq!((tree.leaves(), tree.nodes[0].class), (1, 0));
    }

    #[test]
    fn ties_go_to_the_lowest_feature_and_threshold() {
        // The features are copies, and so are the gains of both thresholds.
        let tree = grow(&[1.0, 1.0, 2.0, 2.0, 3.0, 3.0], 2, &[0, 1, 0], &FREE);
        assert_eq!((tree.leaves(), split(&tree, 0), split(&tree, 2)), (3, (0, 1.0), (0, 2.0)));
        // And those of weight to the lowest class.
        assert_eq!(grow(&[1.0; 3], 1, &[2, 1, 1], &FREE).predict(&[1.0]), 1);
        assert_eq!(grow(&[1.0; 2], 1, &[1, 0], &FREE).predict(&[1.0]), 0);
    }

    #[test]
    fn limits_are_kept() {
        let values: Vec<f64> = (0..40).map(f64::from).collect();
        let classes: Vec<u32> = (0..40).map(|i| i / 10).collect();
        assert_eq!(grow(&values, 1, &classes, &FREE).leaves(), 4);
        assert_eq!(grow(&values, 1, &classes, &Limits { max_leaves: 3, ..FREE }).leaves(), 3);
        assert_eq!(grow(&values, 1, &classes, &Limits { max_depth: 1, ..FREE }).leaves(), 2);
        assert_eq!(grow(&values, 1, &classes, &Limits { max_depth: 0, ..FREE }).leaves(), 1);
        assert_eq!(grow(&values, 1, &classes, &Limits { max_leaves: 0, ..FREE }).leaves(), 1);
        assert_eq!(grow(&values, 1, &classes, &Limits { min_leaf_share: 0.25, ..FREE }).leaves(), 4);
        let tree = grow(&values, 1, &classes, &Limits { min_leaf_share: 0.26, ..FREE });
        assert!(tree.nodes.iter().all(|node| node.weights.iter().sum::<f64>() >= 0.26 * 40.0));
    }

    #[test]
    fn nothing_to_split() {
        assert_eq!(
            grow(&[7.0; 6], 2, &[0, 1, 1], &FREE).nodes,
            [Node { class: 1, weights: vec![1.0, 2.0], split: None }]
        );
        assert_eq!(grow(&[1.0, 2.0, 3.0], 1, &[2, 2, 2], &FREE).leaves(), 1);
        // The two zeros are one.
        assert_eq!(grow(&[-0.0, 0.0], 1, &[0, 1], &FREE).leaves(), 1);
        // A feature that does not vary is never used for a split.
        assert_eq!(split(&grow(&[5.0, 1.0, 5.0, 2.0], 2, &[0, 1], &FREE), 0).0, 1);
    }

    #[test]
    fn what_cannot_be_grown() {
        let points = matrix(vec![1.0, 2.0], 1);
        let grow = |points: &Array2<f64>, classes: &[u32], weights: &[f64]| {
            DecisionTree::grow(points, classes, weights, 2, &FREE).map(|tree| tree.leaves())
        };
        assert_eq!(grow(&points, &[0, 1], &[1.0, 1.0]), Ok(2));
        assert_eq!(grow(&Array2::default((0, 0)), &[], &[]), Err(InputError::Empty("rows")));
        assert_eq!(grow(&points, &[0, 2], &[1.0, 1.0]), Err(InputError::Class { row: 1, class: 2, classes: 2 }));
        assert_eq!(grow(&points, &[0, 1], &[1.0, 0.0]), Err(InputError::NotPositive(1)));
        let lengths = |what| Err(InputError::Length { what, expected: 2, found: 1 });
        assert_eq!(grow(&points, &[0], &[1.0, 1.0]), lengths("classes"));
        assert_eq!(grow(&points, &[0, 1], &[1.0]), lengths("weights"));
        let not_finite = |what, index| Err(InputError::NotFinite { what, index });
        assert_eq!(grow(&points, &[0, 1], &[f64::NAN, 1.0]), not_finite("weights", 0));
        assert_eq!(grow(&matrix(vec![1.0, f64::INFINITY], 1), &[0, 1], &[1.0, 1.0]), not_finite("values", 1));
    }

    #[test]
    fn weights_of_any_size() {
        let points = matrix(vec![1.0, 2.0, 3.0], 1);
        for weights in [[1e300, 1e-300, 1e-300], [1e-320, 1e-320, 5e-324], [1.0, 1e300, 1e-300]] {
            let tree = DecisionTree::grow(&points, &[0, 1, 0], &weights, 2, &FREE).unwrap();
            assert!(tree.is_sound(1), "{weights:?}");
        }
    }

    #[test]
    fn soundness() {
        let tree = grow(&[1.0, 2.0, 3.0, 4.0], 1, &[0, 1, 0, 1], &FREE);
        assert!(tree.is_sound(1) && !tree.is_sound(0));
        let broken = |change: &dyn Fn(&mut DecisionTree)| {
            let mut tree = tree.clone();
            change(&mut tree);
            !tree.is_sound(1)
        };
        assert!(broken(&|tree| tree.nodes.clear()));
        assert!(broken(&|tree| tree.nodes[0].split.as_mut().unwrap().below = 0));
        assert!(broken(&|tree| tree.nodes[0].split.as_mut().unwrap().above = 99));
        assert!(broken(&|tree| tree.nodes[0].split.as_mut().unwrap().above = 1));
        assert!(broken(&|tree| tree.nodes[0].split.as_mut().unwrap().threshold = f64::INFINITY));
        assert!(broken(&|tree| tree.nodes[1].class = 2));
        assert!(broken(&|tree| tree.nodes[1].weights = vec![]));
    }

    /// Rows with many equal values, of classes that follow the features but for some noise.
    fn rows(seed: u64, n: usize, d: usize, classes: u32) -> (Array2<f64>, Vec<u32>, Vec<f64>) {
        let draw = |i: usize, k: usize| unit_interval(combine(seed, (i * 16 + k) as u64));
        let values: Vec<f64> = (0..n * d).map(|i| (draw(i / d, i % d) * 12.0).floor() - 3.0).collect();
        let class = |i: usize| {
            let sum: f64 = values[i * d..(i + 1) * d].iter().sum::<f64>() / 2.0 + 2.0 * draw(i, 14);
            sum.abs() as u32 % classes
        };
        let classes = (0..n).map(class).collect();
        (matrix(values.clone(), d), classes, (0..n).map(|i| (draw(i, 15) * 5.0).ceil()).collect())
    }

    proptest! {
        #[test]
        fn the_same_for_any_order_and_for_repeated_rows(
            seed in any::<u64>(), n in 1usize..80, d in 1usize..5, classes in 1u32..6, leaves in 1usize..20,
        ) {
            let (points, of_row, weights) = rows(seed, n, d, classes);
            let limits = Limits { max_leaves: leaves, max_depth: 6, min_leaf_share: 0.01 };
            let tree = DecisionTree::grow(&points, &of_row, &weights, classes as usize, &limits).unwrap();
            prop_assert!(tree.is_sound(d) && tree.leaves() <= leaves);
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by_key(|i| combine(seed, *i as u64));
            let pick = |order: &[usize]| {
                let points = matrix(order.iter().flat_map(|i| points.row_slice(*i).to_vec()).collect(), d);
                (points, order.iter().map(|i| of_row[*i]).collect::<Vec<u32>>())
            };
            let (shuffled, of_shuffled) = pick(&order);
            let shuffled_weights: Vec<f64> = order.iter().map(|i| weights[*i]).collect();
            let again = DecisionTree::grow(&shuffled, &of_shuffled, &shuffled_weights, classes as usize, &limits);
            prop_assert_eq!(&again.unwrap(), &tree);
            let repeated: Vec<usize> = order.iter().flat_map(|i| vec![*i; weights[*i] as usize]).collect();
            let (repeated, of_repeated) = pick(&repeated);
            let ones = vec![1.0; of_repeated.len()];
            let again = DecisionTree::grow(&repeated, &of_repeated, &ones, classes as usize, &limits).unwrap();
            prop_assert_eq!(&again, &tree);
            let text = serde_json::to_string(&tree).unwrap();
            prop_assert_eq!(serde_json::from_str::<DecisionTree>(&text).unwrap(), tree);
        }

        /// Every row ends in a leaf that has its weight; no two leaves of one parent predict the same.
        #[test]
        fn weights_are_those_of_the_rows(seed in any::<u64>(), n in 1usize..80, d in 1usize..5, classes in 1u32..6) {
            let (points, of_row, weights) = rows(seed, n, d, classes);
            let tree = DecisionTree::grow(&points, &of_row, &weights, classes as usize, &FREE).unwrap();
            let mut found = vec![vec![0.0; classes as usize]; tree.nodes.len()];
            for ((row, class), weight) in points.row_slices().zip(&of_row).zip(&weights) {
                let mut at = 0;
                found[at][*class as usize] += weight;
                while let Some(split) = tree.nodes[at].split {
                    at = if row[split.feature] <= split.threshold { split.below } else { split.above };
                    found[at][*class as usize] += weight;
                }
                prop_assert_eq!(tree.nodes[at].class, tree.predict(row));
            }
            let weights: Vec<Vec<f64>> = tree.nodes.iter().map(|node| node.weights.clone()).collect();
            prop_assert_eq!(found, weights);
            for split in tree.nodes.iter().filter_map(|node| node.split) {
                let [below, above] = [split.below, split.above].map(|child| &tree.nodes[child]);
                prop_assert!(below.split.is_some() || above.split.is_some() || below.class != above.class);
            }
        }
    }
}
