//! Means and variances in one pass, the same for any partitioning.
//!
//! Deviations from a `center` near the data, and their squares, are added up as integers (see [`crate::sums`]); the
//! variance is that of the deviations. In floating point this cancels where the mean is many standard deviations from the center
//! (Chan, Golub and LeVeque, The American Statistician 1983): [`MomentSums::is_precise`] says so, and a second pass around the mean
//! then has the answer. With the median as the center it is never needed: median and mean are within one standard deviation.

use serde::{Deserialize, Serialize};

use crate::sums::{Bounds, FineQuantum};

/// What deviations are taken from, and the units they are added up in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MomentUnits {
    center: f64,
    deviations: FineQuantum,
    squares: FineQuantum,
}

impl MomentUnits {
    /// For values within `bounds`; `center` is best near their mean.
    #[must_use]
    pub fn new(center: f64, bounds: &Bounds) -> Self {
        let reach = bounds.reach(center);
        Self { center, deviations: FineQuantum::for_bound(reach), squares: FineQuantum::for_bound(reach * reach) }
    }

    /// What deviations are taken from.
    #[must_use]
    pub fn center(&self) -> f64 {
        self.center
    }
}

/// Sums over values, in the units of one [`MomentUnits`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct MomentSums {
    /// Values.
    pub count: u64,
    deviations: i128,
    squares: i128,
    bounds: Bounds,
}

/// While the mean is within this many standard deviations, squared, of the center, the variance loses less than seven
/// of sixteen digits.
const MOST_CANCELLED: f64 = 1e6;

impl MomentSums {
    /// Adds a value, which is not NaN.
    #[inline]
    pub fn add(&mut self, value: f64, units: &MomentUnits) {
        let deviation = value - units.center;
        self.count += 1;
        self.deviations += units.deviations.quanta(deviation);
        self.squares += units.squares.quanta(deviation * deviation);
        self.bounds.include(value);
    }

    /// Adds the values of another part.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.deviations += other.deviations;
        self.squares += other.squares;
        self.bounds.merge(&other.bounds);
    }

    /// The least and the largest value.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// The mean; 0 without a value.
    #[must_use]
    pub fn mean(&self, units: &MomentUnits) -> f64 {
        if self.count == 0 { 0.0 } else { units.center + units.deviations.mean(self.deviations, self.count) }
    }

    /// The population variance; 0 without a value, and where all are equal.
    #[must_use]
    pub fn variance(&self, units: &MomentUnits) -> f64 {
        if self.count == 0 || self.bounds.min == self.bounds.max {
            return 0.0;
        }
        let mean = units.deviations.mean(self.deviations, self.count);
        (units.squares.mean(self.squares, self.count) - mean * mean).max(0.0)
    }

    /// Whether the variance has at least nine digits.
    #[must_use]
    pub fn is_precise(&self, units: &MomentUnits) -> bool {
        let mean = units.deviations.mean(self.deviations, self.count);
        self.bounds.min == self.bounds.max || mean * mean <= MOST_CANCELLED * self.variance(units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sums(values: &[f64], units: &MomentUnits) -> MomentSums {
        let mut sums = MomentSums::default();
        values.iter().for_each(|value| sums.add(*value, units));
        sums
    }

    #[test]
    fn far_from_zero_and_constant() {
        let values: Vec<f64> = (0..1000).map(|i| 1e9 + f64::from(i % 10)).collect();
        let bounds = Bounds { min: 1e9, max: 1e9 + 9.0 };
        let units = MomentUnits::new(1e9 + 4.0, &bounds);
        assert_eq!((sums(&values, &units).mean(&units), sums(&values, &units).variance(&units)), (1e9 + 4.5, 8.25));
        let far = MomentUnits::new(0.0, &bounds);
        assert!(!sums(&values, &far).is_precise(&far));
        let constant = sums(&[0.1; 7], &MomentUnits::new(5.0, &Bounds { min: 0.1, max: 0.1 }));
        assert_eq!(constant.variance(&MomentUnits::new(5.0, &Bounds { min: 0.1, max: 0.1 })), 0.0);
        assert_eq!(MomentSums::default().mean(&units), 0.0);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_bits_and_the_two_pass_value(
            values in proptest::collection::vec(-1e6f64..1e6, 2..300), cut in 0usize..300,
        ) {
            let mut bounds = Bounds::default();
            values.iter().for_each(|value| bounds.include(*value));
            let units = MomentUnits::new(values[0], &bounds);
            let cut = cut.min(values.len());
            let mut merged = sums(&values[cut..], &units);
            merged.merge(&sums(&values[..cut], &units));
            prop_assert_eq!(merged, sums(&values, &units));
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
            prop_assert!((merged.mean(&units) - mean).abs() <= 1e-9 * (1.0 + mean.abs()));
            if merged.is_precise(&units) {
                prop_assert!((merged.variance(&units) - variance).abs() <= 1e-8 * variance);
            }
        }
    }
}
