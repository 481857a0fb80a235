//! Exact quantiles of distributed data by refining histograms.
//!
//! An `f64` maps to a `u64` *key* of the same order. The search for the value at a rank starts from a bracket of keys:
//! that of a [`QuantileSketch`], or the feature's smallest to largest value. A pass counts the keys that fall in each
//! of 1,024 equal bins of it, the bin that holds the rank becomes the next bracket, and so on. Once a bracket holds few
//! values they are fetched and sorted, and once it holds one distinct value, that is the answer. Counts are integers,
//! so the answer does not depend on partitioning. Passes over the data serve all features, groups and ranks together:
//! one or two after a sketch, two to four without.
//!
//! ```text
//!   [min ........................ max]   the sketch, or pass 1: counts of bins
//!             [.rank.]                   pass 2: counts within the bin
//!              values                    pass 3: the few values left
//! ```
//!
//! The interpolation is numpy's default (`linear`, type 7 of Hyndman and Fan, The American Statistician 1996).

mod sketch;

use serde::{Deserialize, Serialize};

pub use sketch::{QuantileSketch, SKETCH_BITS, SketchBin, SketchCounter};

const BINS: u64 = 1024;
/// Brackets with at most this many values are fetched, not counted.
const FEW: u64 = 8192;

/// An order-preserving map of non-NaN `f64` to `u64`; `-0.0` and `0.0` share a key.
#[inline]
#[must_use]
pub fn key(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// The inverse of [`key`].
#[must_use]
pub fn value_of(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

/// A range of keys, both ends included, and what a pass over the data has to return for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bracket {
    low: u64,
    high: u64,
    /// Fetch the values instead of counting them.
    fetch: bool,
}

impl Bracket {
    fn width(&self) -> u64 {
        // ceil((high - low + 1) / BINS) without overflow
        (self.high - self.low) / BINS + 1
    }
}

/// The keys of a bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Bin {
    count: u64,
    low: u64,
    high: u64,
}

impl Bin {
    const EMPTY: Self = Self { count: 0, low: u64::MAX, high: 0 };

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
    }
}

/// The bins of a bracket that hold a key, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bins(Vec<(u32, Bin)>);

/// What one partition tells about a bracket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BracketCounts {
    /// Counts by bin.
    Bins(Bins),
    /// Keys within the bracket.
    Keys(Vec<u64>),
}

/// Counts the values of one partition against one bracket.
#[derive(Debug, Clone)]
pub struct BracketCounter {
    bracket: Bracket,
    width: u64,
    bins: Vec<Bin>,
    keys: Vec<u64>,
}

impl BracketCounter {
    /// A counter with nothing counted. Holds 24 KiB, or up to 8 bytes a value for a bracket of few values.
    #[must_use]
    pub fn new(bracket: Bracket) -> Self {
        let bins = if bracket.fetch { vec![] } else { vec![Bin::EMPTY; BINS as usize] };
        Self { bracket, width: bracket.width(), bins, keys: vec![] }
    }

    /// Counts one non-NaN value.
    #[inline]
    pub fn add(&mut self, value: f64) {
        let key = key(value);
        if key < self.bracket.low || key > self.bracket.high {
            return;
        }
        if self.bracket.fetch {
            self.keys.push(key);
        } else {
            self.bins[((key - self.bracket.low) / self.width) as usize].merge(&Bin { count: 1, low: key, high: key });
        }
    }

    /// The counts, ready to be sent.
    #[must_use]
    pub fn finish(mut self) -> BracketCounts {
        if self.bracket.fetch {
            self.keys.sort_unstable();
            return BracketCounts::Keys(self.keys);
        }
        let counts = self.bins.iter().enumerate().filter(|(_, bin)| bin.count > 0);
        BracketCounts::Bins(Bins(counts.map(|(place, bin)| (place as u32, *bin)).collect()))
    }
}

