//! Whether new rows are distributed like those that a model was made from: the population stability index.
//!
//! ```text
//!   values of a feature ──▶ bins between the old deciles ──▶ sum over bins of (now - then) ln(now / then)
//! ```
//!
//! Missing cells are a bin of their own. Siddiqi, "Credit Risk Scorecards" (2006), has the index and how it is usually
//! read.

use serde::{Deserialize, Serialize};

/// Shares of rows by the value of a feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Inner edges of the bins, ascending: bin `i` holds what is above edge `i - 1` and not above edge `i`.
    pub edges: Vec<f64>,
    /// Share of the rows in each bin; one more than edges.
    pub shares: Vec<f64>,
    /// Share of the rows without a value.
    pub missing: f64,
    /// The rows.
    pub rows: u64,
}

/// The bin of a value between `edges`; for NaN, the bin after the last one.
#[must_use]
pub fn bin(edges: &[f64], value: f64) -> usize {
    if value.is_nan() { edges.len() + 1 } else { edges.partition_point(|edge| *edge < value) }
}

/// Edges at the deciles of some values, which may be NaN where they are missing. Equal edges count once.
#[must_use]
pub fn decile_edges(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.filter(|value| !value.is_nan()).collect();
    values.sort_unstable_by(f64::total_cmp);
    if values.is_empty() {
        return vec![];
    }
    let mut edges: Vec<f64> = (1..10).map(|i| values[i * (values.len() - 1) / 10]).collect();
    edges.dedup();
    edges
}

impl Distribution {
    /// Makes a distribution from the number of rows in each bin, rows without a value last: two more than `edges`.
    #[must_use]
    pub fn from_counts(edges: Vec<f64>, counts: &[u64]) -> Self {
        let rows = counts.iter().sum::<u64>();
        let mut shares: Vec<f64> = counts.iter().map(|count| *count as f64 / rows.max(1) as f64).collect();
        let missing = shares.pop().unwrap_or(0.0);
        Self { edges, shares, missing, rows }
    }

    /// Whether it has the right number of bins, in order. To be called for one that comes from outside.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.shares.len() == self.edges.len() + 1 && self.edges.windows(2).all(|pair| pair[0] < pair[1])
    }

    /// How far another distribution over the same bins is from this one.
    #[must_use]
    pub fn shift(&self, now: &Self) -> Shift {
        let all = |d: &Self| d.shares.iter().copied().chain([d.missing]).collect::<Vec<f64>>();
        Shift::new((&all(self), self.rows), (&all(now), now.rows))
    }
}

/// How far shares are from what they were.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shift {
    /// The population stability index.
    pub stability_index: f64,
    /// The value that the index may reach by chance alone if nothing has changed. The index is then about
    /// `(1 / rows then + 1 / rows now)` times a chi-squared variable, and this is the mean of that plus three standard
    /// deviations.
    pub by_chance: f64,
    /// How to read what the index has beyond chance.
    pub drift: Drift,
}

impl Shift {
    /// From the shares of this many rows, then and now.
    #[must_use]
    pub fn new((then, rows_then): (&[f64], u64), (now, rows_now): (&[f64], u64)) -> Self {
        let stability_index = stability_index((then, rows_then), (now, rows_now));
        let used = then.iter().zip(now).filter(|(then, now)| **then > 0.0 || **now > 0.0).count();
        let freedom = used.saturating_sub(1) as f64;
        let one_over = |rows: u64| 1.0 / rows.max(1) as f64;
        let by_chance = (one_over(rows_then) + one_over(rows_now)) * (freedom + 3.0 * (2.0 * freedom).sqrt());
        Self { stability_index, by_chance, drift: Drift::of(stability_index - by_chance) }
    }
}

/// The population stability index for shares of this many rows, then and now; 0 for no rows. An empty bin counts as
/// half a row, so that the index is finite.
#[must_use]
pub fn stability_index((then, rows_then): (&[f64], u64), (now, rows_now): (&[f64], u64)) -> f64 {
    let half_a_row = |rows: u64| 0.5 / rows.max(1) as f64;
    let term = |(then, now): (&f64, &f64)| {
        if then == now {
            return 0.0;
        }
        let (then, now) = (then.max(half_a_row(rows_then)), now.max(half_a_row(rows_now)));
        (now - then) * libm::log(now / then)
    };
    then.iter().zip(now).map(term).sum()
}

/// How a stability index is usually read, here only what is beyond chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// Below 0.1.
    Stable,
    /// To be watched.
    Moderate,
    /// Above 0.25: the model should be made again.
    Large,
}

impl Drift {
    /// The reading of a stability index.
    #[must_use]
    pub fn of(index: f64) -> Self {
        match index {
            index if index < 0.1 => Self::Stable,
            index if index <= 0.25 => Self::Moderate,
            _ => Self::Large,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::mix;

    fn distribution(edges: &[f64], values: &[f64]) -> Distribution {
        let mut counts = vec![0; edges.len() + 2];
        values.iter().for_each(|value| counts[bin(edges, *value)] += 1);
        Distribution::from_counts(edges.to_vec(), &counts)
    }

    #[test]
    fn bins_are_between_deciles() {
        let edges = decile_edges((0..=100).map(f64::from).chain([f64::NAN]));
        assert_eq!(edges, [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0]);
        assert_eq!([-5.0, 10.0, 10.5, 90.0, 91.0, f64::NAN].map(|value| bin(&edges, value)), [0, 0, 1, 8, 9, 10]);
        assert_eq!(decile_edges([1.0, 1.0, 1.0, 1.0, 2.0].into_iter()), [1.0]);
        assert!(decile_edges([f64::NAN].into_iter()).is_empty());
    }

    #[test]
    fn the_index_tells_a_shift() {
        let then: Vec<f64> = (0..10_000).map(|i| f64::from(i) / 10.0).collect();
        let edges = decile_edges(then.iter().copied());
        let before = distribution(&edges, &then);
        assert_eq!(before.shift(&before).stability_index, 0.0);
        let shifted = |by: f64| before.shift(&distribution(&edges, &then.iter().map(|v| v + by).collect::<Vec<_>>()));
        assert!(shifted(20.0).drift == Drift::Stable && shifted(300.0).drift == Drift::Large);
        let gone = before.shift(&distribution(&edges, &[f64::NAN; 1000]));
        assert!(gone.drift == Drift::Large && gone.stability_index.is_finite());
        // By hand: shares 0.5, 0.5 and 0.25, 0.75.
        let by_hand = 0.25 * 2.0_f64.ln() + 0.25 * 1.5_f64.ln();
        assert!((stability_index((&[0.5, 0.5], 100), (&[0.25, 0.75], 100)) - by_hand).abs() < 1e-15);
    }

    #[test]
    fn a_few_rows_are_not_drift() {
        let then: Vec<f64> = (0..10_000).map(|i| f64::from(i) / 10.0).collect();
        let edges = decile_edges(then.iter().copied());
        let before = distribution(&edges, &then);
        for seed in 0..200 {
            let some: Vec<f64> = (0..25).map(|i| then[(mix(seed << 32 | i) % 10_000) as usize]).collect();
            let shift = before.shift(&distribution(&edges, &some));
            assert_eq!(shift.drift, Drift::Stable, "{shift:?}");
        }
        let elsewhere = before.shift(&distribution(&edges, &[900.0; 25]));
        assert_eq!(elsewhere.drift, Drift::Large, "{elsewhere:?}");
    }
}
