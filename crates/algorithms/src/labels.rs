//! Names of segments from their standing in recency, frequency and monetary value against each other.
//!
//! The three measures are those of direct marketing (Hughes, Strategic Database Marketing, 1994; Bult and Wansbeek,
//! Optimal Selection for Direct Mail, Marketing Science 14(4), 1995). The customary RFM scores cut *customers* into
//! quantiles; here the segments exist already, and it is their *means* that are compared.
//!
//! ```text
//!  means of k segments ─▶ position 0..1 per measure ─▶ low | mid | high ─▶ rule ─▶ name ─▶ suffix if shared
//!                                   └────────▶ score (mean of the positions)
//! ```
//!
//! # Position
//!
//! In each measure a segment has a position from 0 (worst of the segments) to 1 (best; the *most recent* for recency).
//! It is the mean of two numbers: the *magnitude*, where the value lies between the smallest and the largest (linear
//! for recency; on the scale `sign(x) ln(1 + |x|)` for frequency and monetary value, which are skewed), and the *rank*
//! among the segments divided by `k - 1`, ties sharing their mean rank. Magnitude alone calls two of three segments high
//! as soon as the third is far below; rank alone makes much of small differences between neighbours. When all segments
//! lie within one per cent of each other, a measure sets none apart: all are at 0.5.
//!
//! Below 1/3 a position is *low*, above 2/3 *high*, otherwise *mid*. But a value below the mean of all customers is not
//! high, and one above it is not low, because with many segments most may lie on one side of the mean.
//!
//! # Rules
//!
//! | recency | frequency high | frequency mid | frequency low |
//! |---|---|---|---|
//! | high | VIP; Loyal if spend is low | Regular; Big spenders if spend is high | Promising; Big spenders if spend is high |
//! | mid | Loyal | Regular; Big spenders if spend is high | Infrequent; Big spenders if spend is high |
//! | low | At risk | Hibernating; At risk if spend is high | Lost; Hibernating if spend is mid; At risk if spend is high |
//!
//! The row "low" tells that customers have gone. Standing against other segments cannot say so: of weekly buyers, some are
//! always the least recent. It therefore holds for segments that have *lapsed*, however recent the others are, and for
//! these alone. The rest of the segments are in the row "mid" at least, and those that share a name are told apart as
//! "less recent".
//!
//! *Lapsed*: half of the customers have been silent for longer than a time that the job names; or, if the time since the
//! first order (*tenure*) is known, than three times the mean interval between orders, `(tenure - recency) / (frequency - 1)`.
//! Where orders come at random times (Ehrenberg, The Pattern of Consumer Purchases, 1959; Schmittlein, Morrison and Colombo,
//! Counting Your Customers, Management Science 33(1), 1987), a customer who is still active is silent that long in `exp(-3)`,
//! 5 %, of the cases. Customers of a segment differ, and the few who order rarely or have gone are most of its mean recency,
//! so it is the median that counts. A segment of fewer than 1.5 orders a customer has hardly an interval of its own and takes
//! that of all segments. Where neither is known, no segment counts as lapsed.
//!
//! *Lost* presumes that there are other customers who buy little but lately: where no segment is Promising, Infrequent
//! or Low spend, the segment is *Infrequent* (without frequency: *Low spend*) instead.
//!
//! | not known | what changes |
//! |---|---|
//! | recency | the row "mid", but VIP if frequency is high and spend is not low |
//! | monetary | the clauses about spend drop out, and there is no VIP: Loyal |
//! | frequency | spend high, mid, low: VIP, Regular, Promising (recency high); Big spenders, Medium spend, Low spend (recency mid or unknown); At risk, Hibernating, Lost (recency low) |
//! | frequency and monetary | Recently active, Cooling down, Lapsed (recency high, mid, low) |
//! | all three | Unlabelled |
//!
//! # Shared names
//!
//! Segments that share a name get a suffix with their order in the measure that sets them furthest apart ("Regular,
//! higher spend", or from three on "Regular, 2nd highest spend"), in a further one if some are equal in it, in the share
//! of customers if all measures are equal, and in a number only if the share is equal too.
//!
//! The labels are a function of the set of segments: permuting the input permutes the output, except that the numbers
//! of identical segments follow the input. A value that is not finite counts as unknown.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// Positions below are low.
const LOW_BELOW: f64 = 1.0 / 3.0;

/// Positions above are high.
const HIGH_ABOVE: f64 = 2.0 / 3.0;

/// A measure whose values lie within this share of the largest does not set segments apart.
const MATERIAL: f64 = 0.01;

