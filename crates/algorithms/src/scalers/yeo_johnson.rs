//! The power transform of Yeo and Johnson, and the search for the lambda that makes values most likely normal.
//!
//! For values `x >= 0` it is `((1 + x)^lambda - 1) / lambda`, for others `-((1 - x)^(2 - lambda) - 1) / (2 - lambda)`, with logarithms in the
//! limits 0 and 2. The log-likelihood of a lambda, a row, is `-ln(variance of y) / 2 + (lambda - 1) mean(sign(x) ln(1 + |x|))`
//! (Yeo and Johnson, A new family of power transformations to improve normality or symmetry, Biometrika 2000).
//!
//! A sketch of the values finds the maximum up to some 1e-4 without a pass over them. One pass then gives the exact
//! likelihood of nine lambdas around it, and the maximum of the quartic through five of these is off by less than 1e-9.

use super::Transform;
use crate::quantiles::{QuantileSketch, SketchBin};

pub(super) fn apply(value: f64, lambda: f64) -> f64 {
    if value >= 0.0 { power(value, lambda) } else { -power(-value, 2.0 - lambda) }
}

pub(super) fn invert(value: f64, lambda: f64) -> f64 {
    if value >= 0.0 { inverse(value, lambda) } else { -inverse(-value, 2.0 - lambda) }
}

/// `((1 + x)^lambda - 1) / lambda` for `x >= 0`, without cancellation for small ones.
fn power(x: f64, lambda: f64) -> f64 {
    let log = x.ln_1p();
    if lambda.abs() < f64::EPSILON { log } else { (lambda * log).exp_m1() / lambda }
}

fn inverse(y: f64, lambda: f64) -> f64 {
    if lambda.abs() < f64::EPSILON { y.exp_m1() } else { ((lambda * y).ln_1p() / lambda).exp_m1() }
}

/// The lambdas of a first look are `1 + sinh(i / 8)` for `i` up to this on either side: as far as 200, and most of them near 1.
const COARSE: i32 = 48;
/// How far apart the lambdas of a pass are; farther for those far from 1, where likelihoods are flatter.
const STEP: f64 = 1e-3;
/// Lambdas that make larger values are not considered: the squares of these have to be numbers.
const LARGEST_POWER: f64 = 1e140;
/// Lambdas of a pass.
const LAMBDAS: usize = 9;
/// Passes after which the search ends: one does, unless the sketch misleads.
const PASSES: usize = 4;

/// The lambdas of a pass, ascending.
pub type Lambdas = [f64; LAMBDAS];

/// The search for the lambda of one feature.
#[derive(Debug, Clone)]
pub struct YeoJohnsonSearch {
    center: f64,
    step: f64,
    passes: usize,
    found: Option<f64>,
}

impl YeoJohnsonSearch {
    /// Starts from a sketch of the values. That of a constant feature, or of none, ends at once with a lambda of 1.
    #[must_use]
    pub fn new(sketch: &QuantileSketch) -> Self {
        let bounds = sketch.bounds();
        if bounds.is_empty() || bounds.min == bounds.max {
            return Self { center: 1.0, step: STEP, passes: 0, found: Some(1.0) };
        }
        let likelihood = |lambda: f64| sketch_likelihood(sketch, lambda);
        let coarse = |i: i32| 1.0 + (f64::from(i) / 8.0).sinh();
        let looks = (-COARSE..=COARSE).map(|i| (likelihood(coarse(i)), i));
        let best = looks.filter(|(likelihood, _)| likelihood.is_finite()).max_by(|a, b| a.0.total_cmp(&b.0));
        let best = best.map_or(0, |(_, i)| i);
        let center = golden(coarse(best - 1), coarse(best + 1), likelihood);
        Self { center, step: STEP * (center - 1.0).abs().max(1.0), passes: 0, found: None }
    }

    /// The lambdas whose likelihoods the next pass has to find; none when the search is over.
    #[must_use]
    pub fn lambdas(&self) -> Option<Lambdas> {
        let middle = (LAMBDAS / 2) as f64;
        self.found.is_none().then(|| std::array::from_fn(|i| self.center + (i as f64 - middle) * self.step))
    }

