//! Thresholds that people can read.

/// Digits that tell any two `f64` apart.
const MOST_DIGITS: usize = 17;

/// The roundest `t` with `low <= t < high`, so that `x <= t` holds for `low` and not for `high`: 180 between 179.4 and
/// 182.9. It is 0 if that lies between. Otherwise it has the fewest significant decimal digits, and is the nearest to
/// the middle among those or, if that one is not between, the least. `low < high`, both finite.
#[must_use]
pub fn roundest(low: f64, high: f64) -> f64 {
    if low <= 0.0 && 0.0 < high {
        return 0.0;
    }
    // Each half separately, because the sum may overflow.
    let middle = 0.5 * low + 0.5 * high;
    // The digits that tell `low` from all other numbers: no decimal of fewer digits is the same `f64`.
    let shortest = format!("{:e}", low.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().unwrap_or(0);
    for count in 1..=digits.len().min(MOST_DIGITS) {
        let nearest = format!("{middle:.*e}", count - 1).parse().unwrap_or(low);
        for between in [nearest, least(low, &digits, exponent, count)] {
            if low <= between && between < high {
                return between;
            }
        }
    }
    low
}

/// The least number from `low` on that has `count` significant digits; `low` is `digits`, with a point after the first, times ten to
/// the `exponent`.
fn least(low: f64, digits: &str, exponent: i32, count: usize) -> f64 {
    if count >= digits.len() {
        return low;
    }
    let kept: u64 = digits[..count].parse().unwrap_or(0);
    // Cutting digits off makes a negative number greater, and a positive one less.
    let kept = if low < 0.0 { kept } else { kept + 1 };
    let size = format!("{kept}e{}", exponent - (count as i32 - 1)).parse().unwrap_or(f64::INFINITY);
    if low < 0.0 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Significant digits of the shortest decimal; 0 of zero.
    fn digits(value: f64) -> usize {
        let text = format!("{:e}", value.abs());
        let mantissa = text.split('e').next().unwrap().replace('.', "");
        if mantissa == "0" { 0 } else { mantissa.len() }
    }

    #[test]
    fn by_hand() {
        let cases = [
            (179.4378, 182.9, 180.0),
            (3.0, 4.0, 3.0),
            (0.0, 1.0, 0.0),
            (-0.0, 1.0, 0.0),
            (-7.0, 1e9, 0.0),
            (-1.0, 0.0, -0.5),
            (-0.999, -0.85, -0.9),
            (-1.5, -0.0, -0.8),
            (170.0, 180.0, 170.0),
            (171.0, 180.0, 176.0),
            (99.5, 150.0, 100.0),
            (0.3, 1000.0, 500.0),
            (12.0, 13.0, 12.0),
            (12.3, 12.4, 12.3),
            (12.34, 12.41, 12.4),
            (999.9, 1000.1, 1000.0),
            (0.1, 0.1_f64.next_up(), 0.1),
            (0.1_f64.next_down(), 0.1, 0.1_f64.next_down()),
            (1.0, 1.0_f64.next_up(), 1.0),
            (f64::MIN, f64::MAX, 0.0),
            (1.5e308, f64::MAX, 1.6e308),
            (1.7e308, f64::MAX, 1.7e308),
            (f64::MIN, -1.7e308, -1.75e308),
            (5e-324, 1e-323, 5e-324),
            (-1e-323, -5e-324, -1e-323),
        ];
        for (low, high, expected) in cases {
            assert_eq!(roundest(low, high), expected, "{low} {high}");
        }
    }

    /// Whether a decimal of this many digits lies between, looked for around `low` and at the powers of ten.
    fn fits(low: f64, high: f64, count: usize) -> bool {
        let text = format!("{:.*e}", count - 1, low.abs());
        let (mantissa, exponent) = text.split_once('e').unwrap();
        let mantissa: i64 = mantissa.replace('.', "").parse().unwrap();
        let exponent = exponent.parse::<i32>().unwrap() - (count as i32 - 1);
        let steps = [-10, -1, 0, 1, 10].iter().map(|step| (mantissa + step, exponent));
        // Below a power of ten, steps are a tenth as wide.
        let finer = (-10..=10).map(|step| (10 * mantissa + step, exponent - 1));
        let powers = (-320..308).map(|power| (1, power));
        steps.chain(finer).chain(powers).any(|(mantissa, exponent)| {
            let size: f64 = format!("{mantissa}e{exponent}").parse().unwrap();
            let value = size.copysign(low);
            digits(value) <= count && low <= value && value < high
        })
    }

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![
            (-2_000i32..2_000).prop_map(f64::from),
            (-2_000i32..2_000).prop_map(|value| f64::from(value) / 100.0),
            -1e3f64..1e3,
            any::<f64>().prop_filter("finite", |value| value.is_finite()),
        ]
    }

    proptest! {
        #[test]
        fn splits_the_same_and_nothing_shorter_does(a in number(), b in number(), near in 0u32..4, ulps in 1u64..2_000) {
            let mut bounds = [a, b];
            if near == 0 {
                let bits = a.to_bits() + ulps;
                bounds[1] = if f64::from_bits(bits).is_finite() { f64::from_bits(bits) } else { 0.0 };
            }
            let [low, high] = [bounds[0].min(bounds[1]), bounds[0].max(bounds[1])];
            prop_assume!(low < high);
            let t = roundest(low, high);
            prop_assert!(low <= t && t < high, "{low:?} {t:?} {high:?}");
            for count in 1..digits(t) {
                prop_assert!(!fits(low, high, count), "{low:?} {t:?} {high:?}: {count} digits do");
            }
        }
    }
}
