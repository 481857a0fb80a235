//! Draws and the little mathematics behind them, by integer hashing and the basic operations of IEEE 754 alone: `ln`, `exp`
//! and `powf` of a platform's library may differ in the last bit from one machine to the next.

use segmenta_algorithms::hashing::mix;

/// A nearly standard normal number, a function of `key`: the sum of eight uniform numbers of 16 bits, scaled to mean 0
/// and variance 1. It lies within 4.9 standard deviations (Irwin-Hall distribution; excess kurtosis -0.15).
#[inline]
pub(super) fn normal(key: u64) -> f64 {
    const LANES: u64 = 0x0000_FFFF_0000_FFFF;
    const MEAN: f64 = 4.0 * 65_535.0;
    // The square root of 8 (2^32 - 1) / 12.
    const DEVIATION: f64 = 53_509.919_921_450_08;
    let (a, b) = (mix(key), mix(!key));
    let sums = (a & LANES) + ((a >> 16) & LANES) + (b & LANES) + ((b >> 16) & LANES);
    let sum = (sums & 0xFFFF_FFFF) + (sums >> 32);
    (sum as f64 - MEAN) * (1.0 / DEVIATION)
}

/// `e^x` for `0 <= x < 700` to nine digits.
#[inline]
pub(super) fn exp(x: f64) -> f64 {
    let scaled = x * std::f64::consts::LOG2_E;
    let whole = (scaled + 0.5) as u32;
    let t = (scaled - f64::from(whole)) * std::f64::consts::LN_2;
    // The Taylor series for |t| <= ln 2 / 2; the first term left out is below 6e-10.
    let mut sum = 1.0;
    for n in [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0] {
        sum = 1.0 + sum * t * (1.0 / n);
    }
    sum * f64::from_bits(u64::from(whole + 1023) << 52)
}

/// `ln x` of a positive, normal number to twelve digits.
#[inline]
pub(super) fn ln(x: f64) -> f64 {
    const FRACTION: u64 = (1 << 52) - 1;
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i32 - 1023;
    let mut part = f64::from_bits((bits & FRACTION) | (1023 << 52));
    if part > std::f64::consts::SQRT_2 {
        part *= 0.5;
        exponent += 1;
    }
    // ln m = 2 artanh t, with |t| <= 0.172: the first term left out is below 1e-14.
    let t = (part - 1.0) / (part + 1.0);
    let square = t * t;
    let mut sum = 0.0;
    for n in [15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        sum = 1.0 / n + square * sum;
    }
    f64::from(exponent) * std::f64::consts::LN_2 + 2.0 * t * sum
}

/// `x^-power` of `x >= 1` and `power >= 0`, as long as the logarithm of the result is above -700.
#[inline]
pub(super) fn inverse_power(x: f64, power: f64) -> f64 {
    1.0 / exp(ln(x) * power)
}

/// The nearest whole number of a number that is not negative.
#[inline]
pub(super) fn whole(x: f64) -> f64 {
    (x + 0.5) as u64 as f64
}

/// The nearest number with two decimals.
#[inline]
pub(super) fn cents(x: f64) -> f64 {
    whole(x * 100.0) / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_is_standard_and_exp_and_ln_are_right() {
        let values: Vec<f64> = (0..100_000).map(|i| normal(mix(i))).collect();
        let mean = values.iter().sum::<f64>() / 1e5;
        let variance = values.iter().map(|z| z * z).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02);
        for step in 0..2_000 {
            let x = f64::from(step) * 0.01;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-9, "exp({x})");
            let y = 1e-9 * 1.05f64.powi(step);
            assert!((ln(y) - y.ln()).abs() < 1e-12 * y.ln().abs().max(1.0), "ln({y})");
        }
        for (x, power) in [(1.0, 2.0), (3.0, 0.0), (7.0, 0.5), (1e5, 1.5)] {
            assert!((inverse_power(x, power) * x.powf(power) - 1.0).abs() < 1e-8, "{x}^-{power}");
        }
    }
}
