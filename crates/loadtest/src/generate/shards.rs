//! Which customers each file holds.

use std::ops::Range;

use super::options::{GenerateError, GenerateOptions, Schema};
use super::random::inverse_power;

/// The customers of one output file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardRange {
    /// Position among the shards, from 0.
    pub index: usize,
    /// Indices of its customers.
    pub rows: Range<u64>,
    /// What its rows are.
    pub schema: Schema,
}

impl ShardRange {
    /// `customers-NNNNN.parquet` or `orders-NNNNN.parquet`: the names sort in row order.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{:05}.parquet", self.schema.file_stem(), self.index)
    }
}

/// The shards of `options` in row order. Without a skew their sizes differ by one customer at most, the larger ones first;
/// with one, shard `i` (from 1) has a share in proportion to `i^-shard_skew`, and no shard is empty.
///
/// # Errors
///
/// When an option is out of its range; nothing else is checked or done.
pub fn shards(options: &GenerateOptions) -> Result<Vec<ShardRange>, GenerateError> {
    options.validate()?;
    let starts = if options.shard_skew > 0.0 { skewed(options) } else { equal(options) };
    let ranges = starts.windows(2).map(|pair| pair[0]..pair[1]).enumerate();
    Ok(ranges.map(|(index, rows)| ShardRange { index, rows, schema: options.schema }).collect())
}

/// Where each shard starts, and where the last one ends.
fn equal(options: &GenerateOptions) -> Vec<u64> {
    let count = options.shards as u64;
    let (size, larger) = (options.rows / count, options.rows % count);
    (0..=count).map(|shard| shard * size + shard.min(larger)).collect()
}

fn skewed(options: &GenerateOptions) -> Vec<u64> {
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=options.shards)
        .map(|shard| {
            sum += inverse_power(shard as f64, options.shard_skew);
            sum
        })
        .collect();
    // One customer each, and of the others as many as the share asks for.
    let others = options.rows - options.shards as u64;
    let mut starts = vec![0];
    for (shard, part) in sums.iter().enumerate() {
        let so_far = if shard + 1 == options.shards { others } else { (part / sum * others as f64) as u64 };
        starts.push(shard as u64 + 1 + so_far.min(others));
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_cover_the_rows_once() {
        for (rows, count, shard_skew) in [
            (1, 1, 0.0),
            (10, 3, 0.0),
            (12, 4, 0.0),
            (100_001, 100_000, 0.0),
            (10, 10, 2.0),
            (1_000_000, 7, 1.0),
            (100_001, 100_000, 4.0),
        ] {
            let options = GenerateOptions { rows, shards: count, shard_skew, ..GenerateOptions::default() };
            let shards = shards(&options).unwrap();
            assert_eq!(shards.len(), count);
            let mut next = 0;
            for (index, shard) in shards.iter().enumerate() {
                assert_eq!((shard.index, shard.rows.start), (index, next));
                let size = shard.rows.end - next;
                assert!(size >= 1);
                assert!(shard_skew > 0.0 || (rows / count as u64..=rows.div_ceil(count as u64)).contains(&size));
                next = shard.rows.end;
            }
            assert_eq!(next, rows);
        }
        let last = ShardRange { index: 99_999, rows: 0..1, schema: Schema::Features };
        assert_eq!(last.file_name(), "customers-99999.parquet");
    }

    #[test]
    fn shards_are_as_skewed_as_they_should_be() {
        let options = GenerateOptions { rows: 2_500_000, shards: 4, shard_skew: 1.0, ..GenerateOptions::default() };
        let sizes: Vec<f64> =
            shards(&options).unwrap().iter().map(|shard| (shard.rows.end - shard.rows.start) as f64).collect();
        for (i, size) in sizes.iter().enumerate() {
            let expected = 1_200_000.0 / (i as f64 + 1.0);
            assert!((size - expected).abs() < 3.0, "{sizes:?}");
        }
    }
}