/// Means of one segment's customers, in the units of the raw features.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Mean time since the last order, small is good. None where the job has no such feature.
    pub recency: Option<f64>,
    /// Median time since the last order: half of the customers have been silent for longer. None where it is not known; then
    /// the mean stands for it.
    pub silence: Option<f64>,
    /// Mean number of orders. None where the job has no such feature.
    pub frequency: Option<f64>,
    /// Mean spend. None where the job has no such feature.
    pub monetary: Option<f64>,
    /// Mean time since the first order, in the unit of `recency`. None where the job has no such feature.
    pub tenure: Option<f64>,
    /// Share of all customers, 0 to 1. Only tells apart segments that are equal in everything else.
    pub share: f64,
}

/// What to call a segment, and what to do with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// The name, unique among the segments that were labelled together.
    pub name: String,
    /// Which of [`NAMES`] it is, without what tells segments of one name apart.
    #[serde(default)]
    pub kind: String,
    /// A suggestion for the marketer, one sentence.
    pub action: String,
    /// Mean position over the known measures: 0 worst of the segments, 1 best in everything, 0.5 if nothing is known.
    pub score: f64,
    /// The standing in words: "most recent, most frequent, highest spend of 4 segments".
    pub why: String,
}

/// Labels `segments` against each other, in their order; no segments give no labels. Customers who have not ordered for
/// longer than `lapsed_after`, in the unit of recency, have lapsed; without it, tenure decides.
///
/// Deterministic. The rules are those of the [module](self).
#[must_use]
pub fn label_segments(segments: &[Standing], lapsed_after: Option<f64>) -> Vec<Label> {
    let axes: Vec<Axis> = Measure::ALL.into_iter().map(|measure| Axis::new(measure, segments)).collect();
    let names = match segments.len() {
        1 => vec![Name::Everyone],
        _ => base_names(&axes, &lapsed(segments, lapsed_after)),
    };
    let suffixes = suffixes(&axes, &names);
    names
        .iter()
        .zip(suffixes)
        .enumerate()
        .map(|(segment, (name, suffix))| Label {
            name: format!("{}{suffix}", name.text()),
            kind: name.text().to_owned(),
            action: name.action().to_owned(),
            score: score(&axes, segment),
            why: why(&axes, segment, segments.len()),
        })
        .collect()
}

/// What segments are compared in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    Recency,
    Frequency,
    Monetary,
    Share,
}

impl Measure {
    const ALL: [Self; 4] = [Self::Recency, Self::Frequency, Self::Monetary, Self::Share];

    /// The value, larger is better.
    fn of(self, segment: &Standing) -> Option<f64> {
        match self {
            Self::Recency => segment.recency.map(|time| -time),
            Self::Frequency => segment.frequency,
            Self::Monetary => segment.monetary,
            Self::Share => Some(segment.share),
        }
        .filter(|value| value.is_finite())
        // Zero has one sign, so that equal values are equal under `total_cmp` too.
        .map(|value| value + 0.0)
    }

    /// The value on the scale on which its magnitude is judged.
    fn scaled(self, value: f64) -> f64 {
        match self {
            Self::Frequency | Self::Monetary => value.signum() * libm::log1p(value.abs()),
            // Halved, so that the difference of two finite values is finite.
            Self::Recency | Self::Share => 0.5 * value,
        }
    }

    /// Best and worst, for three segments or more.
    fn superlatives(self) -> [&'static str; 2] {
        match self {
            Self::Recency => ["most recent", "least recent"],
            Self::Frequency => ["most frequent", "least frequent"],
            Self::Monetary => ["highest spend", "lowest spend"],
            Self::Share => ["largest", "smallest"],
        }
    }

    /// Better and worse, for two segments.
    fn comparatives(self) -> [&'static str; 2] {
        match self {
            Self::Recency => ["more recent", "less recent"],
            Self::Frequency => ["more frequent", "less frequent"],
            Self::Monetary => ["higher spend", "lower spend"],
            Self::Share => ["larger", "smaller"],
        }
    }

    fn all_equal(self) -> &'static str {
        match self {
            Self::Recency => "as recent as the others",
            Self::Frequency => "as frequent as the others",
            Self::Monetary => "same spend as the others",
            Self::Share => "as large as the others",
        }
    }

    fn unknown(self) -> &'static str {
        match self {
            Self::Recency => "recency unknown",
            Self::Frequency => "frequency unknown",
            Self::Monetary => "spend unknown",
            Self::Share => "size unknown",
        }
    }
}

/// The segments along one measure.
struct Axis {
    measure: Measure,
    values: Vec<Option<f64>>,
    /// Between the smallest and the largest value, 0 to 1; 0.5 when they are the same.
    magnitudes: Vec<Option<f64>>,
    /// See the module; 0 to 1.
    positions: Vec<Option<f64>>,
    /// Mean over the customers of the segments; `None` where no share is known.
    mean: Option<f64>,
}

