//! The leaves of a tree as conditions on the features.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tree::DecisionTree;

/// `low < value <= high` of one feature. One of the two ends may be open.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// Index of the feature.
    pub feature: usize,
    /// The value is above this.
    pub low: Option<f64>,
    /// The value is not above this.
    pub high: Option<f64>,
}

/// Rows for which all conditions hold: those that end in one leaf. All rows where there are no conditions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conjunction {
    /// One of a feature, ascending by feature.
    pub conditions: Vec<Condition>,
    /// Its rows' share of the weight of all.
    pub share: f64,
    /// Share of their weight that is of the class of the rule.
    pub precision: f64,
}

/// The rule for the rows of one class: one of its conjunctions holds. Of all conjunctions of all rules, exactly one
/// holds for each row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The class.
    pub class: u32,
    /// By descending share; empty if the tree does not predict the class.
    pub conjunctions: Vec<Conjunction>,
    /// The class's share of the weight of all rows, whether the rule finds them or not.
    pub share: f64,
    /// Share of the weight of the rule's rows that is of the class; `None` of a rule without a conjunction.
    pub precision: Option<f64>,
    /// Share of the weight of the class that the rule finds; `None` of a class without a row.
    pub recall: Option<f64>,
}

/// A rule for each class, and how well they do on the rows that the tree was grown on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// By class.
    pub rules: Vec<Rule>,
    /// Share of the weight of all rows for which the rules say the right class.
    pub fidelity: f64,
}

impl Condition {
    /// Whether it holds for a row (`d` values, no NaN).
    #[must_use]
    pub fn holds(&self, row: &[f64]) -> bool {
        let value = row[self.feature];
        self.low.is_none_or(|low| value > low) && self.high.is_none_or(|high| value <= high)
    }
}

impl Conjunction {
    /// Whether it holds for a row (`d` values, no NaN).
    #[must_use]
    pub fn holds(&self, row: &[f64]) -> bool {
        self.conditions.iter().all(|condition| condition.holds(row))
    }
}

impl Rule {
    /// Whether it holds for a row (`d` values, no NaN).
    #[must_use]
    pub fn holds(&self, row: &[f64]) -> bool {
        self.conjunctions.iter().any(|conjunction| conjunction.holds(row))
    }
}

/// Low and high end by feature.
type Ends = BTreeMap<usize, (Option<f64>, Option<f64>)>;

