//! Sums that do not depend on the order of their terms.
//!
//! Floating-point addition is not associative, so a sum over partitions changes in its last bits with the number of
//! partitions and with the order of the rows, and from there a label may flip. Segmenta adds *integers*: each term is
//! converted to a multiple of a fixed quantum, `2^-62` of a bound on the terms that is known before the pass starts,
//! and added up in 128 bits. Integer addition is associative and commutative: any split, any order and any tree of
//! merges gives the same bits (the idea of reproducible summation by pre-rounding, Demmel and Nguyen, IEEE
//! Transactions on Computers 2015, with one bin because the bound is known).
//!
//! ```text
//!   term (f64) ──× 2^-exponent──▶ i64 ──▶ + i128      |term| <= bound < 2^(exponent + 62)
//! ```
//!
//! Each term loses less than one quantum, so a mean is off by less than `2^-62` of the bound: below the rounding of
//! the `f64` it is returned as, unless the mean is smaller than the bound by more than a factor of 2^9; for coordinates
//! that is better than a sum of floats. 2^65 terms fit before the 128 bits could overflow.
//!
//! Squares spread over twice the range, and a single far point must not drown them: [`FineQuantum`] is `2^-92` of the
//! bound, for up to 2^35 terms ([`MOST_TERMS`]).

use serde::{Deserialize, Serialize};

/// The unit in which a quantity is added up: `2^exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantum {
    exponent: i32,
}

impl Quantum {
    /// A quantum for terms whose absolute value is at most `bound`. A bound of 0, or one that is not finite, gives the
    /// smallest or the largest quantum; terms beyond the bound saturate.
    #[must_use]
    pub fn for_bound(bound: f64) -> Self {
        let bound = bound.abs();
        // The least e with bound < 2^e, read from the exponent bits; a subnormal bound counts as the smallest normal.
        let e = if bound.is_finite() { ((bound.to_bits() >> 52) & 0x7FF) as i32 - 1022 } else { 1024 };
        // 2^-exponent must itself be a finite f64.
        Self { exponent: (e - 62).max(-1020) }
    }

    /// `value` in quanta, rounded towards zero.
    #[inline]
    #[must_use]
    pub fn quanta(self, value: f64) -> i64 {
        (value * self.scale()) as i64
    }

    /// `2^-exponent`: multiply by this and convert to `i64` to get quanta (for loops that hoist it).
    #[inline]
    #[must_use]
    pub fn scale(self) -> f64 {
        power_of_two(-self.exponent)
    }

    /// A sum of quanta as `f64`, rounded once.
    #[must_use]
    pub fn value(self, sum: i128) -> f64 {
        sum as f64 * power_of_two(self.exponent)
    }

    /// `sum / count` as `f64`; 0 when `count` is 0. The integer part of the division is exact.
    #[must_use]
    pub fn mean(self, sum: i128, count: u64) -> f64 {
        if count == 0 {
            return 0.0;
        }
        let count = i128::from(count);
        let (whole, rest) = (sum / count, sum % count);
        (whole as f64 + rest as f64 / count as f64) * power_of_two(self.exponent)
    }
}

/// Terms of [`FineQuantum`]s that may be added up, a term of weight `w` counted `w` times.
pub const MOST_TERMS: u64 = 1 << 35;

/// How many more bits a [`FineQuantum`] has.
const FINE_BITS: i32 = 30;

/// The unit in which squares and distances are added up: `2^-92` of their bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FineQuantum {
    coarse: Quantum,
}

impl FineQuantum {
    /// As [`Quantum::for_bound`].
    #[must_use]
    pub fn for_bound(bound: f64) -> Self {
        let coarse = Quantum::for_bound(bound);
        // The fine unit must be a normal f64 too.
        Self { coarse: Quantum { exponent: coarse.exponent.max(FINE_BITS - 1020) } }
    }

    /// `value` in quanta, rounded towards zero.
    #[inline]
    #[must_use]
    pub fn quanta(self, value: f64) -> i128 {
        fine_quanta(value * self.coarse.scale())
    }

    /// Multiply by this and pass the product to [`fine_quanta`] (for loops that hoist it).
    #[inline]
    #[must_use]
    pub fn scale(self) -> f64 {
        self.coarse.scale()
    }

    /// A sum of quanta as `f64`.
    #[must_use]
    pub fn value(self, sum: i128) -> f64 {
        sum as f64 * power_of_two(self.coarse.exponent - FINE_BITS)
    }