impl Axis {
    fn new(measure: Measure, segments: &[Standing]) -> Self {
        let values: Vec<Option<f64>> = segments.iter().map(|segment| measure.of(segment)).collect();
        let known = || values.iter().flatten().copied();
        let lowest = known().fold(f64::INFINITY, f64::min);
        let highest = known().fold(f64::NEG_INFINITY, f64::max);
        let range = measure.scaled(highest) - measure.scaled(lowest);
        let magnitude = |value: f64| {
            let above = measure.scaled(value) - measure.scaled(lowest);
            if range > 0.0 { above / range } else { 0.5 }
        };
        // Halved for the same reason as above.
        let material = 0.5 * highest - 0.5 * lowest > 0.5 * MATERIAL * highest.abs().max(lowest.abs());
        let count = known().count();
        let position = |value: f64| {
            if !material {
                return 0.5;
            }
            let below = known().filter(|other| *other < value).count() as f64;
            let equal = known().filter(|other| *other == value).count() as f64;
            let rank = (below + 0.5 * (equal - 1.0)) / (count as f64 - 1.0);
            0.5 * (magnitude(value) + rank)
        };
        let weighed = || segments.iter().zip(&values).filter_map(|(segment, value)| Some((segment.share, (*value)?)));
        let weight: f64 = weighed().map(|(share, _)| share).sum();
        let mean = weighed().map(|(share, value)| share / weight * value).sum::<f64>();
        Self {
            measure,
            mean: (weight > 0.0 && mean.is_finite()).then_some(mean),
            magnitudes: values.iter().map(|value| value.map(magnitude)).collect(),
            positions: values.iter().map(|value| value.map(position)).collect(),
            values,
        }
    }

    fn level(&self, segment: usize) -> Option<Level> {
        let (position, value) = (self.positions[segment]?, self.values[segment]?);
        let level = match position {
            position if position < LOW_BELOW && self.mean.is_none_or(|mean| value <= mean) => Level::Low,
            position if position > HIGH_ABOVE && self.mean.is_none_or(|mean| value >= mean) => Level::High,
            _ => Level::Mid,
        };
        Some(level)
    }

    /// How far apart the measure sets the segments of `group`: the spread of their magnitudes, or more than any spread
    /// if it is known of some only.
    fn spread(&self, group: &[usize]) -> f64 {
        let known = || group.iter().filter_map(|segment| self.magnitudes[*segment]);
        match known().count() {
            0 => 0.0,
            count if count < group.len() => 2.0,
            _ => known().fold(0.0, f64::max) - known().fold(1.0, f64::min),
        }
    }

    /// Best first, unknown last.
    fn order(&self, a: usize, b: usize) -> Ordering {
        match (self.values[a], self.values[b]) {
            (Some(a), Some(b)) => b.total_cmp(&a),
            (a, b) => b.is_some().cmp(&a.is_some()),
        }
    }

    /// The standing among all segments in words; None where no segment has the measure.
    fn standing(&self, segment: usize) -> Option<String> {
        let known = || self.values.iter().flatten();
        known().next()?;
        let Some(value) = self.values[segment] else {
            return Some(self.measure.unknown().to_owned());
        };
        let better = known().filter(|other| **other > value).count();
        let worse = known().filter(|other| **other < value).count();
        if better + worse == 0 {
            return Some(self.measure.all_equal().to_owned());
        }
        let joint = if known().count() > better + worse + 1 { "joint " } else { "" };
        Some(format!("{joint}{}", ordinal(self.measure, better, worse)))
    }
}

/// "highest spend", "2nd highest spend", … "lowest spend".
fn ordinal(measure: Measure, better: usize, worse: usize) -> String {
    let [best, worst] = measure.superlatives();
    if better == 0 {
        return best.to_owned();
    }
    if worse == 0 {
        return worst.to_owned();
    }
    let place = better + 1;
    let ending = match (place % 10, place % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{place}{ending} {best}")
}

fn score(axes: &[Axis], segment: usize) -> f64 {
    let known = || axes.iter().filter(|axis| axis.measure != Measure::Share).filter_map(|axis| axis.positions[segment]);
    match known().count() {
        0 => 0.5,
        count => known().sum::<f64>() / count as f64,
    }
}

fn why(axes: &[Axis], segment: usize, segments: usize) -> String {
    if segments == 1 {
        return "the only segment".to_owned();
    }
    let standings: Vec<String> =
        axes.iter().filter(|axis| axis.measure != Measure::Share).filter_map(|axis| axis.standing(segment)).collect();
    if standings.is_empty() {
        return format!("recency, frequency and spend unknown of all {segments} segments");
    }
    format!("{} of {segments} segments", standings.join(", "))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Low,
    Mid,
    High,
}

/// A name before segments that share it are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Vip,
    Loyal,
    BigSpenders,
    Regular,
    MediumSpend,
    Promising,
    RecentlyActive,
    Infrequent,
    LowSpend,
    CoolingDown,
    AtRisk,
    Hibernating,
    Lost,
    Lapsed,
    Unlabelled,
    Everyone,
}

