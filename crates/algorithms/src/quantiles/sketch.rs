//! A sketch of how a feature is distributed: counts in bins that are the same for every feature and every partition.
//!
//! A bin holds the values that share sign, exponent and the first bits of the mantissa, so it is at most `2^-bits` of its
//! values wide (the bins of DDSketch, Masson, Rim and Lee, VLDB 2019, at the powers of two and evenly between them).
//! Each knows its count, its least and its largest value. Merging adds counts: the sketch is the same for any
//! partitioning and order.
//!
//! Where a bin holds one distinct value, as with whole numbers up to `2^(bits + 1)`, a quantile that falls into it is exact;
//! elsewhere the bin is the bracket that a [`QuantileSearch`](super::QuantileSearch) starts from.

use serde::{Deserialize, Serialize};

use super::{key, type7, value_of};
use crate::sums::Bounds;

/// Bits of the mantissa that tell bins apart, unless a finer sketch is asked for: a bin is 0.4 % wide.
pub const SKETCH_BITS: u32 = 8;

/// Bits of sign and exponent: as many pages of bins.
const PAGE_BITS: u32 = 12;

/// A bin that holds a value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SketchBin {
    /// Its values.
    pub count: u64,
    /// The least of them.
    pub low: f64,
    /// The largest of them.
    pub high: f64,
}

/// Counts values into bins. Holds `24 * 2^bits` bytes for each binade that occurs (6 KiB with [`SKETCH_BITS`]), and 32 KiB.
#[derive(Debug, Clone)]
pub struct SketchCounter {
    bits: u32,
    pages: Vec<Option<Box<[KeyBin]>>>,
}

#[derive(Debug, Clone, Copy)]
struct KeyBin {
    count: u64,
    low: u64,
    high: u64,
}

impl SketchCounter {
    /// Without a value. `bits` is 1 to 20.
    #[must_use]
    pub fn new(bits: u32) -> Self {
        Self { bits: bits.clamp(1, 20), pages: vec![None; 1 << PAGE_BITS] }
    }

    /// Counts one value that is not NaN.
    #[inline]
    pub fn add(&mut self, value: f64) {
        let key = key(value);
        let slots = 1 << self.bits;
        let page = &mut self.pages[(key >> (64 - PAGE_BITS)) as usize];
        let empty = KeyBin { count: 0, low: u64::MAX, high: 0 };
        let page = page.get_or_insert_with(|| vec![empty; slots].into());
        let bin = &mut page[(key >> (64 - PAGE_BITS - self.bits)) as usize & (slots - 1)];
        bin.count += 1;
        bin.low = bin.low.min(key);
        bin.high = bin.high.max(key);
    }

    /// Counts column `column` of row-major rows of `columns` values; NaN is skipped.
    pub fn add_column(&mut self, rows: &[f64], columns: usize, column: usize) {
        for value in rows.iter().skip(column).step_by(columns.max(1)).filter(|value| !value.is_nan()) {
            self.add(*value);
        }
    }

    /// What was counted.
    #[must_use]
    pub fn finish(&self) -> QuantileSketch {
        let bins = self.pages.iter().flatten().flat_map(|page| page.iter()).filter(|bin| bin.count > 0);
        let bins = bins.map(|bin| SketchBin { count: bin.count, low: value_of(bin.low), high: value_of(bin.high) });
        QuantileSketch { bits: self.bits, bins: bins.collect() }
    }
}

/// The bins that hold a value, ascending: 24 bytes each. There are up to `2^bits` for each binade of the values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuantileSketch {
    bits: u32,
    bins: Vec<SketchBin>,
}

impl Default for QuantileSketch {
    fn default() -> Self {
        Self { bits: SKETCH_BITS, bins: vec![] }
    }
}

