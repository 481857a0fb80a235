//! Which transform a skewed feature gets.
//!
//! A feature of money or counts has a long tail on one side. Distances and fences then see the tail alone, while a
//! logarithm brings it in (Tukey, Exploratory Data Analysis, 1977, on the ladder of powers).

use super::Transform;
use crate::quantiles::QuantileSketch;

/// Beyond this skewness of either sign a feature is highly skewed (Bulmer, Principles of Statistics, 1979).
pub const SKEWED: f64 = 1.0;
/// A logarithm is good enough if it leaves no more than this share of the skewness.
const LEFT: f64 = 0.5;

/// What a feature is transformed by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TransformChoice {
    /// This.
    This(Transform),
    /// Yeo and Johnson's, whose lambda is still to be found.
    YeoJohnson,
}

/// Chooses by the skewness ([`QuantileSketch::skewness`]) of a feature: nothing for one of at most [`SKEWED`], or of two
/// values; a logarithm where that leaves half of the skewness or less, of either sign, [`Transform::Log1p`] for
/// values of at least 0 and [`Transform::SignedLog1p`] where some are below; otherwise Yeo and Johnson's.
#[must_use]
pub fn choose_transform(sketch: &QuantileSketch) -> TransformChoice {
    const NOTHING: TransformChoice = TransformChoice::This(Transform::None);
    let bounds = sketch.bounds();
    let Some(skewness) = sketch.skewness(|value| value) else { return NOTHING };
    let values = sketch.bins().iter().filter(|bin| bin.low != bin.high).count() + sketch.bins().len();
    if skewness.abs() <= SKEWED || values <= 2 {
        return NOTHING;
    }
    let logarithm = if bounds.min >= 0.0 { Transform::Log1p } else { Transform::SignedLog1p };
    let left = sketch.skewness(|value| logarithm.apply(value)).map(f64::abs);
    if left.is_some_and(|left| left <= LEFT * skewness.abs()) {
        return TransformChoice::This(logarithm);
    }
    TransformChoice::YeoJohnson
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantiles::{SKETCH_BITS, SketchCounter};

    fn chosen(values: impl Iterator<Item = f64>) -> TransformChoice {
        let mut counter = SketchCounter::new(SKETCH_BITS);
        values.for_each(|value| counter.add(value));
        choose_transform(&counter.finish())
    }

    /// Quantiles of the standard normal, of so many equal shares: Winitzki's approximation.
    fn normal(n: u32) -> impl Iterator<Item = f64> {
        (0..n).map(move |i| {
            let x = 2.0 * (f64::from(i) + 0.5) / f64::from(n) - 1.0;
            let (a, log) = (0.147, (1.0 - x * x).ln());
            let b = 2.0 / (std::f64::consts::PI * a) + 0.5 * log;
            (((b * b - log / a).sqrt() - b).sqrt()).copysign(x) * std::f64::consts::SQRT_2
        })
    }

    #[test]
    fn the_transform_follows_the_skewness() {
        let nothing = TransformChoice::This(Transform::None);
        assert_eq!(chosen(normal(10_000)), nothing);
        assert_eq!(chosen(normal(10_000).map(|z| 50.0 + 10.0 * z)), nothing);
        let money = || normal(10_000).map(|z| (4.0 + z).exp());
        assert_eq!(chosen(money()), TransformChoice::This(Transform::Log1p));
        assert_eq!(chosen(money().map(|value| -value)), TransformChoice::This(Transform::SignedLog1p));
        // Small numbers, that log1p leaves as they are.
        assert_eq!(chosen(money().map(|value| value / 1e6)), TransformChoice::YeoJohnson);
        assert_eq!(chosen(money().map(|value| 1e3 - value)), TransformChoice::YeoJohnson);
        // Numbers whose cubes are none.
        assert_eq!(chosen(money().map(|value| value * 1e-200)), TransformChoice::YeoJohnson);
        assert_eq!(chosen(money().map(|value| value * 1e120)), TransformChoice::This(Transform::Log1p));
        // One odd value, and a flag that is rarely set.
        assert_eq!(chosen(normal(10_000).map(|z| 50.0 + 10.0 * z).chain([1e9])), nothing);
        assert_eq!(chosen((0..10_000).map(|i| f64::from(u8::from(i % 50 == 0)))), nothing);
        assert_eq!(chosen(std::iter::repeat_n(7.0, 100)), nothing);
        assert_eq!(chosen(std::iter::empty()), nothing);
    }
}
