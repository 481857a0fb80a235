//! The power transform of Yeo and Johnson, and the search for the lambda that makes values most likely normal.
//!
//! For values `x >= 0` it is `((1 + x)^lambda - 1) / lambda`, for others `-((1 - x)^(2 - lambda) - 1) / (2 - lambda)`, with logarithms in the
//! limits 0 and 2 (Yeo and Johnson, A new family of power transformations to improve normality or symmetry, Biometrika 2000).
//!
//! Values that are all far from 0, such as years, would lose their differences in it: for `1e5 ± 300` and a lambda of
//! -3, all results are 1/3 up to the last digits. So if all values lie on one side of 0, they have an *origin* `c`
//! among them, and the transform is
//!
//! ```text
//!   t(x) = (1 + c) expm1(lambda z) / lambda,   z = ln((1 + x) / (1 + c)) = log1p((x - c) / (1 + c))
//! ```
//!
//! This is Yeo and Johnson's except for a factor and a shift, which any scaler removes again. It keeps every digit, and
//! changes `x` little near `c`, where its slope is 1. Values below 0 mirror this (`-x`, `2 - lambda`). With an origin
//! of 0 it is Yeo and Johnson's own.
//!
//! The log-likelihood of a lambda, a row and up to a constant, is `-ln(variance of t) / 2 + lambda mean(z)`, for values on either side of 0
//! `-ln(variance of y) / 2 + lambda mean(sign(x) ln(1 + |x|))`. It is strictly concave (Marchand, Muzellec, Beguier, Ogier du Terrail and
//! Andreux, SecureFedYJ, NeurIPS 2022), so what a bracket holds is the one maximum.
//!
//! ```text
//!   sketch ──▶ a first lambda and step ──▶ pass: exact likelihoods of nine lambdas ──▶ the best at an end: move, four times the step
//!                                            ▲                                          the step is wide: closer around the best
//!                                            └──────────────────────────────────────────┘
//!                                          the step is narrow: the maximum of the quartic through five of the nine
//! ```

use super::Transform;
use crate::quantiles::{QuantileSketch, SketchBin};
use crate::sums::Bounds;

/// The transformed value; `origin` as above.
pub(super) fn apply(value: f64, lambda: f64, origin: f64) -> f64 {
    if origin < 0.0 {
        return -above(-value, 2.0 - lambda, -origin);
    }
    above(value, lambda, origin)
}

pub(super) fn invert(value: f64, lambda: f64, origin: f64) -> f64 {
    if origin < 0.0 {
        return -inverse_above(-value, 2.0 - lambda, -origin);
    }
    inverse_above(value, lambda, origin)
}

/// With an origin of at least 0.
fn above(value: f64, lambda: f64, origin: f64) -> f64 {
    let unit = 1.0 + origin;
    if value >= 0.0 {
        return unit * box_cox(libm::log1p((value - origin) / unit), lambda);
    }
    // The value lies on the other side of 0 from all values that the lambda was found from.
    let below = -box_cox(libm::log1p(-value), 2.0 - lambda);
    if origin == 0.0 {
        return below;
    }
    let transformed = unit * box_cox(-libm::log1p(origin), lambda) + libm::pow(unit, 1.0 - lambda) * below;
    // A value beyond the range of numbers is still far out.
    if transformed.is_nan() { -LARGEST_POWER } else { transformed.clamp(-LARGEST_POWER, LARGEST_POWER) }
}

fn inverse_above(value: f64, lambda: f64, origin: f64) -> f64 {
    let unit = 1.0 + origin;
    let at_zero = unit * box_cox(-libm::log1p(origin), lambda);
    if value >= at_zero {
        let z = inverse_box_cox(value / unit, lambda);
        return origin + unit * libm::expm1(z);
    }
    let below = (value - at_zero) / libm::pow(unit, 1.0 - lambda);
    -libm::expm1(inverse_box_cox(-below, 2.0 - lambda))
}