/// The search for the value at one rank.
#[derive(Debug, Clone)]
struct RankSearch {
    /// 0-based rank within the bracket.
    rank: u64,
    bracket: Bracket,
    found: Option<f64>,
}

/// The search for one quantile of `count` values: the two order statistics around it, and how to interpolate.
#[derive(Debug, Clone)]
pub struct QuantileSearch {
    lower: RankSearch,
    upper: RankSearch,
    fraction: f64,
}

impl QuantileSearch {
    /// Starts the search for quantile `q` (in `[0, 1]`) of `count` non-NaN values between `min` and `max`.
    /// Returns `None` when there is no value.
    #[must_use]
    pub fn new(q: f64, count: u64, min: f64, max: f64) -> Option<Self> {
        if count == 0 || min > max {
            return None;
        }
        let position = q.clamp(0.0, 1.0) * (count - 1) as f64;
        let lower = position.floor();
        let bracket = Bracket { low: key(min), high: key(max), fetch: count <= FEW };
        let search = |rank: f64| RankSearch {
            rank: (rank as u64).min(count - 1),
            bracket,
            found: (bracket.low == bracket.high).then(|| value_of(bracket.low)),
        };
        Some(Self { lower: search(lower), upper: search(lower + 1.0), fraction: position - lower })
    }

    /// Starts the search for quantile `q` (in `[0, 1]`) of the values that a sketch was made of, from its bins. Returns `None`
    /// when there is no value.
    #[must_use]
    pub fn from_sketch(q: f64, sketch: &QuantileSketch) -> Option<Self> {
        let last = sketch.count().checked_sub(1)?;
        let position = q.clamp(0.0, 1.0) * last as f64;
        let lower = position.floor();
        let search = |rank: f64| {
            let (bin, rank) = sketch.at((rank as u64).min(last))?;
            let bin = Bin { count: bin.count, low: key(bin.low), high: key(bin.high) };
            Some(RankSearch::within(&bin, rank))
        };
        Some(Self { lower: search(lower)?, upper: search(lower + 1.0)?, fraction: position - lower })
    }

    /// The brackets that the next pass must count, without repetition; empty when the search is over.
    #[must_use]
    pub fn brackets(&self) -> Vec<Bracket> {
        let mut open: Vec<Bracket> =
            [&self.lower, &self.upper].into_iter().filter(|s| s.found.is_none()).map(|s| s.bracket).collect();
        open.dedup();
        open
    }

    /// Takes the counts of one bracket, one item a partition.
    pub fn narrow(&mut self, bracket: &Bracket, counts: &[BracketCounts]) {
        for search in [&mut self.lower, &mut self.upper] {
            if search.found.is_none() && search.bracket == *bracket {
                search.narrow(counts);
            }
        }
    }

    /// The quantile once the search is over.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.value_of(|value| value)
    }

    /// The quantile of the values after an increasing function.
    #[must_use]
    pub fn value_of(&self, function: impl Fn(f64) -> f64) -> Option<f64> {
        Some(type7(function(self.lower.found?), function(self.upper.found?), self.fraction))
    }
}

/// Between two order statistics, as numpy does: from the nearer end, so that the result stays within `[lower, upper]`.
fn type7(lower: f64, upper: f64, fraction: f64) -> f64 {
    let difference = upper - lower;
    if fraction >= 0.5 { upper - difference * (1.0 - fraction) } else { lower + difference * fraction }
}

impl RankSearch {
    /// The search for the value at a rank of a bin. Its ends are known.
    fn within(bin: &Bin, rank: u64) -> Self {
        let found = match rank {
            0 => Some(bin.low),
            rank if rank + 1 == bin.count => Some(bin.high),
            _ => (bin.low == bin.high).then_some(bin.low),
        };
        let bracket = Bracket { low: bin.low, high: bin.high, fetch: bin.count <= FEW };
        Self { rank, bracket, found: found.map(value_of) }
    }

