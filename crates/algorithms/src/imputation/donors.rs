//! The rows that values are taken from.

use std::collections::BTreeMap;

use super::{MAX_FEATURES, bits, mask_of, pattern};

/// Donor rows, by the features that they have. A row takes 8 bytes for each of them; a row without any is left out.
#[derive(Debug, Clone)]
pub struct Donors {
    features: usize,
    rows: usize,
    groups: BTreeMap<u64, Group>,
}

/// The donors of one pattern, `n x (features of the pattern)`, row-major, without a missing cell.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) pattern: u64,
    pub(super) width: usize,
    pub(super) values: Vec<f64>,
}

impl Group {
    pub(super) fn rows(&self) -> usize {
        self.values.len() / self.width
    }

    /// Where in a row of the group the features of `mask` are.
    pub(super) fn places(&self, mask: u64) -> Vec<usize> {
        bits(mask).map(|feature| (self.pattern & mask_of(feature)).count_ones() as usize).collect()
    }

    /// Makes room for `more` values. Growing by an eighth, not by doubling, keeps the memory near what is needed.
    fn reserve(&mut self, more: usize) {
        if self.values.capacity() - self.values.len() < more {
            self.values.reserve_exact(more.max(self.values.len() / 8));
        }
    }
}

impl Donors {
    /// No donors yet, of `features` columns.
    ///
    /// # Panics
    /// With more than [`MAX_FEATURES`] columns, or none.
    #[must_use]
    pub fn new(features: usize) -> Self {
        assert!((1..=MAX_FEATURES).contains(&features), "{features} features, not 1 to {MAX_FEATURES}");
        Self { features, rows: 0, groups: BTreeMap::new() }
    }

    /// Adds rows (`n x d`, row-major, NaN for a missing cell). Fewer than 2^31 donors may have the same pattern.
    ///
    /// # Panics
    /// When they are more.
    pub fn extend(&mut self, rows: &[f64]) {
        let all = mask_of(self.features);
        let mut rest = rows.chunks_exact(self.features);
        let mut next = rest.next().map(|row| (pattern(row), row));
        let mut start = 0;
        while let Some((mask, _)) = next {
            // Rows of one pattern that follow one another are added together.
            let mut count = 0;
            while let Some((other, _)) = next
                && other == mask
            {
                count += 1;
                next = rest.next().map(|row| (pattern(row), row));
            }
            let run = &rows[start..start + count * self.features];
            start += run.len();
            if mask == 0 {
                continue;
            }
            let width = mask.count_ones() as usize;
            let group = self.groups.entry(mask).or_insert_with(|| Group { pattern: mask, width, values: vec![] });
            group.reserve(count * width);
            if mask == all {
                group.values.extend_from_slice(run);
            } else {
                group.values.extend(run.iter().filter(|value| !value.is_nan()));
            }
            assert!(group.rows() < 1 << 31, "too many donors of one pattern");
            self.rows += count;
        }
    }

    /// Number of donors.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.groups.values().map(|group| size_of::<Group>() + 8 * group.values.capacity()).sum()
    }

    /// The groups, the largest first: the sooner near donors are known, the less of the others is searched.
    pub(super) fn into_groups(self) -> Vec<Group> {
        let mut groups: Vec<Group> = self.groups.into_values().collect();
        groups.iter_mut().for_each(|group| group.values.shrink_to_fit());
        groups.sort_by_key(|group| std::cmp::Reverse(group.rows()));
        groups
    }
}