/// `(e^(lambda z) - 1) / lambda`, without cancellation for small `z`.
fn box_cox(z: f64, lambda: f64) -> f64 {
    if lambda.abs() < f64::EPSILON { z } else { libm::expm1(lambda * z) / lambda }
}

fn inverse_box_cox(t: f64, lambda: f64) -> f64 {
    // Beyond the limit that powers tend to for a negative lambda there is nothing; rounding may lead there.
    if lambda.abs() < f64::EPSILON { t } else { libm::log1p((lambda * t).max(f64::EPSILON / 2.0 - 1.0)) / lambda }
}

/// The lambdas of a first look are `1 + sinh(i / 8)` for `i` up to this on either side: as far as 200, and most of them near 1.
const COARSE: i32 = 48;
/// How far apart the lambdas of a pass are at first, where the sketch tells; farther for those far from 1, where likelihoods are
/// flatter.
const STEP: f64 = 1e-3;
/// A sketch of fewer bins tells little of the shape of the values.
const LEAST_BINS: usize = 64;
/// Lambdas that make larger values are not considered: the squares of these have to be numbers.
const LARGEST_POWER: f64 = 1e140;
/// Lambdas of a pass.
const LAMBDAS: usize = 9;
/// Passes after which the search ends with the best so far. From a step that is wrong by a factor of 10,000, seven lead to the
/// likelihood's own width and two more to its maximum.
const PASSES: usize = 16;
/// A step of this share of the likelihood's width, over which it falls by 1/2 a row, is narrow: the quartic is then off by less than
/// 1e-9 of the width, and rounding by less still.
const NARROW: f64 = 0.01;
/// A step up to this share of the width tells the place of the maximum well enough for a narrow one around it.
const TELLING: f64 = 0.3;

/// The lambdas of a pass, ascending.
pub type Lambdas = [f64; LAMBDAS];

/// The search for the lambda of one feature.
#[derive(Debug, Clone)]
pub struct YeoJohnsonSearch {
    bounds: Bounds,
    origin: f64,
    center: f64,
    step: f64,
    passes: usize,
    found: Option<f64>,
    is_bounded: bool,
}

impl YeoJohnsonSearch {
    /// Starts from a sketch of the values. That of a constant feature, or of none, ends at once with a lambda of 1.
    #[must_use]
    pub fn new(sketch: &QuantileSketch) -> Self {
        let bounds = sketch.bounds();
        let mut search =
            Self { bounds, origin: 0.0, center: 1.0, step: STEP, passes: 0, found: None, is_bounded: false };
        if bounds.is_empty() || bounds.min == bounds.max {
            search.found = Some(1.0);
            return search;
        }
        if bounds.min > 0.0 || bounds.max < 0.0 {
            search.origin = sketch.quantile(0.5).unwrap_or(bounds.min).clamp(bounds.min, bounds.max);
        }
        let is_exact = sketch.bins().iter().all(|bin| bin.low == bin.high);
        if sketch.bins().len() < LEAST_BINS && !is_exact {
            // The search starts at no change, and covers lambdas that multiply the largest values by some factor.
            let range = libm::log1p((bounds.max - bounds.min) / (1.0 + bounds.min.abs().min(bounds.max.abs())));
            search.step = TELLING / range.clamp(1e-12, 1e3);
            return search;
        }
        let likelihood = |lambda: f64| search.sketch_likelihood(sketch, lambda);
        let coarse = |i: i32| 1.0 + libm::sinh(f64::from(i) / 8.0);
        let looks = (-COARSE..=COARSE).map(|i| (likelihood(coarse(i)), i));
        let best = looks.filter(|(likelihood, _)| likelihood.is_finite()).max_by(|a, b| a.0.total_cmp(&b.0));
        let best = best.map_or(0, |(_, i)| i);
        let center = golden(coarse(best - 1), coarse(best + 1), likelihood);
        Self { center, step: STEP * (center - 1.0).abs().max(1.0), ..search }
    }

