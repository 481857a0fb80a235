//! What is linked, and what merges.

use ndarray::Array2;

/// Points that stand for several rows each.
#[derive(Debug, Clone, Copy)]
pub struct WeightedPoints<'a> {
    /// `n x d`, finite; in an order that does not depend on how rows were split, as it decides between equal distances.
    pub points: &'a Array2<f64>,
    /// Rows of each point, at least 1; `n`.
    pub weights: &'a [u64],
}

/// Two clusters that merge, each named by one of its points, and how far apart they are.
pub(super) type Pair = (f64, u32, u32);