    fn narrow(&mut self, counts: &[BracketCounts]) {
        if self.bracket.fetch {
            let mut keys: Vec<u64> = Vec::new();
            for count in counts {
                if let BracketCounts::Keys(some) = count {
                    keys.extend_from_slice(some);
                }
            }
            keys.sort_unstable();
            self.found = keys.get(self.rank as usize).copied().map(value_of);
            return;
        }
        let mut bins = vec![Bin::EMPTY; BINS as usize];
        for count in counts {
            if let BracketCounts::Bins(Bins(some)) = count {
                for (place, bin) in some {
                    bins[*place as usize].merge(bin);
                }
            }
        }
        for bin in bins {
            if self.rank < bin.count {
                *self = Self::within(&bin, self.rank);
                return;
            }
            self.rank -= bin.count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quantile(parts: &[Vec<f64>], q: f64) -> Option<f64> {
        let all: Vec<f64> = parts.concat();
        let (min, max) = all.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(*x), b.max(*x)));
        search(QuantileSearch::new(q, all.len() as u64, min, max)?, parts, 8)
    }

    fn search(mut search: QuantileSearch, parts: &[Vec<f64>], passes: usize) -> Option<f64> {
        for _ in 0..=passes {
            let open = search.brackets();
            if open.is_empty() {
                return search.value();
            }
            for bracket in open {
                let counts: Vec<_> = parts
                    .iter()
                    .map(|part| {
                        let mut counter = BracketCounter::new(bracket);
                        part.iter().for_each(|x| counter.add(*x));
                        counter.finish()
                    })
                    .collect();
                search.narrow(&bracket, &counts);
            }
        }
        panic!("not found in {passes} passes")
    }

    fn numpy_linear(mut all: Vec<f64>, q: f64) -> f64 {
        all.sort_by(f64::total_cmp);
        let position = q * (all.len() - 1) as f64;
        let low = position.floor() as usize;
        let high = (low + 1).min(all.len() - 1);
        let t = position - low as f64;
        let d = all[high] - all[low];
        if t >= 0.5 { all[high] - d * (1.0 - t) } else { all[low] + d * t }
    }

    /// The same from a sketch, in so many passes at most.
    fn from_sketch(parts: &[Vec<f64>], q: f64, passes: usize) -> Option<f64> {
        let mut sketch = QuantileSketch::default();
        for part in parts {
            let mut counter = SketchCounter::new(SKETCH_BITS);
            part.iter().for_each(|x| counter.add(*x));
            sketch.merge(&counter.finish());
        }
        search(QuantileSearch::from_sketch(q, &sketch)?, parts, passes)
    }

    #[test]
    fn many_values_in_few_places() {
        let parts: Vec<Vec<f64>> = (0..4).map(|p| (0..5000).map(|i| f64::from((i * 7 + p) % 13)).collect()).collect();
        for q in [0.0, 0.1, 0.25, 0.5, 0.75, 0.999, 1.0] {
            assert_eq!(quantile(&parts, q), Some(numpy_linear(parts.concat(), q)));
            assert_eq!(from_sketch(&parts, q, 0), Some(numpy_linear(parts.concat(), q)));
        }
        assert_eq!(quantile(&[vec![]], 0.5), None);
    }

    proptest! {
        #[test]
        fn keys_keep_the_order(a in -1e300f64..1e300, b in -1e300f64..1e300) {
            prop_assert_eq!(a < b, key(a) < key(b));
            prop_assert_eq!(value_of(key(a)), a);
        }

        #[test]
        fn equals_numpy_for_any_partitioning(
            parts in proptest::collection::vec(proptest::collection::vec(-1e9f64..1e9, 0..4000), 1..4), q in 0.0f64..=1.0,
        ) {
            prop_assume!(parts.iter().any(|p| !p.is_empty()));
            prop_assert_eq!(quantile(&parts, q), Some(numpy_linear(parts.concat(), q)));
            prop_assert_eq!(from_sketch(&parts, q, 2), Some(numpy_linear(parts.concat(), q)));
        }
    }
}