impl Rules {
    /// The rules of a sound tree: one conjunction for each leaf, with the conditions of its path merged to one for each
    /// feature.
    #[must_use]
    pub fn of(tree: &DecisionTree) -> Self {
        let nodes = tree.nodes();
        let by_class = nodes.first().map(|root| root.weights.as_slice()).unwrap_or_default();
        let all: f64 = by_class.iter().sum();
        // A sum of nothing cannot be a divisor.
        let ratio = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        let share = |part: f64| ratio(part, all).unwrap_or(0.0);
        let mut conjunctions = vec![vec![]; by_class.len()];
        // Weight of the rows of each rule, and of those that are of its class.
        let (mut held, mut right) = (vec![0.0; by_class.len()], vec![0.0; by_class.len()]);
        let mut ahead: Vec<(usize, Ends)> = nodes.first().map(|_| (0, Ends::new())).into_iter().collect();
        while let Some((at, ends)) = ahead.pop() {
            let node = &nodes[at];
            if let Some(split) = node.split {
                let (mut below, mut above) = (ends.clone(), ends);
                let high = &mut below.entry(split.feature).or_default().1;
                *high = Some(high.map_or(split.threshold, |high| high.min(split.threshold)));
                let low = &mut above.entry(split.feature).or_default().0;
                *low = Some(low.map_or(split.threshold, |low| low.max(split.threshold)));
                ahead.extend([(split.above, above), (split.below, below)]);
                continue;
            }
            let class = node.class as usize;
            let weight: f64 = node.weights.iter().sum();
            held[class] += weight;
            right[class] += node.weights[class];
            conjunctions[class].push(Conjunction {
                conditions: ends.into_iter().map(|(feature, (low, high))| Condition { feature, low, high }).collect(),
                share: share(weight),
                precision: ratio(node.weights[class], weight).unwrap_or(0.0),
            });
        }
        let rule = |(class, mut conjunctions): (usize, Vec<Conjunction>)| {
            // Stable: equal ones stay in the order of the tree.
            conjunctions.sort_by(|a, b| b.share.total_cmp(&a.share));
            Rule {
                class: class as u32,
                conjunctions,
                share: share(by_class[class]),
                precision: ratio(right[class], held[class]),
                recall: ratio(right[class], by_class[class]),
            }
        };
        Self { fidelity: share(right.iter().sum()), rules: conjunctions.into_iter().enumerate().map(rule).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Limits;
    use super::*;
    use crate::hashing::{combine, unit_interval};
    use crate::rows::{Rows, matrix};
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        // Class 0 on both sides of class 1; one row of class 2, of little weight, within class 1.
        let points = matrix((0..10).map(f64::from).collect(), 1);
        let classes = [0, 0, 1, 1, 2, 1, 0, 0, 0, 0];
        let mut weights = [1.0; 10];
        weights[4] = 0.5;
        let limits = Limits { max_leaves: 4, max_depth: 3, min_leaf_share: 0.1 };
        let tree = DecisionTree::grow(&points, &classes, &weights, 4, &limits).unwrap();
        let rules = Rules::of(&tree);
        let condition = |low, high| vec![Condition { feature: 0, low, high }];
        assert_eq!(
            rules.rules[0],
            Rule {
                class: 0,
                conjunctions: vec![
                    Conjunction { conditions: condition(Some(5.0), None), share: 4.0 / 9.5, precision: 1.0 },
                    Conjunction { conditions: condition(None, Some(1.0)), share: 2.0 / 9.5, precision: 1.0 },
                ],
                share: 6.0 / 9.5,
                precision: Some(1.0),
                recall: Some(1.0),
            }
        );
        assert_eq!(rules.rules[1].conjunctions[0].conditions, condition(Some(1.0), Some(5.0)));
        assert_eq!((rules.rules[1].precision, rules.rules[1].recall), (Some(3.0 / 3.5), Some(1.0)));
        let empty = |class: u32, share: f64, recall: Option<f64>| Rule {
            class,
            conjunctions: vec![],
            share,
            precision: None,
            recall,
        };
        assert_eq!(rules.rules[2..], [empty(2, 0.5 / 9.5, Some(0.0)), empty(3, 0.0, None)]);
        assert_eq!(rules.fidelity, 9.0 / 9.5);
    }

    #[test]
    fn one_class_holds_for_all_rows() {
        let points = matrix(vec![1.0, 2.0], 1);
        let limits = Limits { max_leaves: 4, max_depth: 3, min_leaf_share: 0.0 };
        let rules = Rules::of(&DecisionTree::grow(&points, &[0, 0], &[1.0, 3.0], 1, &limits).unwrap());
        let all = Conjunction { conditions: vec![], share: 1.0, precision: 1.0 };
        assert_eq!((rules.rules[0].conjunctions.as_slice(), rules.fidelity), (&[all][..], 1.0));
        assert!(rules.rules[0].holds(&[1e9]));
    }

    proptest! {
        #[test]
        fn rules_say_what_the_tree_says(seed in any::<u64>(), n in 1usize..120, d in 1usize..4, leaves in 1usize..20) {
            let draw = |i: usize| unit_interval(combine(seed, i as u64));
            let values: Vec<f64> = (0..n * d).map(|i| (draw(i) * 50.0).round() / 4.0).collect();
            let classes: Vec<u32> = (0..n).map(|i| (values[i * d] * 0.4 + draw(i + n * d)) as u32).collect();
            let weights: Vec<f64> = (0..n).map(|i| 0.1 + draw(i + n * d + n)).collect();
            let points = matrix(values, d);
            let limits = Limits { max_leaves: leaves, max_depth: 5, min_leaf_share: 0.02 };
            let tree = DecisionTree::grow(&points, &classes, &weights, 7, &limits).unwrap();
            let rules = Rules::of(&tree);
            prop_assert_eq!(rules.rules.iter().map(|rule| rule.conjunctions.len()).sum::<usize>(), tree.leaves());
            let mut right = 0.0;
            for ((row, class), weight) in points.row_slices().zip(&classes).zip(&weights) {
                let holding: Vec<u32> = rules.rules.iter().filter(|rule| rule.holds(row)).map(|rule| rule.class).collect();
                prop_assert_eq!(&holding, &vec![tree.predict(row)]);
                right += if holding[0] == *class { *weight } else { 0.0 };
            }
            prop_assert!((rules.fidelity - right / weights.iter().sum::<f64>()).abs() < 1e-12);
            let shares: f64 = rules.rules.iter().flat_map(|rule| &rule.conjunctions).map(|c| c.share).sum();
            prop_assert!((shares - 1.0).abs() < 1e-12);
            for rule in &rules.rules {
                prop_assert!(rule.conjunctions.windows(2).all(|pair| pair[0].share >= pair[1].share));
                let bounded = |c: &Condition| c.low.is_some_and(f64::is_finite) || c.high.is_some_and(f64::is_finite);
                prop_assert!(rule.conjunctions.iter().flat_map(|c| &c.conditions).all(bounded));
            }
        }
    }
}