    /// Takes the population variances of what the [`YeoJohnsonSearch::lambdas`] make of the values, and the mean of
    /// `sign(x) ln(1 + |x|)`.
    pub fn narrow(&mut self, variances: &Lambdas, mean_log: f64) {
        let Some(lambdas) = self.lambdas() else { return };
        let likelihoods: Lambdas = std::array::from_fn(|i| {
            let likelihood = -0.5 * variances[i].ln() + (lambdas[i] - 1.0) * mean_log;
            // Powers beyond what can be squared.
            if likelihood.is_finite() { likelihood } else { f64::NEG_INFINITY }
        });
        let best = (0..LAMBDAS).max_by(|a, b| likelihoods[*a].total_cmp(&likelihoods[*b])).unwrap_or_default();
        self.passes += 1;
        if (2..LAMBDAS - 2).contains(&best) {
            let five: [f64; 5] = std::array::from_fn(|i| likelihoods[best + i - 2] - likelihoods[best]);
            self.found = Some(lambdas[best] + self.step * maximum_of_quartic(&five));
        } else if self.passes == PASSES {
            self.found = Some(lambdas[best]);
        } else {
            self.center = lambdas[best];
        }
    }

    /// The transform once the search is over.
    #[must_use]
    pub fn transform(&self) -> Option<Transform> {
        self.found.map(|lambda| Transform::YeoJohnson { lambda })
    }
}

/// The likelihood a row of values that lie at either end of their bins, as many at one as at the other.
fn sketch_likelihood(sketch: &QuantileSketch, lambda: f64) -> f64 {
    let ends = |bin: &SketchBin| [bin.low, bin.high].map(|x| (bin.count as f64 / 2.0, x));
    let points = || sketch.bins().iter().flat_map(ends);
    let bounds = sketch.bounds();
    if apply(bounds.min, lambda).abs().max(apply(bounds.max, lambda).abs()) > LARGEST_POWER {
        return f64::NEG_INFINITY;
    }
    let (mut count, mut sum, mut logs) = (0.0, 0.0, 0.0);
    for (weight, x) in points() {
        count += weight;
        sum += weight * apply(x, lambda);
        logs += weight * x.abs().ln_1p().copysign(x);
    }
    let mean = sum / count;
    let squares: f64 = points().map(|(weight, x)| weight * (apply(x, lambda) - mean).powi(2)).sum();
    let likelihood = -0.5 * (squares / count).ln() + (lambda - 1.0) * logs / count;
    // Powers that leave nothing of the spread.
    if likelihood.is_finite() { likelihood } else { f64::NEG_INFINITY }
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
        // Flat: the values are as likely with any of them.
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

    fn variance(values: &[f64]) -> f64 {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64
    }

    fn likelihood(values: &[f64], lambda: f64) -> f64 {
        let y: Vec<f64> = values.iter().map(|x| apply(*x, lambda)).collect();
        let logs = values.iter().map(|x| x.abs().ln_1p().copysign(*x)).sum::<f64>() / values.len() as f64;
        -0.5 * variance(&y).ln() + (lambda - 1.0) * logs
    }

    fn search(values: &[f64]) -> (f64, usize) {
        let mut counter = SketchCounter::new(SKETCH_BITS);
        values.iter().for_each(|x| counter.add(*x));
        let mut search = YeoJohnsonSearch::new(&counter.finish());
        let logs = values.iter().map(|x| x.abs().ln_1p().copysign(*x)).sum::<f64>() / values.len() as f64;
        let mut passes = 0;
        while let Some(lambdas) = search.lambdas() {
            passes += 1;
            let of = |lambda: f64| variance(&values.iter().map(|x| apply(*x, lambda)).collect::<Vec<_>>());
            search.narrow(&lambdas.map(of), logs);
        }
        match search.transform() {
            Some(Transform::YeoJohnson { lambda }) => (lambda, passes),
            other => panic!("{other:?}"),
        }
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
            let (lambda, passes) = search(&values);
            let at = likelihood(&values, lambda);
            assert!(passes == 1 || name == "narrow and far from zero", "{name}: {lambda} after {passes} passes");
            // A single bin tells nothing, and no lambda is much likelier than others.
            if name == "narrow and far from zero" {
                assert!(apply(1e4, lambda).is_finite(), "{lambda}");
                continue;
            }
            for step in [-1e-4, 1e-4].map(|step| step * (lambda - 1.0).abs().max(1.0)) {
                let beside = likelihood(&values, lambda + step);
                assert!(at > beside, "{name}: {lambda}: {at} < {beside}");
            }
        }
    }

    #[test]
    fn nothing_to_transform() {
        assert_eq!(search(&[3.0; 9]), (1.0, 0));
        assert_eq!(
            YeoJohnsonSearch::new(&QuantileSketch::default()).transform(),
            Some(Transform::YeoJohnson { lambda: 1.0 })
        );
        let (lambda, _) = search(&[0.0, 1e140]);
        assert!(lambda.is_finite());
    }
}