    /// The transform of a lambda.
    #[must_use]
    pub fn with(&self, lambda: f64) -> Transform {
        Transform::YeoJohnson { lambda, origin: self.origin }
    }

    /// The transform whose mean the likelihood needs beside the variances.
    #[must_use]
    pub fn logarithm(&self) -> Transform {
        match self.origin {
            0.0 => Transform::SignedLog1p,
            origin if origin > 0.0 => self.with(0.0),
            _ => self.with(2.0),
        }
    }

    /// The lambdas whose likelihoods the next pass has to find; none when the search is over.
    #[must_use]
    pub fn lambdas(&self) -> Option<Lambdas> {
        let middle = (LAMBDAS / 2) as f64;
        let lambda = |i: usize| self.center + (i as f64 - middle) * self.step;
        // Lambdas that cannot be used are not computed either.
        let usable = |lambda: f64| if self.is_usable(lambda) { lambda } else { self.center };
        self.found.is_none().then(|| std::array::from_fn(|i| usable(lambda(i))))
    }

    fn is_usable(&self, lambda: f64) -> bool {
        let largest = |value: f64| apply(value, lambda, self.origin).abs() <= LARGEST_POWER;
        largest(self.bounds.min) && largest(self.bounds.max)
    }

    /// Takes the population variances of what the [`YeoJohnsonSearch::lambdas`] make of the values, and the mean of
    /// [`YeoJohnsonSearch::logarithm`].
    pub fn narrow(&mut self, variances: &Lambdas, mean_log: f64) {
        let Some(usable) = self.lambdas() else { return };
        let middle = LAMBDAS / 2;
        let at = |i: usize| self.center + (i as f64 - middle as f64) * self.step;
        let mean_log = mean_log / (1.0 + self.origin.abs());
        let likelihoods: Lambdas = std::array::from_fn(|i| {
            let likelihood = -0.5 * libm::log(variances[i]) + at(i) * mean_log;
            if likelihood.is_finite() && usable[i] == at(i) { likelihood } else { f64::NEG_INFINITY }
        });
        let best = (0..LAMBDAS).max_by(|a, b| likelihoods[*a].total_cmp(&likelihoods[*b])).unwrap_or(middle);
        self.passes += 1;
        let five: Option<[f64; 5]> = (2..LAMBDAS - 2)
            .contains(&best)
            .then(|| std::array::from_fn(|i| likelihoods[best + i - 2] - likelihoods[best]))
            .filter(|five: &[f64; 5]| five.iter().all(|value| value.is_finite()));
        if let Some(five) = five {
            let peak = at(best) + self.step * maximum_of_quartic(&five);
            // The likelihood falls by 1/2 over the width. Of three points of a concave function the curve is never above 0.
            let curve = five[1] - 2.0 * five[2] + five[3];
            let share = if curve < 0.0 { (-curve).sqrt() } else { 0.0 };
            if share <= NARROW || self.passes == PASSES {
                self.found = Some(peak);
            } else if share <= TELLING {
                (self.center, self.step) = (peak, self.step * NARROW / 2.0 / share);
            } else {
                (self.center, self.step) = (at(best), self.step / 4.0);
            }
            return;
        }
        let is_last = self.passes == PASSES;
        let is_at_an_end = best == 0 || best == LAMBDAS - 1;
        let (next, step) = (at(best), if is_at_an_end { self.step * 4.0 } else { self.step });
        // Beyond the last usable lambda there is none to move to, so the step shrinks until it is found.
        let blocked = likelihoods.contains(&f64::NEG_INFINITY);
        let closest = self.step <= 1e-9 * next.abs().max(1.0);
        if is_last || (blocked && closest) {
            (self.found, self.is_bounded) = (Some(next), blocked);
        } else {
            (self.center, self.step) = (next, if blocked { self.step / 8.0 } else { step });
        }
    }

    /// The transform once the search is over.
    #[must_use]
    pub fn transform(&self) -> Option<Transform> {
        self.found.map(|lambda| self.with(lambda))
    }