/// Every name that a segment can have, before a suffix tells segments of one name apart.
pub const NAMES: [&str; 16] = [
    "VIP",
    "Loyal",
    "Big spenders",
    "Regular",
    "Medium spend",
    "Promising",
    "Recently active",
    "Infrequent",
    "Low spend",
    "Cooling down",
    "At risk",
    "Hibernating",
    "Lost",
    "Lapsed",
    "Unlabelled",
    "All customers",
];

impl Name {
    fn text(self) -> &'static str {
        NAMES[self as usize]
    }

    fn action(self) -> &'static str {
        match self {
            Self::Vip => "Reward them with early access and personal service, and do not spend discounts on them.",
            Self::Loyal => "Thank them with a loyalty programme and offer them better products.",
            Self::BigSpenders => "Show them premium products and give them reasons to come back more often.",
            Self::Regular => "Keep them with regular news, and raise their orders with bundles and recommendations.",
            Self::MediumSpend => "Raise their orders with bundles and recommendations.",
            Self::Promising => "Welcome them and make the next order easy with a time-limited offer.",
            Self::RecentlyActive => {
                "Follow up soon while they remember you, with something that goes with their last order."
            }
            Self::Infrequent => "Invite them back with a seasonal offer, through cheap channels only.",
            Self::LowSpend => {
                "Offer them low-priced extras and free shipping above a modest amount, through cheap channels."
            }
            Self::CoolingDown => "Remind them with news and a small incentive before they are gone.",
            Self::AtRisk => "Win them back now with a personal offer, and ask what went wrong.",
            Self::Hibernating => "Try one reactivation campaign with what they used to buy, then mail them less often.",
            Self::Lost => "Take them off the costly campaigns and make one last, cheap attempt to win them back.",
            Self::Lapsed => "Make one attempt to win them back, then mail them rarely.",
            Self::Unlabelled => "Look at the other features of this segment before deciding on an action.",
            Self::Everyone => "Ask for more segments to see differences to act on.",
        }
    }

    /// The rule of the module.
    fn from_levels(recency: Option<Level>, frequency: Option<Level>, monetary: Option<Level>) -> Self {
        use Level::{High, Low, Mid};
        match (recency, frequency, monetary) {
            (None, None, None) => Self::Unlabelled,
            (Some(High), None, None) => Self::RecentlyActive,
            (Some(Mid), None, None) => Self::CoolingDown,
            (Some(Low), None, None) => Self::Lapsed,

            (Some(High), None, Some(High)) => Self::Vip,
            (Some(High), None, Some(Mid)) => Self::Regular,
            (Some(High), None, Some(Low)) => Self::Promising,
            (Some(Mid) | None, None, Some(High)) => Self::BigSpenders,
            (Some(Mid) | None, None, Some(Mid)) => Self::MediumSpend,
            (Some(Mid) | None, None, Some(Low)) => Self::LowSpend,

            (Some(High) | None, Some(High), Some(Mid | High)) => Self::Vip,
            (Some(Mid | High) | None, Some(High), _) => Self::Loyal,
            (Some(Mid | High) | None, Some(Mid | Low), Some(High)) => Self::BigSpenders,
            (Some(Mid | High) | None, Some(Mid), _) => Self::Regular,
            (Some(High), Some(Low), _) => Self::Promising,
            (Some(Mid) | None, Some(Low), _) => Self::Infrequent,

            (Some(Low), Some(High), _) | (Some(Low), _, Some(High)) => Self::AtRisk,
            (Some(Low), Some(Mid), _) | (Some(Low), _, Some(Mid)) => Self::Hibernating,
            (Some(Low), Some(Low), _) | (Some(Low), None, Some(Low)) => Self::Lost,
        }
    }
}

/// Intervals between orders after which an active customer is hardly silent any more: `exp(-3)` is 5 %.
const INTERVALS: f64 = 3.0;

/// Orders of a customer, in the mean, from which on a segment has an interval of its own.
const LEAST_ORDERS: f64 = 1.5;

/// Whether the customers of each segment have lapsed; false where that is not known.
fn lapsed(segments: &[Standing], lapsed_after: Option<f64>) -> Vec<bool> {
    // Time from the first to the last order, and orders after the first.
    let repeats = |segment: &Standing| {
        let (time, orders) = (segment.tenure? - segment.recency?, segment.frequency? - 1.0);
        (time.is_finite() && orders.is_finite()).then_some((time, orders))
    };
    let all = segments.iter().filter_map(|segment| Some((segment.share, repeats(segment)?)));
    let (time, orders) =
        all.fold((0.0, 0.0), |sum, (share, (time, orders))| (sum.0 + share * time, sum.1 + share * orders));
    let of_all = (orders > 0.0 && time > 0.0).then_some(time / orders);
    let has_lapsed = |segment: &Standing| {
        let silence = segment.silence.or(segment.recency).filter(|silence| silence.is_finite())?;
        if let Some(after) = lapsed_after {
            return Some(silence > after);
        }
        let (time, orders) = repeats(segment)?;
        let interval = if orders >= LEAST_ORDERS - 1.0 && time > 0.0 { time / orders } else { of_all? };
        Some(silence > INTERVALS * interval)
    };
    segments.iter().map(|segment| has_lapsed(segment).unwrap_or(false)).collect()
}

