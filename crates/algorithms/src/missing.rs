//! Which features are missing together.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Patterns that are counted separately in one part: those of most rows.
const MOST_PATTERNS: usize = 1_024;

/// Rows by the set of features that they miss, a bit mask.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingPatterns {
    /// `(mask, rows)`, those of most rows first, then by mask. A row that misses nothing has the mask 0.
    counts: Vec<(u64, u64)>,
    /// Rows whose patterns are not counted separately.
    others: u64,
}

impl MissingPatterns {
    /// Counts the rows of one part. Beyond 1,024 patterns, the rows of the rarest are counted together.
    #[must_use]
    pub fn of_part(counts: HashMap<u64, u64>) -> Self {
        let mut patterns = Self { counts: counts.into_iter().collect(), others: 0 };
        patterns.sort();
        let rare = patterns.counts.drain(MOST_PATTERNS.min(patterns.counts.len())..);
        patterns.others = rare.map(|(_, rows)| rows).sum();
        patterns
    }

    /// Combines the counts of all parts.
    #[must_use]
    pub fn merge(parts: &[Self]) -> Self {
        let mut counts: HashMap<u64, u64> = HashMap::new();
        for (mask, rows) in parts.iter().flat_map(|part| &part.counts) {
            *counts.entry(*mask).or_default() += rows;
        }
        let others = parts.iter().map(|part| part.others).sum();
        let mut merged = Self { counts: counts.into_iter().collect(), others };
        merged.sort();
        merged
    }

    fn sort(&mut self) {
        self.counts.sort_unstable_by_key(|(mask, rows)| (std::cmp::Reverse(*rows), *mask));
    }

    /// The patterns of most rows, `(mask, rows)`, and the rows of all others.
    #[must_use]
    pub fn most_frequent(&self, most: usize) -> (&[(u64, u64)], u64) {
        let (first, rest) = self.counts.split_at(most.min(self.counts.len()));
        (first, self.others + rest.iter().map(|(_, rows)| rows).sum::<u64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_lumps() {
        let part = |counts: &[(u64, u64)]| MissingPatterns::of_part(counts.iter().copied().collect());
        let merged = MissingPatterns::merge(&[part(&[(0, 5), (3, 2)]), part(&[(1, 2), (3, 9)])]);
        assert_eq!(merged.most_frequent(2), (&[(3, 11), (0, 5)][..], 2));
        assert_eq!(merged, MissingPatterns::merge(&[part(&[(1, 2), (3, 9)]), part(&[(0, 5), (3, 2)])]));
        let many = MissingPatterns::of_part((0..2_000).map(|mask| (mask, 1)).collect());
        assert_eq!(many.most_frequent(2_000).1, 2_000 - 1_024);
    }
}