    /// Whether the search ended where the values become too large, with the likelihood still rising.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.is_bounded
    }

    /// The likelihood a row of values that lie at either end of their bins, as many at one as at the other.
    fn sketch_likelihood(&self, sketch: &QuantileSketch, lambda: f64) -> f64 {
        let ends = |bin: &SketchBin| [bin.low, bin.high].map(|x| (bin.count as f64 / 2.0, x));
        let points = || sketch.bins().iter().flat_map(ends);
        if !self.is_usable(lambda) {
            return f64::NEG_INFINITY;
        }
        let (transform, logarithm) = (self.with(lambda), self.logarithm());
        let (mut count, mut sum, mut logs) = (0.0, 0.0, 0.0);
        for (weight, x) in points() {
            count += weight;
            sum += weight * transform.apply(x);
            logs += weight * logarithm.apply(x);
        }
        let mean = sum / count;
        let squares: f64 = points().map(|(weight, x)| weight * (transform.apply(x) - mean).powi(2)).sum();
        let likelihood = -0.5 * libm::log(squares / count) + lambda * logs / count / (1.0 + self.origin.abs());
        // Such powers leave nothing of the spread.
        if likelihood.is_finite() { likelihood } else { f64::NEG_INFINITY }
    }
}

/// The place of the maximum of a unimodal function, up to a millionth of the interval.
fn golden(mut low: f64, mut high: f64, function: impl Fn(f64) -> f64) -> f64 {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_a, mut at_b) = (function(a), function(b));
    let enough = 1e-6 * (high - low);
    while high - low > enough {
        if at_a > at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - ratio * (high - low);
            at_a = function(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + ratio * (high - low);
            at_b = function(b);
        }
    }
    low + (high - low) / 2.0
}

