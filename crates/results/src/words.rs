//! Numbers as people read them: the same on the console and in the report.

/// `1234567` as `1,234,567`.
#[must_use]
pub fn count(n: u64) -> String {
    grouped(&n.to_string())
}

/// Digits in groups of three.
#[must_use]
pub fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// One or many.
#[must_use]
pub fn plural<'a>(n: u64, one: &'a str, many: &'a str) -> &'a str {
    if n == 1 { one } else { many }
}

/// Names in a sentence; of many names, only the first few: "feature `a`", "features `a`, `b` and 28 more".
#[must_use]
pub fn features(names: &[&str]) -> String {
    const SHOWN: usize = 5;
    let quoted: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(SHOWN);
    let word = plural(names.len() as u64, "feature", "features");
    match (quoted.split_last(), more) {
        (None, _) => word.to_owned(),
        (Some((last, [])), 0) => format!("{word} {last}"),
        (Some((last, others)), 0) => format!("{word} {} and {last}", others.join(", ")),
        _ => format!("{word} {} and {more} more", quoted.join(", ")),
    }
}

/// A number for a table: whole when it is large, with more digits when it is small.
#[must_use]
pub fn number(value: f64) -> String {
    let magnitude = value.abs();
    if (1_000.0..1e15).contains(&magnitude) {
        let sign = if value < 0.0 { "-" } else { "" };
        format!("{sign}{}", count(magnitude.round() as u64))
    } else if magnitude >= 10.0 || value == 0.0 {
        format!("{value:.1}")
    } else if magnitude >= 0.01 {
        format!("{value:.2}")
    } else {
        format!("{value:.2e}")
    }
}

/// A share as `12.3 %`. A very small share that is not zero is `<0.1 %`, and one that is nearly everything is
/// `>99.9 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    match share {
        little if little > 0.0 && little < 0.000_5 => "<0.1 %".to_owned(),
        most if (0.999_5..1.0).contains(&most) => ">99.9 %".to_owned(),
        share => format!("{:.1} %", share * 100.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(features(&["a"]), "feature `a`");
        assert_eq!(features(&["a", "b", "c"]), "features `a`, `b` and `c`");
        assert_eq!(features(&["a"; 30]), "features `a`, `a`, `a`, `a`, `a` and 25 more");
        assert_eq!([0.0, 0.001234, 0.5, 12.34, -12_345.6].map(number), ["0.0", "1.23e-3", "0.50", "12.3", "-12,346"]);
        let shares = [0.0, 0.0001, 0.1234, 0.9997, 1.0].map(percent);
        assert_eq!(shares, ["0.0 %", "<0.1 %", "12.3 %", ">99.9 %", "100.0 %"]);
    }
}
