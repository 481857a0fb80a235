//! Distances of a row to many centroids, eight at a time.
//!
//! Centroids are stored column by column, eight beside each other, so that the distances to eight of them are a few
//! vector instructions a column. Each distance is added up in the order of the columns: the same bits with vectors of
//! any width. Functions marked for inlining are compiled for the vector width of the machine, as part of what [`pulp`]
//! dispatches.

/// Centroids whose distances are computed together.
pub(super) const LANES: usize = 8;

/// The centroids of one candidate.
pub(super) struct CentroidLanes {
    /// Groups of eight centroids, `d` columns each; those that are missing lie infinitely far.
    columns: Vec<[f64; LANES]>,
}

impl CentroidLanes {
    /// From `centroids` (`k x d`). A centroid for which `is_there` is false is never the nearest.
    pub(super) fn new(centroids: &[f64], d: usize, is_there: impl Fn(usize) -> bool) -> Self {
        let k = centroids.len() / d.max(1);
        let mut columns = vec![[f64::INFINITY; LANES]; k.div_ceil(LANES) * d];
        for (c, centroid) in centroids.chunks_exact(d.max(1)).enumerate().filter(|(c, _)| is_there(*c)) {
            for (j, value) in centroid.iter().enumerate() {
                columns[c / LANES * d + j][c % LANES] = *value;
            }
        }
        Self { columns }
    }

    /// Calls `found` with the number of each group's first centroid and the squared distances of `row` to the group.
    #[inline(always)]
    pub(super) fn squared_distances(&self, row: &[f64], mut found: impl FnMut(usize, &[f64; LANES])) {
        for (group, centroids) in self.columns.chunks_exact(row.len()).enumerate() {
            let mut distances = [0.0; LANES];
            for (value, column) in row.iter().zip(centroids) {
                for lane in 0..LANES {
                    let difference = value - column[lane];
                    distances[lane] += difference * difference;
                }
            }
            found(group * LANES, &distances);
        }
    }

    /// The nearest centroid, of equal ones the first, and the squared distance to it.
    #[inline(always)]
    pub(super) fn nearest(&self, row: &[f64]) -> (usize, f64) {
        let (mut best, mut least) = (0, f64::INFINITY);
        self.squared_distances(row, |first, distances| {
            for (lane, distance) in distances.iter().enumerate() {
                if *distance < least {
                    (best, least) = (first + lane, *distance);
                }
            }
        });
        (best, least)
    }
}