impl QuantileSketch {
    /// Adds what was counted elsewhere, with the same bits.
    pub fn merge(&mut self, other: &Self) {
        debug_assert!(self.bins.is_empty() || self.bits == other.bits, "sketches of different bins");
        self.bits = other.bits;
        let place = |bin: &SketchBin| key(bin.low) >> (64 - PAGE_BITS - other.bits);
        let mut merged: Vec<SketchBin> = Vec::with_capacity(self.bins.len().max(other.bins.len()));
        let (mut ours, mut theirs) = (self.bins.iter().peekable(), other.bins.iter().peekable());
        loop {
            let next = match (ours.peek(), theirs.peek()) {
                (Some(a), Some(b)) if place(a) == place(b) => {
                    let both = SketchBin { count: a.count + b.count, low: a.low.min(b.low), high: a.high.max(b.high) };
                    theirs.next();
                    ours.next().map(|_| both)
                }
                (Some(a), Some(b)) if place(b) < place(a) => theirs.next().copied(),
                (Some(_), _) => ours.next().copied(),
                (None, _) => theirs.next().copied(),
            };
            match next {
                Some(bin) => merged.push(bin),
                None => break,
            }
        }
        self.bins = merged;
    }

    /// Values counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.bins.iter().map(|bin| bin.count).sum()
    }

    /// The least and the largest value, exactly.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        let ends = self.bins.first().zip(self.bins.last());
        ends.map_or_else(Bounds::default, |(first, last)| Bounds { min: first.low, max: last.high })
    }

    /// The mean, off by no more than half the width of a bin in each value; `None` without one.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        let share = |bin: &SketchBin| bin.count as f64 / count as f64 * (0.5 * bin.low + 0.5 * bin.high);
        (count > 0).then(|| self.bins().iter().map(share).sum())
    }

    /// The bins, ascending.
    #[must_use]
    pub fn bins(&self) -> &[SketchBin] {
        &self.bins
    }

    /// The bin of the value at a 0-based rank, and the rank within it.
    pub(super) fn at(&self, mut rank: u64) -> Option<(&SketchBin, u64)> {
        for bin in &self.bins {
            if rank < bin.count {
                return Some((bin, rank));
            }
            rank -= bin.count;
        }
        None
    }

    /// Quantile `q` (in `[0, 1]`), interpolated as [`QuantileSearch`](super::QuantileSearch) does, off by less than `2^-bits` of
    /// itself: values are taken as spread evenly over their bin. `None` without a value.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let last = self.count().checked_sub(1)?;
        let value = |rank: u64| {
            let (bin, within) = self.at(rank.min(last))?;
            let share = if bin.count > 1 { within as f64 / (bin.count - 1) as f64 } else { 0.0 };
            Some((bin.low + (bin.high - bin.low) * share).clamp(bin.low, bin.high))
        };
        let position = q.clamp(0.0, 1.0) * last as f64;
        let lower = position.floor();
        Some(type7(value(lower as u64)?, value(lower as u64 + 1)?, position - lower))
    }

    /// Quantile `q` of the absolute deviations from `center` of the values after an increasing function, off by less than the
    /// width of the bins that it lies between.
    #[must_use]
    pub fn deviation_quantile(&self, function: impl Fn(f64) -> f64, center: f64, q: f64) -> Option<f64> {
        let deviations = self.bins.iter().map(|bin| {
            let (low, high) = (function(bin.low), function(bin.high));
            let (a, b) = ((low - center).abs(), (high - center).abs());
            let around = low < center && center < high;
            SketchBin { count: bin.count, low: if around { 0.0 } else { a.min(b) }, high: a.max(b) }
        });
        let mut bins: Vec<SketchBin> = deviations.collect();
        bins.sort_by(|a, b| a.low.total_cmp(&b.low).then(a.high.total_cmp(&b.high)));
        Self { bits: self.bits, bins }.quantile(q)
    }

    /// Skewness, the third standardised moment, of the values after a function. The most extreme hundredth on either side
    /// counts as the quantile where it begins, so that a few odd values say nothing about the rest. `None` where that
    /// leaves no spread.
    #[must_use]
    pub fn skewness(&self, function: impl Fn(f64) -> f64) -> Option<f64> {
        let (low, high) = (self.quantile(0.01)?, self.quantile(0.99)?);
        let total = self.count() as f64;
        let value = |bin: &SketchBin| function((0.5 * bin.low + 0.5 * bin.high).clamp(low, high));
        let mean = |of: &dyn Fn(f64) -> f64| -> f64 {
            self.bins.iter().map(|bin| bin.count as f64 / total * of(value(bin))).sum()
        };
        let center = mean(&|value| value);
        // In units of the largest deviation, so that powers of very small and very large ones are numbers.
        let (low, high) = (function(low), function(high));
        let reach = (high - center).abs().max((low - center).abs());
        let variance = mean(&|value| ((value - center) / reach).powi(2));
        let third = mean(&|value| ((value - center) / reach).powi(3));
        let skewness = third / (variance * variance.sqrt());
        skewness.is_finite().then_some(skewness)
    }

    /// The least value above which at most `most` values lie, rounded up to the largest value of its bin. So it is off
    /// by less than `2^-bits` of itself, and never so that more values lie above it.
    #[must_use]
    pub fn at_most_above(&self, most: u64) -> Option<f64> {
        let mut above = 0;
        for bin in self.bins.iter().rev() {
            above += bin.count;
            if above > most {
                return Some(bin.high);
            }
        }
        self.bins.first().map(|bin| bin.low)
    }
}