/// Where the quartic through `f` at -2..2, whose largest value is in the middle, has its maximum.
fn maximum_of_quartic(f: &[f64; 5]) -> f64 {
    let first = (f[0] - 8.0 * f[1] + 8.0 * f[3] - f[4]) / 12.0;
    let second = (-f[0] + 16.0 * f[1] - 30.0 * f[2] + 16.0 * f[3] - f[4]) / 24.0;
    let third = (-f[0] + 2.0 * f[1] - 2.0 * f[3] + f[4]) / 12.0;
    let fourth = (f[0] - 4.0 * f[1] + 6.0 * f[2] - 4.0 * f[3] + f[4]) / 24.0;
    let mut t = 0.0;
    for _ in 0..8 {
        let slope = first + t * (2.0 * second + t * (3.0 * third + t * 4.0 * fourth));
        let curve = 2.0 * second + t * (6.0 * third + t * 12.0 * fourth);
        // The curve is flat: all lambdas are equally likely.
        if curve >= 0.0 {
            return 0.0;
        }
        t = (t - slope / curve).clamp(-1.0, 1.0);
    }
    t
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::{mix, unit_interval};
    use crate::quantiles::{SKETCH_BITS, SketchCounter};
    use proptest::prelude::*;

    fn variance(values: &[f64]) -> f64 {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64
    }

    fn likelihood(values: &[f64], lambda: f64) -> f64 {
        let y: Vec<f64> = values.iter().map(|x| apply(*x, lambda, 0.0)).collect();
        let logs = values.iter().map(|x| x.abs().ln_1p().copysign(*x)).sum::<f64>() / values.len() as f64;
        -0.5 * variance(&y).ln() + (lambda - 1.0) * logs
    }

    fn lambda(values: &[f64]) -> (f64, usize) {
        let (transform, passes) = search(values);
        match transform {
            Transform::YeoJohnson { lambda, .. } => (lambda, passes),
            other => panic!("{other:?}"),
        }
    }

    fn search(values: &[f64]) -> (Transform, usize) {
        let mut counter = SketchCounter::new(SKETCH_BITS);
        values.iter().for_each(|x| counter.add(*x));
        let mut search = YeoJohnsonSearch::new(&counter.finish());
        let mean = |of: Transform| values.iter().map(|x| of.apply(*x)).sum::<f64>() / values.len() as f64;
        let logs = mean(search.logarithm());
        let mut passes = 0;
        while let Some(lambdas) = search.lambdas() {
            passes += 1;
            let of = |lambda: f64| {
                let transform = search.with(lambda);
                variance(&values.iter().map(|x| transform.apply(*x)).collect::<Vec<_>>())
            };
            let variances = lambdas.map(of);
            search.narrow(&variances, logs);
        }
        (search.transform().unwrap(), passes)
    }

    fn random(seed: u64, n: u64, of: impl Fn(f64) -> f64) -> Vec<f64> {
        (0..n).map(|i| of(unit_interval(mix(seed ^ mix(i))))).collect()
    }

    #[test]
    fn finds_the_maximum_in_a_pass() {
        type Shape = fn(f64) -> f64;
        let shapes: [(&str, Shape); 6] = [
            ("exponential", |u| -100.0 * (1.0 - u).ln()),
            ("skewed, of either sign", |u| u.powi(4) * 20.0 - 3.0),
            ("whole numbers", |u| (1.0 / (1.001 - u)).floor()),
            ("narrow and far from zero", |u| 1e4 + u * u),
            ("heavy", |u| (1.0 - u).powf(-1.5)),
            ("narrow beside zero", |u| 0.02 * u * u),
        ];
        for (name, shape) in shapes {
            let values = random(3, 4_000, shape);
            let (lambda, passes) = lambda(&values);
            let at = likelihood(&values, lambda);
            assert!(passes == 1 || name == "narrow and far from zero", "{name}: {lambda} after {passes} passes");
            for step in [-1e-4, 1e-4].map(|step| step * (lambda - 1.0).abs().max(1.0)) {
                let beside = likelihood(&values, lambda + step);
                assert!(at > beside || name == "narrow and far from zero", "{name}: {lambda}: {at} < {beside}");
            }
        }
    }

    /// The likelihood of a lambda, with more digits than the values have: by what they are beside `origin`.
    fn centered_likelihood(values: &[f64], lambda: f64, origin: f64) -> f64 {
        let z: Vec<f64> = values.iter().map(|x| ((x - origin) / (1.0 + origin)).ln_1p()).collect();
        let t: Vec<f64> = z.iter().map(|z| (lambda * z).exp_m1() / lambda).collect();
        -0.5 * variance(&t).ln() + lambda * z.iter().sum::<f64>() / z.len() as f64
    }

    #[test]
    fn keeps_small_relative_spreads() {
        // Two clear groups around 100,000, and years.
        let groups: Vec<f64> = random(5, 2_000, |u| 1e5 - 300.0 + 600.0 * (u > 0.3) as u8 as f64 + 40.0 * u);
        let years: Vec<f64> = random(6, 2_000, |u| 2026.0 - (30.0 * u * u).floor());
        for values in [groups, years] {
            let (transform, passes) = search(&values);
            let Transform::YeoJohnson { lambda, origin } = transform else { panic!("{transform:?}") };
            assert!(origin > 1_900.0 && passes <= 8, "{lambda} after {passes} passes");
            let at = centered_likelihood(&values, lambda, origin);
            for step in [-1e-5, 1e-5] {
                let beside = centered_likelihood(&values, lambda * (1.0 + step), origin);
                assert!(at >= beside - 1e-13, "{lambda}: {at} < {beside}");
            }
            let distinct = |values: &mut Vec<u64>| {
                values.sort_unstable();
                values.dedup();
                values.len()
            };
            let mut raw: Vec<u64> = values.iter().map(|x| x.to_bits()).collect();
            let mut transformed: Vec<u64> = values.iter().map(|x| transform.apply(*x).to_bits()).collect();
            assert_eq!(distinct(&mut transformed), distinct(&mut raw));
        }
    }

    #[test]
    fn an_origin_changes_no_answer() {
        let values = random(8, 3_000, |u| 1.0 + 40.0 * u.powi(3));
        let (transform, _) = search(&values);
        let Transform::YeoJohnson { lambda, origin } = transform else { panic!("{transform:?}") };
        assert!(origin > 1.0);
        // But for a factor and a shift it is Yeo and Johnson's.
        let plain = |x: f64| apply(x, lambda, 0.0);
        let factor = (transform.apply(9.0) - transform.apply(2.0)) / (plain(9.0) - plain(2.0));
        for x in [1.0, 3.5, 20.0, 41.0, -2.0] {
            let expected = transform.apply(2.0) + factor * (plain(x) - plain(2.0));
            assert!((transform.apply(x) - expected).abs() < 1e-9 * expected.abs().max(1.0), "{x}");
            assert!((transform.invert(transform.apply(x)) - x).abs() < 1e-9, "{x}");
        }
        // Mirrored, it is the same.
        let mirrored: Vec<f64> = values.iter().map(|x| -x).collect();
        let (mirror, _) = search(&mirrored);
        for x in [1.0, 3.5, 20.0] {
            assert!((mirror.apply(-x) + transform.apply(x)).abs() < 1e-6, "{mirror:?} is not {transform:?}");
        }
    }

    proptest! {
        /// However the values lie, no lambda around is likelier.
        #[test]
        fn finds_the_maximum(
            seed in any::<u64>(), n in 5u64..400, power in -3.0f64..5.0, scale in -3.0f64..5.0, shift in prop::sample::select(
                vec![0.0, 0.5, -3.0, 2_000.0, -700.0, 1e6]),
            levels in prop::sample::select(vec![2.0, 7.0, 1e9]),
        ) {
            let values = random(seed, n, |u| shift + 10f64.powf(scale) * ((u * levels).floor() / levels + 1e-3).powf(power));
            let mut distinct = values.clone();
            distinct.sort_unstable_by(f64::total_cmp);
            distinct.dedup();
            let relative = (distinct[distinct.len() - 1] - distinct[0]) / (1.0 + shift.abs());
            prop_assume!(distinct.len() > 2 && relative > 1e-9);
            let mut counter = SketchCounter::new(SKETCH_BITS);
            values.iter().for_each(|x| counter.add(*x));
            let mut search = YeoJohnsonSearch::new(&counter.finish());
            let moments = |search: &YeoJohnsonSearch, lambda: f64| {
                let t = search.with(lambda);
                let log = search.logarithm();
                let logs = values.iter().map(|x| log.apply(*x)).sum::<f64>() / n as f64;
                (variance(&values.iter().map(|x| t.apply(*x)).collect::<Vec<_>>()), logs)
            };
            while let Some(lambdas) = search.lambdas() {
                let logs = moments(&search, 1.0).1;
                let variances = lambdas.map(|lambda| moments(&search, lambda).0);
                search.narrow(&variances, logs);
            }
            let Some(Transform::YeoJohnson { lambda, origin }) = search.transform() else { panic!() };
            let likelihood = |lambda: f64| {
                let (variance, logs) = moments(&search, lambda);
                -0.5 * variance.ln() + lambda * logs / (1.0 + origin.abs())
            };
            let at = likelihood(lambda);
            for step in [-0.3, -1e-2, -1e-3, 1e-3, 1e-2, 0.3] {
                let other = lambda + step * (lambda - 1.0).abs().max(1.0);
                if search.is_usable(other) {
                    let beside = likelihood(other);
                    prop_assert!(at >= beside - 1e-11, "{lambda}: {at} < {beside} at {other}, bounded: {}", search.is_bounded);
                }
            }
        }
    }

    #[test]
    fn nothing_to_transform() {
        assert_eq!(lambda(&[3.0; 9]), (1.0, 0));
        assert_eq!(
            YeoJohnsonSearch::new(&QuantileSketch::default()).transform(),
            Some(Transform::YeoJohnson { lambda: 1.0, origin: 0.0 })
        );
        let (lambda, _) = lambda(&[0.0, 1e140]);
        assert!(lambda.is_finite());
    }
}
