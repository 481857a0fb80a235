//! Draws and the little mathematics behind them, by integer hashing, the basic operations of IEEE 754 and [`libm`]: `exp` and `powf` of a
//! platform's library may differ in the last bit from one machine to the next.

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

/// `x^-power`.
#[inline]
pub(super) fn inverse_power(x: f64, power: f64) -> f64 {
    libm::pow(x, -power)
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
    fn normal_is_standard() {
        let values: Vec<f64> = (0..100_000).map(|i| normal(mix(i))).collect();
        let mean = values.iter().sum::<f64>() / 1e5;
        let variance = values.iter().map(|z| z * z).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02);
    }
}
