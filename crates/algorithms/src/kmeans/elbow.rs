//! The elbow of an inertia curve by the kneedle rule (Satopaa et al., ICDCS Workshops 2011).

use serde::{Deserialize, Serialize};

/// Differences of prominence up to this are rounding: a straight line has no elbow.
const ROUNDING: f64 = 1e-12;

/// The elbow, and how sharp it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Elbow {
    /// The chosen k.
    pub k: usize,
    /// How far the curve lies below its chord at k, as a share of the curve's height: 0 for a straight line, towards 1
    /// for a sharp elbow.
    pub prominence: f64,
}

/// How far the curve of inertia over k, scaled to the unit square, lies below the line between its ends, for each k. `curve` is
/// `(k, inertia)` by ascending k. All are 0 for one or two points, and for a curve that does not fall.
#[must_use]
pub fn prominences(curve: &[(usize, f64)]) -> Vec<f64> {
    let (Some(first), Some(last)) = (curve.first(), curve.last()) else { return vec![] };
    let (width, height) = ((last.0 - first.0) as f64, first.1 - last.1);
    let of = |(k, inertia): &(usize, f64)| {
        if width > 0.0 && height > 0.0 { 1.0 - (k - first.0) as f64 / width - (inertia - last.1) / height } else { 0.0 }
    };
    curve.iter().map(of).collect()
}

/// The k of the largest of the [`prominences`]; ties go to the smaller k. With one or two points, or a curve that
/// nowhere lies below the line, it is the smallest k with prominence 0. `None` for an empty curve.
#[must_use]
pub fn elbow(curve: &[(usize, f64)]) -> Option<Elbow> {
    let mut best = Elbow { k: curve.first()?.0, prominence: 0.0 };
    for ((k, _), prominence) in curve.iter().zip(prominences(curve)) {
        if prominence > best.prominence + ROUNDING {
            best = Elbow { k: *k, prominence };
        }
    }
    Some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_corner() {
        let curve = [(2, 100.0), (3, 40.0), (4, 12.0), (5, 10.0), (6, 8.5), (7, 8.0)];
        assert_eq!(elbow(&curve).map(|e| e.k), Some(4));
    }

    #[test]
    fn degenerate_curves() {
        assert_eq!(elbow(&[]), None);
        assert_eq!(elbow(&[(3, 5.0)]), Some(Elbow { k: 3, prominence: 0.0 }));
        assert_eq!(elbow(&[(2, 5.0), (3, 5.0), (4, 5.0)]), Some(Elbow { k: 2, prominence: 0.0 }));
    }
}
