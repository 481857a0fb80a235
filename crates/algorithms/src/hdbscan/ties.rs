//! Distances that are equal except for rounding.
//!
//! The condensed tree merges everything that comes together at one height at once, so it has to know which heights are
//! the same. With whole numbers many distances are equal, and after scaling they differ in their last bits. Without
//! this module, the order in which a cluster splits, and whether it has the size it needs, would depend on which of
//! them came out smaller. How far equal distances can lie apart follows from how large the scaled values are, and
//! distances that close are treated as equal.

use super::condensed_tree::Edge;
use crate::scalers::Scaler;
use crate::sums::Bounds;

/// How far apart two equal distances may come out: `absolute + relative * distance`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rounding {
    absolute: f64,
    relative: f64,
}

impl Rounding {
    /// For the distances of scaled points, from the scaler and the bounds of each feature.
    ///
    /// A scaled value `x` of magnitude `m` at most, with `c = |center| / scale`, comes from one of magnitude `m + c`, which is
    /// rounded as it was read and transformed, and is rounded again as it is centred and divided: an error of at most
    /// `eps (2.5 m + c)`. The difference of two has twice that, and so has, by the triangle inequality, their distance, with the
    /// root of the sum of squares over the features; computing it adds `eps (d / 2 + 2)` times the distance. Two distances
    /// differ by twice all that.
    #[must_use]
    pub fn new(scalers: &[Scaler], bounds: &[Bounds]) -> Self {
        let squares = scalers.iter().zip(bounds).map(|(scaler, bounds)| {
            let error = 5.0 * bounds.max_abs() + 2.0 * (scaler.center / scaler.scale).abs();
            error * error
        });
        Self {
            absolute: 2.0 * f64::EPSILON * squares.sum::<f64>().sqrt(),
            relative: f64::EPSILON * (scalers.len() as f64 + 4.0),
        }
    }

    fn within(&self, distance: f64) -> f64 {
        self.absolute + self.relative * distance
    }

    /// Gives edges that are equal except for rounding one length, that of the shortest of them. `edges` are sorted and
    /// stay so.
    pub fn settle(&self, edges: &mut [Edge]) {
        let (mut level, mut end) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        for edge in edges {
            if edge.distance > end {
                level = edge.distance;
                end = level + self.within(level);
            }
            edge.distance = level;
        }
    }

    /// Gives core distances that equal the length of an edge, except for rounding, exactly that length. `edges` are
    /// settled.
    pub fn settle_core_distances(&self, cores: &mut [f64], edges: &[Edge]) {
        for core in cores {
            let above = edges.partition_point(|edge| edge.distance <= *core);
            let (below, above) = (above.checked_sub(1).and_then(|i| edges.get(i)), edges.get(above));
            if let Some(below) = below.filter(|below| *core - below.distance <= self.within(below.distance)) {
                *core = below.distance;
            } else if let Some(above) = above.filter(|above| above.distance - *core <= self.within(above.distance)) {
                *core = above.distance;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalers::Transform;

    #[test]
    fn only_what_rounding_sets_apart_is_one() {
        let scaler = Scaler { transform: Transform::None, center: 1000.0, scale: 10.0 };
        let rounding = Rounding::new(&[scaler], &[Bounds { min: -2.0, max: 2.0 }]);
        let ulp = 1e-15;
        let lengths = [0.1, 0.1 + ulp, 0.1 + 2.0 * ulp, 0.1 + 1e-9, 0.3 - ulp, 0.3];
        let mut edges: Vec<Edge> = lengths.iter().map(|distance| Edge { distance: *distance, a: 0, b: 1 }).collect();
        rounding.settle(&mut edges);
        let settled: Vec<f64> = edges.iter().map(|edge| edge.distance).collect();
        assert_eq!(settled, [0.1, 0.1, 0.1, 0.1 + 1e-9, 0.3 - ulp, 0.3 - ulp]);
        let mut cores = [0.05, 0.1 - ulp, 0.1 + 3.0 * ulp, 0.2, 0.3 + ulp, 9.0];
        rounding.settle_core_distances(&mut cores, &edges);
        assert_eq!(cores, [0.05, 0.1, 0.1, 0.2, 0.3 - ulp, 9.0]);
    }
}
