//! Outliers: fences, which set a row aside when any of its features lies outside, and a forest, for outliers that no
//! single feature shows.

mod isolation_forest;

use serde::{Deserialize, Serialize};

pub use isolation_forest::IsolationForest;

use crate::scalers::Transform;

/// The constant that makes the median absolute deviation an estimate of a normal's standard deviation
/// (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993).
const MAD_TO_SIGMA: f64 = 0.6745;

/// How much of itself a transformed value may be off after it was undone and done again.
const REACHED: f64 = 1e-6;

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

    /// The fence of the values that a transform brings into this one. Where nothing reaches an end, that end is as far out as
    /// numbers go.
    #[must_use]
    pub fn before(&self, transform: Transform) -> Self {
        if transform == Transform::None {
            return *self;
        }
        let end = |end: f64, out: f64| {
            let value = transform.invert(end).clamp(f64::MIN, f64::MAX);
            // A power below 0 has a limit, and what lies beyond it comes from nowhere.
            let is_reached = (transform.apply(value) - end).abs() <= REACHED * end.abs().max(1.0);
            if is_reached { value } else { out }
        };
        Self { low: end(self.low, f64::MIN), high: end(self.high, f64::MAX) }
    }

    /// True when `value` is kept.
    #[inline]
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        value >= self.low && value <= self.high
    }
}

/// How far a fence reaches from the middle of a feature. It can be widened, as a multiple of that.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reach {
    /// Lower end of the middle.
    pub low: f64,
    /// Upper end of the middle.
    pub high: f64,
    /// How far the fence is from the ends of the middle, above 0 for a fence that is of use.
    pub reach: f64,
}

impl Reach {
    /// Tukey's fence: `factor` interquartile ranges beyond the quartiles (Exploratory Data Analysis, 1977).
    #[must_use]
    pub fn iqr(q1: f64, q3: f64, factor: f64) -> Self {
        Self { low: q1, high: q3, reach: factor * (q3 - q1) }
    }

    /// Within `factor` standard deviations (population) of the mean.
    #[must_use]
    pub fn zscore(mean: f64, standard_deviation: f64, factor: f64) -> Self {
        Self { low: mean, high: mean, reach: factor * standard_deviation }
    }

    /// Modified z-score within `factor`: `factor * MAD / 0.6745` around the median.
    #[must_use]
    pub fn mad(median: f64, median_absolute_deviation: f64, factor: f64) -> Self {
        Self { low: median, high: median, reach: factor * median_absolute_deviation / MAD_TO_SIGMA }
    }

    /// The fence of so many times the reach.
    #[must_use]
    pub fn fence(&self, times: f64) -> Fence {
        let reach = times * self.reach;
        Fence { low: self.low - reach, high: self.high + reach }
    }

    /// How many times the reach it takes for the fence to hold `value`; 0 in the middle.
    #[inline]
    #[must_use]
    pub fn times(&self, value: f64) -> f64 {
        ((self.low - value).max(value - self.high).max(0.0) / self.reach).min(f64::MAX)
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
    fn fences_of_transformed_values_are_those_of_the_values() {
        let fence = Fence { low: -0.5, high: 3.0 };
        assert_eq!(fence.before(Transform::None), fence);
        let raw = fence.before(Transform::Log1p);
        assert!((raw.low - (-0.5_f64).exp_m1()).abs() < 1e-12 && (raw.high - 3.0_f64.exp_m1()).abs() < 1e-12);
        // This power comes up to 2 and no further.
        let raw = fence.before(Transform::YeoJohnson { lambda: -0.5, origin: 0.0 });
        assert!(raw.low < 0.0 && raw.low > -0.5 && raw.high == f64::MAX, "{raw:?}");
    }

    #[test]
    fn fences_include_their_ends() {
        let reach = Reach::iqr(1.0, 3.0, 1.5);
        assert_eq!([2.0, 6.0, -2.0, 9.0].map(|value| reach.times(value)), [0.0, 1.0, 1.0, 2.0]);
        assert_eq!(reach.fence(2.0), Fence { low: -5.0, high: 9.0 });
        let fence = reach.fence(1.0);
        assert_eq!(fence, Fence { low: -2.0, high: 6.0 });
        assert!(fence.holds(-2.0) && fence.holds(6.0) && !fence.holds(6.000001) && !fence.holds(f64::NAN));
        assert_eq!(first_outside(&[0.0, 7.0], &[fence, fence]), Some(1));
        assert_eq!(first_outside(&[0.0, 5.0], &[fence, fence]), None);
    }
}