    /// `sum / count` as `f64`; 0 when `count` is 0.
    #[must_use]
    pub fn mean(self, sum: i128, count: u64) -> f64 {
        Quantum { exponent: self.coarse.exponent - FINE_BITS }.mean(sum, count)
    }
}

/// A value that was scaled by [`FineQuantum::scale`], in quanta. Two conversions of 64 bits are much faster than one of
/// 128, and lose nothing: the difference of a float and its whole part is exact.
#[inline]
#[must_use]
pub fn fine_quanta(scaled: f64) -> i128 {
    let whole = scaled as i64;
    let rest = ((scaled - whole as f64) * f64::from(1u32 << FINE_BITS)) as i64;
    (i128::from(whole) << FINE_BITS) + i128::from(rest)
}

fn power_of_two(exponent: i32) -> f64 {
    // Normal range only: |exponent| <= 1022 by construction of `Quantum`.
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// The smallest and largest value of a feature: what its quantum is derived from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Smallest value, `+inf` before the first.
    pub min: f64,
    /// Largest value, `-inf` before the first.
    pub max: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { min: f64::INFINITY, max: f64::NEG_INFINITY }
    }
}

impl Bounds {
    /// Widens the bounds to hold `value`; NaN is ignored.
    #[inline]
    pub fn include(&mut self, value: f64) {
        // `-0.0` and `0.0` compare equal: normalise, so that the bits do not depend on which came first.
        let value = value + 0.0;
        if value < self.min {
            self.min = value;
        }
        if value > self.max {
            self.max = value;
        }
    }

    /// Widens these bounds to hold `other`.
    pub fn merge(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// True before the first value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.min > self.max
    }

    /// The largest absolute value; 0 when empty.
    #[must_use]
    pub fn max_abs(&self) -> f64 {
        if self.is_empty() { 0.0 } else { self.min.abs().max(self.max.abs()) }
    }

    /// The largest distance of a value within the bounds from `point`; 0 when empty.
    #[must_use]
    pub fn reach(&self, point: f64) -> f64 {
        if self.is_empty() { 0.0 } else { (point - self.min).abs().max((self.max - point).abs()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_mean_is_as_good_as_the_float() {
        let q = Quantum::for_bound(10.0);
        let sum: i128 = (0..1000).map(|i| i128::from(q.quanta(f64::from(i) / 100.0))).sum();
        assert!((q.mean(sum, 1000) - 4.995).abs() < 1e-15);
        assert_eq!(q.mean(0, 0), 0.0);
    }

    #[test]
    fn one_far_point_does_not_drown_small_squares() {
        let q = FineQuantum::for_bound(1e20);
        let sum: i128 = (1..=1000).map(|i| q.quanta(f64::from(i) / 1000.0)).sum();
        assert!((q.mean(sum, 1000) - 0.5005).abs() < 1e-7, "{}", q.mean(sum, 1000));
        assert!((q.value(q.quanta(1e20)) - 1e20).abs() < 1e5);
        for bound in [0.0, 5e-324, 1e-300, f64::MAX, f64::INFINITY, f64::NAN] {
            let q = FineQuantum::for_bound(bound);
            assert!(q.value(q.quanta(bound.min(1e300))).is_finite());
        }
    }

    #[test]
    fn extremes_do_not_panic() {
        for bound in [0.0, f64::MIN_POSITIVE, 5e-324, 1.0, 1e308, f64::MAX, f64::INFINITY, f64::NAN] {
            let q = Quantum::for_bound(bound);
            assert!(q.scale().is_finite() && q.scale() > 0.0);
            if bound.is_finite() {
                let relative = (q.value(i128::from(q.quanta(bound))) - bound).abs();
                assert!(relative <= bound * 1e-15 + f64::MIN_POSITIVE, "{bound}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_order_and_split_gives_the_same_bits(
            mut values in proptest::collection::vec(-1e6f64..1e6, 1..200),
            cut in 0usize..200,
        ) {
            let q = Quantum::for_bound(1e6);
            let add = |v: &[f64]| v.iter().map(|x| i128::from(q.quanta(*x))).sum::<i128>();
            let whole = add(&values);
            let cut = cut.min(values.len());
            prop_assert_eq!(whole, add(&values[..cut]) + add(&values[cut..]));
            values.reverse();
            prop_assert_eq!(whole, add(&values));
            let naive: f64 = values.iter().sum();
            prop_assert!((q.value(whole) - naive).abs() <= 1e-9 * (1.0 + naive.abs()));
        }
    }
}
