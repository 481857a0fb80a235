//! [`SpacePartition`]: cuts space into cells that hold about the same number of rows.

use crate::rows::Rows;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// A kd-partition of space: a cell for every leaf of a binary tree of cuts. The cuts are medians of a sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpacePartition {
    cells: u32,
    /// In preorder; a tree of `c` cells has `c - 1` cuts.
    cuts: Vec<Cut>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Cut {
    column: u32,
    /// Points below it go left.
    value: f64,
}

impl SpacePartition {
    /// Cuts space into `cells` (at least 1) along the columns in which `sample` is widest. Depends on the set of
    /// sampled points alone. A cell may turn out empty, where many sampled points are equal.
    #[must_use]
    pub fn new(sample: &Array2<f64>, cells: u32) -> Self {
        let cells = cells.max(1);
        let mut rows: Vec<&[f64]> = sample.row_slices().collect();
        let mut cuts = Vec::with_capacity(cells as usize - 1);
        cut(&mut rows, sample.ncols(), cells, &mut cuts);
        Self { cells, cuts }
    }

    /// Number of cells.
    #[must_use]
    pub fn cells(&self) -> u32 {
        self.cells
    }

    /// The cell of a point.
    #[must_use]
    pub fn cell_of(&self, point: &[f64]) -> u32 {
        let (mut index, mut first, mut cells) = (0, 0, self.cells);
        while cells > 1 {
            let left = cells.div_ceil(2);
            let cut = self.cuts[index];
            if point[cut.column as usize] < cut.value {
                (index, cells) = (index + 1, left);
            } else {
                (index, first, cells) = (index + left as usize, first + left, cells - left);
            }
        }
        first
    }
}

fn cut(rows: &mut [&[f64]], columns: usize, cells: u32, cuts: &mut Vec<Cut>) {
    if cells == 1 {
        return;
    }
    let left = cells.div_ceil(2);
    let width = |column: usize| {
        let (low, high) = rows
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), row| (low.min(row[column]), high.max(row[column])));
        high - low
    };
    let widest = (0..columns).map(|column| (column, width(column))).reduce(|a, b| if b.1 > a.1 { b } else { a });
    let column = widest.map_or(0, |(column, _)| column);
    let at = (rows.len() as u64 * u64::from(left) / u64::from(cells)) as usize;
    let median = if at < rows.len() {
        rows.select_nth_unstable_by(at, |a, b| a[column].total_cmp(&b[column])).1[column]
    } else {
        0.0
    };
    // If the median is the least value, nothing lies below it, so the cut goes above it.
    let next = rows.iter().map(|row| row[column]).filter(|value| *value > median).reduce(f64::min);
    let value = match next {
        Some(next) if rows.iter().all(|row| row[column] >= median) => next,
        _ => median,
    };
    cuts.push(Cut { column: column as u32, value });
    // By value, not by place: equal points of the sample stay together, as those of the data do.
    let mut sorted = rows.to_vec();
    let (mut below, mut above): (Vec<&[f64]>, Vec<&[f64]>) = sorted.drain(..).partition(|row| row[column] < value);
    cut(&mut below, columns, left, cuts);
    cut(&mut above, columns, cells - left, cuts);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::mix;
    use crate::rows::matrix;

    #[test]
    fn cells_share_the_points_evenly() {
        let values: Vec<f64> = (0..30_000u64).map(|i| (mix(i) % 100_000) as f64).collect();
        let points = matrix(values, 3);
        for cells in [1, 2, 7, 32] {
            let partition = SpacePartition::new(&points, cells);
            let mut counts = vec![0; cells as usize];
            points.row_slices().for_each(|point| counts[partition.cell_of(point) as usize] += 1);
            let fair = 10_000 / cells as usize;
            assert!(counts.iter().all(|count| (fair / 2..=fair * 2).contains(count)), "{cells}: {counts:?}");
        }
    }

    #[test]
    fn equal_points_share_a_cell_and_nothing_panics() {
        let same = matrix(vec![1.5; 30], 3);
        let partition = SpacePartition::new(&same, 8);
        assert!(partition.cell_of(&[1.5; 3]) < 8);
        assert!(SpacePartition::new(&matrix(vec![], 3), 5).cell_of(&[0.0; 3]) < 5);
    }
}
