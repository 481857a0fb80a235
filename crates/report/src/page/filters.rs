//! Numbers as the page has them; its script writes those of the plots in the same way. Spaces do not break, the minus is a minus,
//! and what is not known is a dash.

use minijinja::{Environment, Value};

use segmenta_results::words;

const SPACE: char = '\u{a0}';
const MINUS: char = '\u{2212}';
const UNKNOWN: &str = "\u{2013}";

/// Adds the filters that the template uses.
pub(super) fn add(environment: &mut Environment<'_>) {
    let mut add = |name: &'static str, filter: fn(f64) -> String| {
        environment.add_filter(name, move |value: Value| known(&value).map_or_else(|| UNKNOWN.to_owned(), filter));
    };
    add("thousands", thousands);
    add("number", number);
    add("percent", percent);
    add("bytes", bytes);
    add("seconds", seconds);
    environment.add_filter("decimals", |value: Value, digits: usize| {
        known(&value).map_or_else(|| UNKNOWN.to_owned(), |value| decimals(value, digits))
    });
}

fn known(value: &Value) -> Option<f64> {
    f64::try_from(value.clone()).ok().filter(|value| value.is_finite())
}

/// With the digits of its whole part in groups of three.
fn grouped(text: &str) -> String {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let whole = words::grouped(whole);
    if part.is_empty() { whole } else { format!("{whole}.{part}") }
}

/// The sign of a number that is not written as zero, and its magnitude.
fn signed(value: f64, magnitude: &str) -> String {
    let is_zero = magnitude.chars().all(|c| "0.,".contains(c));
    if value < 0.0 && !is_zero { format!("{MINUS}{magnitude}") } else { magnitude.to_owned() }
}

/// So many decimals, halves away from zero.
fn fixed(magnitude: f64, digits: usize) -> String {
    let unit = 10f64.powi(digits as i32);
    format!("{:.digits$}", (magnitude * unit).round() / unit)
}

fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// A count, such as 1,234,567.
#[must_use]
pub fn thousands(value: f64) -> String {
    decimals(value, 0)
}

/// A number with so many decimals.
#[must_use]
pub fn decimals(value: f64, digits: usize) -> String {
    signed(value, &grouped(&fixed(value.abs(), digits)))
}

/// Four significant digits, without zeros at the end; whole from 1,000 on; with an exponent outside 1e-4 to 1e15.
#[must_use]
pub fn number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e15).contains(&magnitude) {
        let text = format!("{magnitude:.3e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent = exponent.replace('-', &MINUS.to_string());
        return signed(value, &format!("{}e{exponent}", trimmed(mantissa)));
    }
    let digits = (3 - magnitude.log10().floor() as i32).max(0) as usize;
    signed(value, &grouped(trimmed(&fixed(magnitude, digits))))
}

/// A share.
#[must_use]
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let text = match percent.abs() {
        0.0 => "0".to_owned(),
        little if little < 0.05 => format!("<{SPACE}0.1"),
        100.0 => "100".to_owned(),
        most if (99.95..100.0).contains(&most) => format!(">{SPACE}99.9"),
        other => fixed(other, 1),
    };
    let sign = if percent < 0.0 { MINUS.to_string() } else { String::new() };
    format!("{sign}{text}{SPACE}%")
}

fn bytes(value: f64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let (mut value, mut unit) = (value, 0);
    while value >= 999.5 && unit < UNITS.len() - 1 {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if unit == 0 || value >= 99.95 { 0 } else { 1 };
    format!("{}{SPACE}{}", fixed(value, digits), UNITS[unit])
}

/// A time in the unit that it is read best in.
#[must_use]
pub fn seconds(value: f64) -> String {
    let whole = value.round() as u64;
    match value {
        short if short < 9.995 => format!("{}{SPACE}s", fixed(short, 2)),
        short if short < 59.95 => format!("{}{SPACE}s", fixed(short, 1)),
        _ if whole < 3600 => format!("{}{SPACE}min {:02}{SPACE}s", whole / 60, whole % 60),
        _ => {
            let minutes = (value / 60.0).round() as u64;
            format!("{}{SPACE}h {:02}{SPACE}min", minutes / 60, minutes % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        let spaced = |text: String| text.replace(SPACE, " ");
        assert_eq!([0.0, 1234567.0, -12.5].map(thousands), ["0", "1,234,567", "−13"]);
        assert_eq!(
            [0.0, 0.12345, 12.0, 145.25, 12_345.6, -0.5, 1.5e-5, 2e16].map(number),
            ["0", "0.1235", "12", "145.3", "12,346", "−0.5", "1.5e−5", "2e16"]
        );
        assert_eq!(
            [0.0, 1e-5, 0.1234, 0.99999, 1.0].map(percent).map(spaced),
            ["0 %", "< 0.1 %", "12.3 %", "> 99.9 %", "100 %"]
        );
        assert_eq!([12.0, 1_500.0, 123_456_789.0].map(bytes).map(spaced), ["12 B", "1.5 kB", "123 MB"]);
        assert_eq!(
            [0.123, 12.34, 75.0, 7_300.0].map(seconds).map(spaced),
            ["0.12 s", "12.3 s", "1 min 15 s", "2 h 02 min"]
        );
        assert_eq!(decimals(1234.567, 2), "1,234.57");
    }
}