fn base_names(axes: &[Axis], lapsed: &[bool]) -> Vec<Name> {
    let level = |measure: Measure, segment: usize| {
        let axis = axes.iter().find(|axis| axis.measure == measure)?;
        let level = axis.level(segment)?;
        Some(match (measure, lapsed[segment], level) {
            (Measure::Recency, true, _) => Level::Low,
            (Measure::Recency, false, Level::Low) => Level::Mid,
            _ => level,
        })
    };
    let names: Vec<Name> = (0..lapsed.len())
        .map(|segment| {
            Name::from_levels(
                level(Measure::Recency, segment),
                level(Measure::Frequency, segment),
                level(Measure::Monetary, segment),
            )
        })
        .collect();
    let others_buy_little =
        names.iter().any(|name| matches!(name, Name::Promising | Name::Infrequent | Name::LowSpend));
    names
        .into_iter()
        .enumerate()
        .map(|(segment, name)| match name {
            Name::Lost if others_buy_little => Name::Lost,
            Name::Lost if level(Measure::Frequency, segment).is_some() => Name::Infrequent,
            Name::Lost => Name::LowSpend,
            name => name,
        })
        .collect()
}

/// What to append to each name so that no two are the same.
fn suffixes(axes: &[Axis], names: &[Name]) -> Vec<String> {
    let mut suffixes = vec![String::new(); names.len()];
    for (first, name) in names.iter().enumerate() {
        if !names[..first].contains(name) {
            let group = (first..names.len()).filter(|segment| names[*segment] == *name).collect();
            tell_apart(axes, group, &mut suffixes);
        }
    }
    suffixes
}

/// Extends the suffixes of `group`, which are the same so far.
fn tell_apart(axes: &[Axis], mut group: Vec<usize>, suffixes: &mut [String]) {
    if group.len() < 2 {
        return;
    }
    let Some(axis) = widest(axes, &group) else {
        for (number, segment) in group.into_iter().enumerate() {
            suffixes[segment].push_str(&format!(", {}", number + 1));
        }
        return;
    };
    group.sort_by(|a, b| axis.order(*a, *b));
    let classes: Vec<&[usize]> = group.chunk_by(|a, b| axis.order(*a, *b) == Ordering::Equal).collect();
    let known = classes.iter().filter(|class| axis.values[class[0]].is_some()).count();
    for (place, class) in classes.into_iter().enumerate() {
        let words = if place == known {
            axis.measure.unknown().to_owned()
        } else if known == 1 {
            axis.measure.unknown().replace("unknown", "known")
        } else if known == 2 {
            axis.measure.comparatives()[place].to_owned()
        } else {
            ordinal(axis.measure, place, known - 1 - place)
        };
        for segment in class {
            suffixes[*segment].push_str(", ");
            suffixes[*segment].push_str(&words);
        }
        tell_apart(axes, class.to_vec(), suffixes);
    }
}

