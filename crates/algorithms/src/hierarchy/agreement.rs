//! How far two clusterings of the same rows agree.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Rows by pair of labels; -1 is the label of noise and counts as one more cluster, as in scikit-learn. Partials merge
/// exactly.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Contingency {
    counts: BTreeMap<(i32, i32), u64>,
}

/// Rows that have a label in one clustering and one in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Label in the first clustering.
    pub first: i32,
    /// Label in the second.
    pub second: i32,
    /// Rows.
    pub count: u64,
}

impl Contingency {
    /// Adds `count` rows with these two labels.
    pub fn add(&mut self, first: i32, second: i32, count: u64) {
        *self.counts.entry((first, second)).or_default() += count;
    }

    /// Adds rows, one for each pair of labels; labels beyond the shorter slice are left out.
    pub fn add_rows(&mut self, first: &[i32], second: &[i32]) {
        // Equal pairs often follow one another, and a look-up costs more than a comparison.
        let mut run: Option<((i32, i32), u64)> = None;
        for pair in first.iter().copied().zip(second.iter().copied()) {
            match &mut run {
                Some((last, count)) if *last == pair => *count += 1,
                _ => {
                    if let Some(((a, b), count)) = run.replace((pair, 1)) {
                        self.add(a, b, count);
                    }
                }
            }
        }
        if let Some(((a, b), count)) = run {
            self.add(a, b, count);
        }
    }

    /// Adds the rows of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (&(first, second), &count) in &other.counts {
            self.add(first, second, count);
        }
    }

    /// The cells that hold rows, ascending by first and second label.
    pub fn cells(&self) -> impl Iterator<Item = Cell> + '_ {
        self.counts.iter().map(|(&(first, second), &count)| Cell { first, second, count })
    }

    /// Rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Rows by label of the first clustering and of the second.
    #[must_use]
    pub fn totals(&self) -> (BTreeMap<i32, u64>, BTreeMap<i32, u64>) {
        let mut totals: (BTreeMap<i32, u64>, BTreeMap<i32, u64>) = Default::default();
        for cell in self.cells() {
            *totals.0.entry(cell.first).or_default() += cell.count;
            *totals.1.entry(cell.second).or_default() += cell.count;
        }
        totals
    }

    /// The adjusted Rand index (Hubert and Arabie, Journal of Classification 1985): 1 when both clusterings are the
    /// same except for names, 0 in expectation when they are unrelated. It counts pairs of rows in integers, as
    /// scikit-learn's `adjusted_rand_score` does, and is exact up to the last division for less than 2^31 rows. It is 1
    /// without a row.
    #[must_use]
    pub fn adjusted_rand_index(&self) -> f64 {
        let squares =
            |counts: &mut dyn Iterator<Item = u64>| counts.map(|n| i128::from(n) * i128::from(n)).sum::<i128>();
        let (first, second) = self.totals();
        let n = i128::from(self.rows());
        let both = squares(&mut self.counts.values().copied());
        // Ordered pairs of rows: together in both, in the second alone, in the first alone, in neither.
        let together = both - n;
        let in_second = squares(&mut second.into_values()) - both;
        let in_first = squares(&mut first.into_values()) - both;
        let apart = n * n - in_first - in_second - both;
        if in_first == 0 && in_second == 0 {
            return 1.0;
        }
        let [a, b, c, d] = [together, apart, in_first, in_second];
        let ratio = |top: f64, bottom: f64| 2.0 * top / bottom;
        if n < 1 << 31 {
            ratio((a * b - c * d) as f64, ((a + c) * (c + b) + (a + d) * (d + b)) as f64)
        } else {
            let [a, b, c, d] = [a, b, c, d].map(|pairs| pairs as f64);
            ratio(a * b - c * d, (a + c) * (c + b) + (a + d) * (d + b))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::mix;
    use proptest::prelude::*;

    fn of(first: &[i32], second: &[i32]) -> Contingency {
        let mut table = Contingency::default();
        table.add_rows(first, second);
        table
    }

    #[test]
    fn known_values() {
        assert_eq!(of(&[0, 0, 1, 1], &[5, 5, -1, -1]).adjusted_rand_index(), 1.0);
        assert_eq!(of(&[0, 0, 1, 1], &[0, 0, 1, 2]).adjusted_rand_index(), 4.0 / 7.0);
        assert_eq!(of(&[0, 0, 1, 1], &[0, 1, 0, 1]).adjusted_rand_index(), -0.5);
        assert_eq!(of(&[], &[]).adjusted_rand_index(), 1.0);
        assert_eq!(of(&[0, 0], &[3, 3]).adjusted_rand_index(), 1.0);
        assert_eq!(of(&[0, 0], &[3, 4]).adjusted_rand_index(), 0.0);
    }

    #[test]
    fn many_rows_are_as_good_as_few() {
        let (mut few, mut many) = (Contingency::default(), Contingency::default());
        for (first, second, count) in [(-1, 0, 700u64), (0, 0, 40), (0, 1, 900), (1, 1, 80)] {
            few.add(first, second, count);
            many.add(first, second, count << 22);
        }
        let (few, many) = (few.adjusted_rand_index(), many.adjusted_rand_index());
        assert!((few - many).abs() < 1e-2 && many.is_finite(), "{few} {many}");
    }

    proptest! {
        #[test]
        fn parts_merge_and_sides_are_equal(seed in any::<u64>(), n in 1usize..100, cut in 0usize..100) {
            let label = |i: usize, side: u64| (mix(seed ^ mix(i as u64 ^ side << 40)) % 4) as i32 - 1;
            let first: Vec<i32> = (0..n).map(|i| label(i, 1)).collect();
            let second: Vec<i32> = (0..n).map(|i| label(i, 2)).collect();
            let whole = of(&first, &second);
            let cut = cut.min(n);
            let mut parts = of(&first[cut..], &second[cut..]);
            parts.merge(&of(&first[..cut], &second[..cut]));
            prop_assert_eq!(&whole, &parts);
            prop_assert_eq!(whole.rows(), n as u64);
            prop_assert_eq!(whole.adjusted_rand_index(), of(&second, &first).adjusted_rand_index());
        }
    }
}