#[cfg(test)]
mod tests {
    use super::super::QuantileSearch;
    use super::*;
    use proptest::prelude::*;

    fn sketch(values: &[f64], bits: u32) -> QuantileSketch {
        let mut counter = SketchCounter::new(bits);
        values.iter().for_each(|value| counter.add(*value));
        counter.finish()
    }

    #[test]
    fn a_mean_is_near() {
        let mut counter = SketchCounter::new(SKETCH_BITS);
        let values: Vec<f64> = (1..5_000).map(|i| f64::from(i * i % 977) - 300.5).collect();
        values.iter().for_each(|value| counter.add(*value));
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let width = values.iter().map(|value| value.abs()).sum::<f64>() / values.len() as f64 / 256.0;
        assert!((counter.finish().mean().unwrap() - mean).abs() < width / 2.0);
        assert_eq!(SketchCounter::new(SKETCH_BITS).finish().mean(), None);
    }

    #[test]
    fn whole_numbers_are_exact() {
        let values: Vec<f64> = (0..5_001).map(|i| f64::from((i * 37) % 500)).collect();
        let sketch = sketch(&values, SKETCH_BITS);
        for (q, expected) in [(0.0, 0.0), (0.25, 124.0), (0.5, 249.0), (0.9, 449.0), (1.0, 499.0)] {
            assert_eq!(sketch.quantile(q), Some(expected));
            assert_eq!(QuantileSearch::from_sketch(q, &sketch).unwrap().value(), Some(expected));
        }
        assert_eq!(QuantileSketch::default().quantile(0.5), None);
    }

    #[test]
    fn at_most_above_is_a_fence() {
        let values: Vec<f64> = (0..1_000).map(f64::from).collect();
        let sketch = sketch(&values, 16);
        assert_eq!(sketch.at_most_above(10), Some(989.0));
        assert_eq!(sketch.at_most_above(0), Some(999.0));
        assert_eq!(sketch.at_most_above(5_000), Some(0.0));
    }

    proptest! {
        #[test]
        fn near_and_the_same_for_any_partitioning(
            values in proptest::collection::vec(prop_oneof![-1e6f64..1e6, Just(0.0), -1.0f64..1.0], 1..400),
            cut in 0usize..400, q in 0.0f64..=1.0,
        ) {
            let whole = sketch(&values, SKETCH_BITS);
            let cut = cut.min(values.len());
            let mut merged = sketch(&values[cut..], SKETCH_BITS);
            merged.merge(&sketch(&values[..cut], SKETCH_BITS));
            prop_assert_eq!(&merged, &whole);
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let position = q * (sorted.len() - 1) as f64;
            let at = position.floor() as usize;
            let (a, b) = (sorted[at], sorted[(at + 1).min(sorted.len() - 1)]);
            let found = whole.quantile(q).unwrap();
            let slack = (a.abs().max(b.abs())) / 256.0;
            prop_assert!((found - type7(a, b, position - position.floor())).abs() <= slack, "{} {} {}", found, a, b);
            prop_assert_eq!(whole.bounds().min, sorted[0] + 0.0);
            prop_assert_eq!(whole.bounds().max, sorted[sorted.len() - 1] + 0.0);
        }
    }
}