/// The measure that sets `group` furthest apart, the share of customers only if no other does. Equally far: spend,
/// then frequency, then recency.
fn widest<'a>(axes: &'a [Axis], group: &[usize]) -> Option<&'a Axis> {
    let apart = |axis: &&Axis| group.iter().any(|segment| axis.order(group[0], *segment) != Ordering::Equal);
    let (share, measures): (Vec<&Axis>, Vec<&Axis>) =
        axes.iter().filter(apart).partition(|axis| axis.measure == Measure::Share);
    // Of equals, `max_by` takes the last.
    measures.into_iter().max_by(|a, b| a.spread(group).total_cmp(&b.spread(group))).or(share.first().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::{combine, unit_interval};

    fn standing(recency: f64, frequency: f64, monetary: f64, share: f64) -> Standing {
        let (recency, frequency, monetary) = (Some(recency), Some(frequency), Some(monetary));
        Standing { recency, silence: None, frequency, monetary, tenure: None, share }
    }

    /// Where whoever has not ordered for 200 days has lapsed.
    fn names(segments: &[Standing]) -> Vec<String> {
        labels(segments).into_iter().map(|label| label.name).collect()
    }

    fn labels(segments: &[Standing]) -> Vec<Label> {
        label_segments(segments, Some(200.0))
    }

    fn names_with(segments: &[Standing], lapsed_after: Option<f64>) -> Vec<String> {
        label_segments(segments, lapsed_after).into_iter().map(|label| label.name).collect()
    }

    /// Weekly buyers, and others who come every other week: nobody has gone.
    #[test]
    fn nobody_is_lost_who_buys_as_ever() {
        let weekly = |recency: f64, frequency: f64, monetary: f64, share: f64| Standing {
            tenure: Some(365.0),
            ..standing(recency, frequency, monetary, share)
        };
        let segments =
            [weekly(4.0, 90.0, 5_000.0, 0.3), weekly(9.0, 45.0, 2_000.0, 0.4), weekly(28.0, 25.0, 900.0, 0.3)];
        assert_eq!(names_with(&segments, None), ["VIP", "Regular", "Infrequent"]);
        // The same, where the last ones have not come for half a year.
        let gone = [segments[0], segments[1], weekly(182.0, 13.0, 900.0, 0.3)];
        assert_eq!(names_with(&gone, None), ["VIP", "Regular", "Infrequent"]);
        let others = [gone[0], weekly(9.0, 12.0, 300.0, 0.4), weekly(182.0, 85.0, 4_900.0, 0.3)];
        assert_eq!(names_with(&others, None)[2], "At risk");
        assert_eq!(names_with(&others, Some(200.0))[2], "Loyal");
        // Who has ordered once has the interval of the others.
        let once = [segments[0], weekly(60.0, 1.0, 20.0, 0.3), weekly(10.0, 3.0, 20.0, 0.4)];
        // A mean of 28 days where half of them came within 9 is that of a few who have gone.
        let mixed = [segments[0], segments[1], Standing { silence: Some(9.0), ..weekly(60.0, 25.0, 900.0, 0.3) }];
        assert_eq!(lapsed(&mixed, None), [false; 3]);
        assert!(lapsed(&[mixed[0], mixed[1], Standing { silence: Some(60.0), ..mixed[2] }], None)[2]);
        assert!(lapsed(&once, None)[1] && !lapsed(&once, None)[2]);
        assert_eq!(lapsed(&once, Some(70.0)), [false; 3]);
    }

    /// Nothing is known but the standing against each other: no name says that anybody has gone.
    #[test]
    fn standing_alone_gives_nobody_up() {
        for case in 0..2_000u64 {
            let mut segments = random_segments(case, 1 + case % 12);
            segments.iter_mut().for_each(|segment| segment.tenure = None);
            for label in label_segments(&segments, None) {
                for gone in ["At risk", "Hibernating", "Lost", "Lapsed"] {
                    assert!(!label.name.starts_with(gone), "{label:?}");
                }
            }
        }
        let segments = [
            standing(10.0, 30.0, 3000.0, 0.05),
            standing(12.0, 1.5, 60.0, 0.15),
            standing(300.0, 28.0, 2500.0, 0.1),
            standing(310.0, 1.4, 50.0, 0.4),
            standing(320.0, 1.4, 50.0, 0.3),
        ];
        let found = ["VIP", "Promising", "Loyal", "Infrequent, more recent", "Infrequent, less recent"];
        assert_eq!(names_with(&segments, None), found);
    }

    /// Everybody has lapsed: there is no VIP.
    #[test]
    fn there_may_be_no_vip() {
        let segments = [standing(200.0, 30.0, 3000.0, 0.3), standing(300.0, 2.0, 60.0, 0.7)];
        assert_eq!(names_with(&segments, Some(90.0)), ["At risk", "Infrequent"]);
        assert_eq!(names_with(&segments, None), ["VIP", "Infrequent"]);
    }

    #[test]
    fn what_is_below_the_average_is_not_high() {
        // Nine in ten are in the first segment; of the others the second comes nearest to it.
        let segments = [
            standing(30.0, 10.0, 200.0, 0.9),
            standing(32.0, 8.0, 160.0, 0.025),
            standing(200.0, 3.0, 50.0, 0.025),
            standing(220.0, 2.0, 40.0, 0.025),
            standing(240.0, 1.0, 30.0, 0.025),
        ];
        let axis = Axis::new(Measure::Monetary, &segments);
        assert!(axis.positions[1].unwrap() > HIGH_ABOVE && axis.level(1) == Some(Level::Mid));
        let found = names(&segments);
        assert_eq!(found[0], "VIP");
        assert!(!["VIP", "Loyal", "Big spenders"].iter().any(|name| found[1].starts_with(name)), "{found:?}");
        // Where shares are not known, positions alone count.
        let unknown = segments.map(|segment| Standing { share: 0.0, ..segment });
        assert_eq!(Axis::new(Measure::Monetary, &unknown).level(1), Some(Level::High));
    }

    #[test]
    fn three_behaviours_get_the_names_everyone_expects() {
        // The means of the generator's behaviours.
        let generated =
            [standing(58.2, 13.7, 675.0, 0.55), standing(9.1, 26.2, 1300.0, 0.1), standing(374.0, 3.2, 111.0, 0.35)];
        assert_eq!(names(&generated), ["Regular", "VIP", "Infrequent"]);
        // A shop with a long tail: most have bought once.
        let skewed =
            [standing(500.0, 1.3, 45.0, 0.8), standing(120.0, 5.2, 190.0, 0.17), standing(40.0, 21.0, 900.0, 0.03)];
        assert_eq!(names(&skewed), ["Infrequent", "Regular", "VIP"]);
        let labels = labels(&generated);
        assert_eq!(labels[1].why, "most recent, most frequent, highest spend of 3 segments");
        assert_eq!(labels[0].why, "2nd most recent, 2nd most frequent, 2nd highest spend of 3 segments");
        assert_eq!(labels[2].why, "least recent, least frequent, lowest spend of 3 segments");
        assert_eq!((labels[1].score, labels[2].score), (1.0, 0.0));
        assert!((0.4..0.8).contains(&labels[0].score));
    }

    #[test]
    fn the_classical_segments() {
        let segments = [
            standing(10.0, 30.0, 3000.0, 0.05),
            standing(12.0, 1.5, 60.0, 0.15),
            standing(300.0, 28.0, 2500.0, 0.1),
            standing(310.0, 1.4, 50.0, 0.4),
            standing(20.0, 7.0, 400.0, 0.2),
            standing(150.0, 2.0, 3500.0, 0.1),
        ];
        assert_eq!(names(&segments), ["VIP", "Promising", "At risk", "Lost", "Regular", "Big spenders"]);
    }

    #[test]
    fn shared_names_are_told_apart_in_words() {
        let segments = [
            standing(5.0, 30.0, 3000.0, 0.1),
            standing(50.0, 8.0, 300.0, 0.3),
            standing(50.0, 8.0, 500.0, 0.3),
            standing(400.0, 1.0, 30.0, 0.3),
        ];
        assert_eq!(names(&segments), ["VIP", "Regular, lower spend", "Regular, higher spend", "Infrequent"]);

        // Equal in spend, so that this alone does not tell.
        let equal = [standing(50.0, 8.0, 300.0, 0.2), standing(50.0, 8.0, 300.0, 0.3)];
        assert_eq!(names(&equal), ["Regular, smaller", "Regular, larger"]);
        let identical = [equal[0]; 3];
        assert_eq!(names(&identical), ["Regular, 1", "Regular, 2", "Regular, 3"]);
        assert_eq!(
            labels(&identical)[0].why,
            "as recent as the others, as frequent as the others, same spend as the others of 3 segments"
        );

        // Two steps: spend goes first, as recency sets them no further apart, and leaves a pair.
        let steps =
            [standing(100.0, 5.0, 100.0, 0.25), standing(100.2, 5.0, 100.0, 0.25), standing(100.0, 5.0, 100.9, 0.25)];
        assert_eq!(
            names(&steps),
            ["Regular, lower spend, more recent", "Regular, lower spend, less recent", "Regular, higher spend"]
        );
    }

    #[test]
    fn differences_below_a_per_cent_do_not_rank() {
        let segments = [standing(100.0, 5.0, 500.0, 0.5), standing(100.5, 5.02, 100.0, 0.5)];
        let labels = labels(&segments);
        assert_eq!(labels[0].name, "Big spenders");
        assert_eq!(labels[1].name, "Regular");
        assert!((labels[0].score - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn any_subset_of_the_measures_will_do() {
        let full =
            [standing(5.0, 30.0, 3000.0, 0.1), standing(150.0, 8.0, 400.0, 0.4), standing(400.0, 1.0, 30.0, 0.5)];
        let with = |recency: bool, frequency: bool, monetary: bool| {
            let segments = full.map(|segment| Standing {
                recency: segment.recency.filter(|_| recency),
                silence: None,
                frequency: segment.frequency.filter(|_| frequency),
                monetary: segment.monetary.filter(|_| monetary),
                tenure: None,
                share: segment.share,
            });
            names(&segments)
        };
        assert_eq!(with(true, true, true), ["VIP", "Regular", "Infrequent"]);
        assert_eq!(with(true, true, false), ["Loyal", "Regular", "Infrequent"]);
        assert_eq!(with(true, false, true), ["VIP", "Medium spend", "Low spend"]);
        assert_eq!(with(false, true, true), ["VIP", "Regular", "Infrequent"]);
        assert_eq!(with(true, false, false), ["Recently active", "Cooling down", "Lapsed"]);
        assert_eq!(with(false, true, false), ["Loyal", "Regular", "Infrequent"]);
        assert_eq!(with(false, false, true), ["Big spenders", "Medium spend", "Low spend"]);
        assert_eq!(with(false, false, false)[2], "Unlabelled, largest");
    }

    #[test]
    fn one_segment_is_everyone_and_none_is_none() {
        let labels = labels(&[standing(1.0, f64::NAN, 3.0, 1.0)]);
        assert_eq!(labels.len(), 1);
        assert_eq!((labels[0].name.as_str(), labels[0].score), ("All customers", 0.5));
        assert!(label_segments(&[], None).is_empty());
    }

    #[test]
    fn values_that_are_not_finite_are_unknown() {
        let segments = [
            standing(f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::NAN),
            standing(10.0, 5.0, 100.0, 0.5),
            standing(90.0, 1.0, 10.0, 0.5),
        ];
        let labels = labels(&segments);
        assert_eq!(labels[0].name, "Unlabelled");
        assert_eq!(labels[0].why, "recency unknown, frequency unknown, spend unknown of 3 segments");
        assert_eq!((labels[1].name.as_str(), labels[2].name.as_str()), ("VIP", "Infrequent"));
        let extreme = [standing(f64::MAX, -f64::MAX, -f64::MAX, 0.5), standing(-f64::MAX, f64::MAX, f64::MAX, 0.5)];
        assert_eq!(names(&extreme), ["Infrequent", "VIP"]);
    }

    #[test]
    fn places_are_spelt() {
        let words: Vec<String> =
            [1, 2, 3, 10, 11, 12, 20, 21].map(|better| ordinal(Measure::Monetary, better, 1)).into();
        assert_eq!(words[0], "2nd highest spend");
        let places: Vec<&str> = words.iter().filter_map(|word| word.split(' ').next()).collect();
        assert_eq!(places, ["2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd"]);
    }

    /// Values from a few levels, so that ties, missing measures and values that are not finite are frequent.
    fn random_segments(case: u64, k: u64) -> Vec<Standing> {
        let known = combine(case, 1);
        let value = |segment: u64, measure: u64| {
            let draw = combine(combine(case, segment + 10), measure);
            (known >> measure & 1 == 1).then(|| match draw % 16 {
                0 => f64::NAN,
                1 => f64::INFINITY,
                2 => -3.0,
                3 => 0.0,
                4 => -0.0,
                5..8 => 5.0,
                8..10 => 5.01,
                _ => (12.0 * unit_interval(draw) - 2.0).exp(),
            })
        };
        (0..k)
            .map(|segment| Standing {
                recency: value(segment, 0),
                silence: None,
                frequency: value(segment, 1),
                monetary: value(segment, 2),
                // Of all segments alike, so that segments that are equal in the rest are so in this as well.
                tenure: (known >> 4 & 1 == 1).then_some(400.0),
                share: value(segment, 3).unwrap_or(0.25),
            })
            .collect()
    }

    /// Equal but for the sign of zero and the kind of not-finite: nothing that labels look at.
    fn same(a: &Standing, b: &Standing) -> bool {
        Measure::ALL.iter().all(|measure| measure.of(a) == measure.of(b))
    }

    #[test]
    fn names_are_unique_and_follow_a_permutation() {
        for case in 0..6_000u64 {
            let k = 1 + case % 12;
            let segments = random_segments(case, k);
            let lapsed_after = (case % 3 > 0).then_some(case as f64);
            let labels = label_segments(&segments, lapsed_after);
            assert_eq!(labels.len(), segments.len());
            for (at, label) in labels.iter().enumerate() {
                assert!((0.0..=1.0).contains(&label.score), "{label:?}");
                assert!(!label.why.is_empty() && label.action.ends_with('.'));
                assert!(labels[..at].iter().all(|other| other.name != label.name), "{labels:#?}");
                let numbered = label.name.rsplit(", ").next().is_some_and(|word| word.parse::<u32>().is_ok());
                let twins = segments.iter().filter(|other| same(other, &segments[at])).count();
                assert_eq!(numbered, twins > 1, "{segments:#?} {labels:#?}");
            }

            let mut order: Vec<usize> = (0..segments.len()).collect();
            order.sort_by_key(|segment| combine(case, *segment as u64 + 100));
            let permuted: Vec<Standing> = order.iter().map(|segment| segments[*segment]).collect();
            for (label, from) in label_segments(&permuted, lapsed_after).iter().zip(&order) {
                let twins = segments.iter().filter(|other| same(other, &segments[*from])).count();
                if twins == 1 {
                    assert_eq!(*label, labels[*from], "case {case}");
                } else {
                    // Twins may swap their numbers, nothing else.
                    assert_eq!((&label.why, label.score), (&labels[*from].why, labels[*from].score));
                }
            }
        }
    }

    #[test]
    fn every_rule_has_words() {
        let levels = [None, Some(Level::Low), Some(Level::Mid), Some(Level::High)];
        for recency in levels {
            for frequency in levels {
                for monetary in levels {
                    let name = Name::from_levels(recency, frequency, monetary);
                    assert!(!name.text().is_empty() && !name.text().contains(','));
                    assert!(name.action().ends_with('.') && !name.action().trim_end_matches('.').contains('.'));
                    assert_eq!(name == Name::Unlabelled, (recency, frequency, monetary) == (None, None, None));
                }
            }
        }
    }
}
