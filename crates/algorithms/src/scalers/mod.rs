//! Feature scaling: `(transform(x) - center) / scale`, a column each.

mod choice;
mod yeo_johnson;

use serde::{Deserialize, Serialize};

pub use choice::{SKEWED, TransformChoice, choose_transform};
pub use yeo_johnson::{Lambdas, YeoJohnsonSearch};

/// What is applied to a value before it is centred and scaled.
///
/// All are increasing, and leave 0 where it is, unless they have an origin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// Nothing.
    None,
    /// `ln(1 + x)`, for values above -1: tames the long tail of frequencies and amounts.
    Log1p,
    /// `sign(x) ln(1 + |x|)`: the same for values of either sign.
    SignedLog1p,
    /// The power transform of Yeo and Johnson (Biometrika 2000).
    YeoJohnson {
        /// The power; 1 changes nothing.
        lambda: f64,
        /// The value that becomes 0, and near which the slope is 1, where all values lie on one side of 0; else 0.
        #[serde(default)]
        origin: f64,
    },
}

impl Transform {
    /// The transformed value; NaN when `value` is outside the transform's domain.
    #[inline]
    #[must_use]
    pub fn apply(self, value: f64) -> f64 {
        match self {
            Self::None => value,
            Self::Log1p => libm::log1p(value),
            Self::SignedLog1p => libm::log1p(value.abs()).copysign(value),
            Self::YeoJohnson { lambda, origin } => yeo_johnson::apply(value, lambda, origin),
        }
    }

    /// Undoes [`Transform::apply`].
    #[must_use]
    pub fn invert(self, value: f64) -> f64 {
        match self {
            Self::None => value,
            Self::Log1p => libm::expm1(value),
            Self::SignedLog1p => libm::expm1(value.abs()).copysign(value),
            Self::YeoJohnson { lambda, origin } => yeo_johnson::invert(value, lambda, origin),
        }
    }
}

/// The scaler of one feature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    /// Applied first.
    pub transform: Transform,
    /// Subtracted from the transformed value.
    pub center: f64,
    /// Divides what is left; 1 for a feature that does not vary, as in scikit-learn, so that it becomes 0.
    pub scale: f64,
}

impl Scaler {
    /// A scaler; a `scale` of 0 (or one lost in rounding: below `10 * eps * |center|`) stands for a constant feature.
    #[must_use]
    pub fn new(transform: Transform, center: f64, scale: f64) -> Self {
        Self { transform, center, scale: if Self::is_constant(center, scale) { 1.0 } else { scale } }
    }

    /// Whether a scale is that of a feature which does not vary, so that there is nothing to divide by.
    #[must_use]
    pub fn is_constant(center: f64, scale: f64) -> bool {
        scale <= 10.0 * f64::EPSILON * center.abs() || !scale.is_finite()
    }

    /// The scaled value.
    #[inline]
    #[must_use]
    pub fn apply(&self, value: f64) -> f64 {
        (self.transform.apply(value) - self.center) / self.scale
    }

    /// Undoes [`Scaler::apply`]: from scaled space back to the units of the feature.
    #[must_use]
    pub fn invert(&self, scaled: f64) -> f64 {
        self.transform.invert(scaled * self.scale + self.center)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_feature_becomes_zero() {
        let scaler = Scaler::new(Transform::None, 42.0, 0.0);
        assert_eq!(scaler.apply(42.0), 0.0);
        assert_eq!(scaler.scale, 1.0);
    }

    #[test]
    fn inverts() {
        let scaler = Scaler::new(Transform::Log1p, 2.0, 0.5);
        assert!((scaler.invert(scaler.apply(12.5)) - 12.5).abs() < 1e-12);
        let powers = [-1.5, 0.0, 0.4, 1.0, 2.0, 3.5].map(|lambda| Transform::YeoJohnson { lambda, origin: 0.0 });
        for transform in powers.into_iter().chain([Transform::SignedLog1p]) {
            for value in [-7.5, -0.25, 0.0, 0.5, 9.0] {
                let back = transform.invert(transform.apply(value));
                assert!((back - value).abs() < 1e-12, "{transform:?} of {value} comes back as {back}");
            }
        }
    }
}
