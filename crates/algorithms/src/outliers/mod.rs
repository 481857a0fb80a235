//! Outliers: fences, which set a row aside when any of its features lies outside, and a forest, for outliers that no
//! single feature shows.

mod isolation_forest;

use serde::{Deserialize, Serialize};

pub use isolation_forest::IsolationForest;

/// The constant that makes the median absolute deviation an estimate of a normal's standard deviation
/// (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993).
const MAD_TO_SIGMA: f64 = 0.6745;

/// The interval of values that are kept, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fence {
    /// Smallest value kept.
    pub low: f64,
    /// Largest value kept.
    pub high: f64,
}

impl Fence {
    /// The fence that nothing is outside of.
    pub const EVERYTHING: Self = Self { low: f64::NEG_INFINITY, high: f64::INFINITY };

    /// Tukey's fence: `factor` interquartile ranges beyond the quartiles (Exploratory Data Analysis, 1977).
    #[must_use]
    pub fn iqr(q1: f64, q3: f64, factor: f64) -> Self {
        let reach = factor * (q3 - q1);
        Self { low: q1 - reach, high: q3 + reach }
    }

    /// Within `factor` standard deviations (population) of the mean.
    #[must_use]
    pub fn zscore(mean: f64, standard_deviation: f64, factor: f64) -> Self {
        let reach = factor * standard_deviation;
        Self { low: mean - reach, high: mean + reach }
    }

    /// Modified z-score within `factor`: `factor * MAD / 0.6745` around the median.
    #[must_use]
    pub fn mad(median: f64, median_absolute_deviation: f64, factor: f64) -> Self {
        let reach = factor * median_absolute_deviation / MAD_TO_SIGMA;
        Self { low: median - reach, high: median + reach }
    }

    /// True when `value` is kept.
    #[inline]
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        value >= self.low && value <= self.high
    }
}

/// The first feature of `row` outside its fence, if any.
#[must_use]
pub fn first_outside(row: &[f64], fences: &[Fence]) -> Option<usize> {
    row.iter().zip(fences).position(|(value, fence)| !fence.holds(*value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_include_their_ends() {
        let fence = Fence::iqr(1.0, 3.0, 1.5);
        assert_eq!(fence, Fence { low: -2.0, high: 6.0 });
        assert!(fence.holds(-2.0) && fence.holds(6.0) && !fence.holds(6.000001) && !fence.holds(f64::NAN));
        assert_eq!(first_outside(&[0.0, 7.0], &[fence, fence]), Some(1));
        assert_eq!(first_outside(&[0.0, 5.0], &[fence, fence]), None);
    }
}
