//! Who the customers of a seed are, and what they are like in a period: row index in, customer out.

use std::ops::Range;

use segmenta_algorithms::hashing::{combine, mix, unit_interval};

use super::options::{GenerateOptions, ID_BITS, SLOT_BITS};
use super::random::{cents, normal, whole};

/// One way of buying: the natural logarithms of medians, and the standard deviations of logarithms.
struct Behaviour {
    recency: (f64, f64),
    frequency: (f64, f64),
    /// Average spend of one order.
    basket: (f64, f64),
}

/// VIP: recency of about 8 days, 26 orders of about 49 each. Regular: about 55 days, 13 orders of about 48 each.
/// Infrequent: about 370 days, 3 orders of about 33 each.
const BEHAVIOURS: [Behaviour; 3] = [
    Behaviour { recency: (2.08, 0.50), frequency: (3.26, 0.10), basket: (3.90, 0.10) },
    Behaviour { recency: (4.00, 0.35), frequency: (2.60, 0.20), basket: (3.87, 0.22) },
    Behaviour { recency: (5.91, 0.18), frequency: (1.10, 0.35), basket: (3.50, 0.30) },
];

/// Shares of the first two behaviours among the customers of the first period; the last one has the rest.
const VIP_SHARE: f64 = 0.10;
const REGULAR_SHARE: f64 = 0.55;

/// Mean frequency of the customers that follow a behaviour, in the first period: `exp(m + s²/2)` of each, by its share.
const BEHAVIOUR_ORDERS: f64 = 11.29;

/// Correlation of the logarithms of recency and frequency within a behaviour.
const RECENCY_FREQUENCY: f64 = -0.3;

/// Largest recency of a row without a gross error: two years, in days.
pub(super) const MAX_RECENCY: f64 = 730.0;

/// Largest frequency, and range of spend, of the background.
const BACKGROUND_ORDERS: f64 = 40.0;
const BACKGROUND_SPEND: Range<f64> = 5.0..2500.0;

/// The gross errors.
const WRONG_RECENCY: f64 = 9999.0;
pub(super) const WRONG_FREQUENCY_FACTOR: f64 = 100.0;
pub(super) const WRONG_MONETARY_FACTOR: f64 = 1000.0;

/// Places of the cells.
pub(super) const RECENCY: usize = 0;
pub(super) const FREQUENCY: usize = 1;
pub(super) const MONETARY: usize = 2;

/// From one period to the next, the share of the drift that leaves and is replaced.
const LEAVING: f64 = 0.5;

/// The fields of a row: a draw is `mix(row key ^ field)`, so they are spread over all bits.
mod field {
    use super::mix;

    pub(super) const KIND: u64 = mix(1);
    pub(super) const BEHAVIOUR: u64 = mix(2);
    pub(super) const RECENCY: u64 = mix(3);
    pub(super) const FREQUENCY: u64 = mix(4);
    pub(super) const BASKET: u64 = mix(5);
    pub(super) const MISSING: u64 = mix(6);
    pub(super) const WRONG: u64 = mix(7);
    pub(super) const LEAVES: u64 = mix(8);
    pub(super) const MOVES: u64 = mix(9);
}

/// One customer of one period; the cells are recency, frequency, monetary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Customer {
    pub(super) id: i64,
    /// The key that further draws come from.
    pub(super) key: u64,
    /// VIP, regular, infrequent; `None` for the background.
    pub(super) behaviour: Option<usize>,
    /// The cells without a gross error and with nothing missing.
    pub(super) true_cells: [f64; 3],
    /// The cell that was entered wrongly.
    pub(super) wrong: Option<usize>,
    /// Which cells are there.
    pub(super) present: [bool; 3],
}

impl Customer {
    /// The cells as they are written.
    #[inline]
    pub(super) fn cells(&self) -> [Option<f64>; 3] {
        let mut cells = self.true_cells;
        match self.wrong {
            Some(RECENCY) => cells[RECENCY] = WRONG_RECENCY,
            Some(FREQUENCY) => cells[FREQUENCY] *= WRONG_FREQUENCY_FACTOR,
            Some(_) => cells[MONETARY] = cents(cells[MONETARY] * WRONG_MONETARY_FACTOR),
            None => {}
        }
        std::array::from_fn(|cell| self.present[cell].then_some(cells[cell]))
    }

    /// Days since the last order, as they are written where they are.
    #[inline]
    pub(super) fn days(&self) -> f64 {
        if self.wrong == Some(RECENCY) { WRONG_RECENCY } else { self.true_cells[RECENCY] }
    }
}

/// The customers of a seed in a period.
pub(super) struct Population {
    key: u64,
    id_key: u64,
    /// Upper bounds of the uniform draw that chooses the kind of a row.
    outliers_below: f64,
    background_below: f64,
    /// A cell is missing when 21 bits of a hash are below it.
    missing_below: f64,
    drift: f64,
    /// The period; 1 where nothing drifts.
    period: u32,
    /// Growth of the average spend of an order since the first period.
    growth: f64,
}

impl Population {
    pub(super) fn new(options: &GenerateOptions) -> Self {
        let period = if options.has_drifted() { options.period } else { 1 };
        Self {
            key: combine(options.seed, 0xC0_57),
            id_key: combine(options.seed, 0x1D),
            outliers_below: options.outlier_share,
            background_below: options.outlier_share + options.background_share,
            missing_below: options.missing_share * f64::from(1u32 << 21),
            drift: options.drift,
            period,
            growth: (1..period).fold(1.0, |growth, _| growth * (1.0 + options.drift)),
        }
    }

    /// The mean frequency of a first period before gross errors.
    pub(super) fn mean_orders(options: &GenerateOptions) -> f64 {
        let background = options.background_share;
        (1.0 - background) * BEHAVIOUR_ORDERS + background * (1.0 + BACKGROUND_ORDERS) / 2.0
    }

    /// The customer in row `row`.
    #[inline]
    pub(super) fn customer(&self, row: u64) -> Customer {
        let (index, came) = self.who(row);
        let key = self.key_of(index);
        let kind = unit_interval(mix(key ^ field::KIND));
        let behaviour = if kind >= self.outliers_below && kind < self.background_below {
            None
        } else {
            Some(self.behaviour(key, came))
        };
        let true_cells = behaviour.map_or_else(|| Self::background(key), |behaviour| self.behaving(key, behaviour));
        let wrong = (kind < self.outliers_below).then(|| (mix(key ^ field::WRONG) % 3) as usize);
        let draw = mix(key ^ field::MISSING);
        let mut present = [0, 21, 42].map(|shift| ((draw >> shift) & ((1 << 21) - 1)) as f64 >= self.missing_below);
        if let Some(cell) = wrong {
            present[cell] = true;
        } else if !present.contains(&true) {
            present[(mix(draw) % 3) as usize] = true;
        }
        Customer { id: customer_id(self.id_key, index), key, behaviour, true_cells, wrong, present }
    }

    #[inline]
    fn key_of(&self, index: u64) -> u64 {
        mix(self.key ^ mix(index))
    }

    /// Who is in a row, and since which period: whoever leaves is replaced.
    #[inline]
    fn who(&self, row: u64) -> (u64, u32) {
        let (mut index, mut came) = (row, 1);
        for period in 2..=self.period {
            if draw(self.key_of(index), field::LEAVES, period) < self.drift * LEAVING {
                (index, came) = (row | u64::from(period - 1) << SLOT_BITS, period);
            }
        }
        (index, came)
    }

    /// The behaviour that a customer started with, and those it has moved to since.
    #[inline]
    fn behaviour(&self, key: u64, came: u32) -> usize {
        let choice = unit_interval(mix(key ^ field::BEHAVIOUR));
        let mut behaviour = if choice < VIP_SHARE {
            0
        } else if choice < VIP_SHARE + REGULAR_SHARE {
            1
        } else {
            2
        };
        for period in came + 1..=self.period {
            let moves = draw(key, field::MOVES, period);
            if moves < self.drift {
                behaviour = (behaviour + 1 + usize::from(moves * 2.0 < self.drift)) % 3;
            }
        }
        behaviour
    }

    /// A row of one of the three behaviours.
    #[inline]
    fn behaving(&self, key: u64, behaviour: usize) -> [f64; 3] {
        // The square root of 1 - 0.3², so that the sum below has variance 1.
        const OWN: f64 = 0.953_939_201_416_945_6;
        let behaviour = &BEHAVIOURS[behaviour];
        let orders = normal(key ^ field::FREQUENCY);
        let days = RECENCY_FREQUENCY * orders + OWN * normal(key ^ field::RECENCY);
        let log_normal = |(mean, deviation): (f64, f64), z: f64| libm::exp(mean + deviation * z);

        let recency = whole(log_normal(behaviour.recency, days)).min(MAX_RECENCY);
        let frequency = whole(log_normal(behaviour.frequency, orders)).max(1.0);
        let basket = log_normal(behaviour.basket, normal(key ^ field::BASKET)) * self.growth;
        [recency, frequency, cents(frequency * basket)]
    }

    /// A row uniform over the ranges of the features.
    #[inline]
    fn background(key: u64) -> [f64; 3] {
        let Range { start, end } = BACKGROUND_SPEND;
        // Whole numbers 0..=730 and 1..=40: a uniform number below n, cut to whole, is uniform over 0..n.
        let below = |n: f64, field: u64| (unit_interval(mix(key ^ field)) * n).trunc();
        [
            below(MAX_RECENCY + 1.0, field::RECENCY),
            1.0 + below(BACKGROUND_ORDERS, field::FREQUENCY),
            cents(start + (end - start) * unit_interval(mix(key ^ field::BASKET))),
        ]
    }
}

/// A uniform draw of a customer in a period.
#[inline]
fn draw(key: u64, field: u64, period: u32) -> f64 {
    unit_interval(mix(key ^ combine(field, u64::from(period))))
}

/// Index to id, 1 to 2^52: a bijection, as each step is one on 52 bits (adding, xor with the own upper half, multiplying
/// by an odd number).
#[inline]
fn customer_id(key: u64, index: u64) -> i64 {
    const MASK: u64 = (1 << ID_BITS) - 1;
    let mut x = index.wrapping_add(key) & MASK;
    x ^= x >> 26;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9) & MASK;
    x ^= x >> 25;
    x = x.wrapping_mul(0x94D0_49BB_1331_11EB) & MASK;
    x ^= x >> 26;
    x as i64 + 1
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    fn customers(options: &GenerateOptions) -> Vec<Customer> {
        let population = Population::new(options);
        (0..options.rows).map(|row| population.customer(row)).collect()
    }

    fn cells(options: &GenerateOptions) -> Vec<[Option<f64>; 3]> {
        customers(options).iter().map(Customer::cells).collect()
    }

    #[test]
    fn ids_are_unique_positive_and_not_in_order() {
        for period in [1, 3] {
            let options = GenerateOptions { rows: 300_000, drift: 0.5, period, ..GenerateOptions::default() };
            let ids: Vec<i64> = customers(&options).iter().map(|customer| customer.id).collect();
            assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
            assert!(ids.iter().all(|id| (1..=1 << 52).contains(id)));
            let rising = ids.windows(2).filter(|pair| pair[0] < pair[1]).count();
            assert!((140_000..160_000).contains(&rising), "{rising} of 300000 ids rise");
        }
    }

    #[test]
    fn shares_are_near_their_targets() {
        let options = GenerateOptions { rows: 200_000, ..GenerateOptions::default() };
        let rows = cells(&options);
        let share = |hits: usize, of: usize| hits as f64 / of as f64;
        let missing = rows.iter().flatten().filter(|cell| cell.is_none()).count();
        assert!((share(missing, 600_000) - 0.04).abs() < 0.001);
        for cell in 0..3 {
            let missing = rows.iter().filter(|row| row[cell].is_none()).count();
            assert!((share(missing, 200_000) - 0.04).abs() < 0.002);
        }
        let gross = |cells: &[Option<f64>; 3]| {
            let above = |cell: usize, bound: f64| cells[cell].is_some_and(|value| value > bound);
            usize::from(above(0, MAX_RECENCY)) + usize::from(above(1, 99.0)) + usize::from(above(2, 5_000.0))
        };
        assert!(rows.iter().all(|row| gross(row) <= 1));
        let outliers = rows.iter().filter(|row| gross(row) == 1).count();
        assert!((share(outliers, 200_000) - 0.002).abs() < 0.0005);
        // Background rows alone are so frequent and so long away.
        let corner = |row: &&[Option<f64>; 3]| {
            row[0].is_some_and(|days| days > 365.0) && row[1].is_some_and(|n| (21.0..=40.0).contains(&n))
        };
        let expected = 0.05 * 0.25 * 0.96 * 0.96;
        assert!((share(rows.iter().filter(corner).count(), 200_000) - expected).abs() < 0.001);
    }

    #[test]
    fn no_row_is_all_missing() {
        for missing_share in [0.04, 0.5, 0.9, 1.0] {
            let options = GenerateOptions { rows: 20_000, missing_share, ..GenerateOptions::default() };
            let rows = cells(&options);
            assert!(rows.iter().all(|row| row.iter().any(Option::is_some)));
            let missing = rows.iter().flatten().filter(|cell| cell.is_none()).count() as f64 / 60_000.0;
            assert!((missing - (missing_share - missing_share.powi(3) / 3.0)).abs() < 0.01);
        }
        let options = GenerateOptions { rows: 20_000, missing_share: 0.0, ..GenerateOptions::default() };
        assert!(cells(&options).iter().flatten().all(Option::is_some));
    }

    #[test]
    fn cells_are_whole_days_whole_orders_and_cents() {
        let options = GenerateOptions { rows: 100_000, outlier_share: 0.0, ..GenerateOptions::default() };
        for [recency, frequency, monetary] in cells(&options) {
            assert!(recency.is_none_or(|days| days.fract() == 0.0 && (0.0..=MAX_RECENCY).contains(&days)));
            assert!(frequency.is_none_or(|orders| orders.fract() == 0.0 && (1.0..=99.0).contains(&orders)));
            assert!(monetary.is_none_or(|spend| {
                spend > 0.0 && spend < 5_000.0 && format!("{spend}").split('.').nth(1).is_none_or(|d| d.len() <= 2)
            }));
        }
    }

    /// Nothing missing, nothing wrong, nobody but the three behaviours.
    fn clean(rows: u64) -> GenerateOptions {
        GenerateOptions {
            rows,
            missing_share: 0.0,
            outlier_share: 0.0,
            background_share: 0.0,
            ..GenerateOptions::default()
        }
    }

    /// The behaviours in their shares, apart from each other, and inside Tukey's fences.
    #[test]
    fn behaviours_are_three_and_survive_the_fences() {
        let options = clean(100_000);
        let customers: Vec<[f64; 3]> = cells(&options).iter().map(|row| row.map(Option::unwrap)).collect();
        let fenced = customers_inside_fences(&GenerateOptions { rows: 100_000, ..GenerateOptions::default() });
        let members =
            |test: fn(&[f64; 3]) -> bool| -> Vec<&[f64; 3]> { customers.iter().filter(|cells| test(cells)).collect() };
        let blobs = [
            (members(|c| c[1] > 20.0 && c[0] < 30.0), VIP_SHARE, [9.1, 26.2, 1300.0], 0.97),
            (members(|c| c[1] > 6.0 && c[1] <= 20.0 && c[0] < 200.0), REGULAR_SHARE, [58.2, 13.7, 675.0], 0.99),
            (members(|c| c[1] <= 8.0 && c[0] >= 200.0), 1.0 - VIP_SHARE - REGULAR_SHARE, [374.0, 3.2, 111.0], 0.99),
        ];
        for (members, share, means, kept) in blobs {
            let n = members.len() as f64;
            assert!((n / 100_000.0 - share).abs() < 0.02, "{n} of 100000, not {share}");
            for cell in 0..3 {
                let mean = members.iter().map(|cells| cells[cell]).sum::<f64>() / n;
                assert!((mean / means[cell] - 1.0).abs() < 0.1, "mean {mean}, not {}", means[cell]);
            }
            let inside = members.iter().filter(|cells| fenced(cells)).count() as f64;
            assert!(inside / n >= kept, "{} kept", inside / n);
        }
        let orders = customers.iter().map(|cells| cells[1]).sum::<f64>() / 100_000.0;
        assert!((orders / BEHAVIOUR_ORDERS - 1.0).abs() < 0.01, "{orders} orders a customer");
    }

    /// Tukey's fences, factor 1.5, of the present cells of `options`.
    fn customers_inside_fences(options: &GenerateOptions) -> impl Fn(&[f64; 3]) -> bool + use<> {
        let rows = cells(options);
        let fences: [(f64, f64); 3] = std::array::from_fn(|cell| {
            let mut values: Vec<f64> = rows.iter().filter_map(|row| row[cell]).collect();
            values.sort_by(f64::total_cmp);
            let (q1, q3) = (values[values.len() / 4], values[values.len() * 3 / 4]);
            (q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1))
        });
        move |cells| cells.iter().zip(fences).all(|(value, (low, high))| (low..=high).contains(value))
    }

    /// Load tests are compared over time and machines: a change of these rows is a change of the data set.
    #[test]
    fn rows_are_part_of_the_format() {
        let options = GenerateOptions { rows: 3, seed: 7, missing_share: 0.2, ..GenerateOptions::default() };
        let rows: Vec<_> = customers(&options).iter().map(|row| (row.id, row.cells())).collect();
        assert_eq!(
            rows,
            [
                (3_661_895_305_870_563, [Some(60.0), Some(15.0), Some(542.89)]),
                (3_835_275_157_667_077, [Some(11.0), None, Some(1339.7)]),
                (4_201_186_761_006_169, [Some(6.0), Some(32.0), Some(1660.13)]),
            ]
        );
    }

    #[test]
    fn without_drift_periods_are_the_same() {
        let first = GenerateOptions { rows: 5_000, ..GenerateOptions::default() };
        assert_eq!(customers(&first), customers(&GenerateOptions { period: 9, ..first.clone() }));
        assert_eq!(customers(&first), customers(&GenerateOptions { drift: 0.7, ..first.clone() }));
    }

    /// By how many standard errors a share of `n` is away from what it should be.
    fn off(hits: usize, n: usize, expected: f64) -> f64 {
        let error = (expected * (1.0 - expected) / n as f64).sqrt();
        (hits as f64 / n as f64 - expected).abs() / error
    }

    #[test]
    fn drift_is_what_it_says() {
        let drift = 0.1;
        let n = 60_000;
        let first = customers(&clean(n));
        let then: HashMap<i64, Customer> = first.iter().map(|customer| (customer.id, *customer)).collect();
        for period in [2u32, 4] {
            let later = customers(&GenerateOptions { drift, period, ..clean(n) });
            let steps = period as i32 - 1;
            let known: Vec<(&Customer, &Customer)> =
                later.iter().filter_map(|now| Some((then.get(&now.id)?, now))).collect();
            assert!(off(known.len(), n as usize, (1.0f64 - drift / 2.0).powi(steps)) < 4.0, "{}", known.len());
            // After several moves one may be where one was: 2/3 of what is lost of the chain (1 - 3/2 d).
            let moved = known.iter().filter(|(then, now)| then.behaviour != now.behaviour).count();
            let expected = 2.0 / 3.0 * (1.0 - (1.0 - 1.5 * drift).powi(steps));
            assert!(off(moved, known.len(), expected) < 4.0, "{moved} moved, {expected}");
            let growth = (1.0 + drift).powi(steps);
            for (then, now) in known.iter().filter(|(then, now)| then.behaviour == now.behaviour) {
                assert_eq!(then.true_cells[..2], now.true_cells[..2]);
                assert!((now.true_cells[2] - then.true_cells[2] * growth).abs() < 0.02, "{then:?} {now:?}");
            }
            // Who has come is like those who were there at first.
            let new: Vec<&Customer> = later.iter().filter(|now| !then.contains_key(&now.id)).collect();
            let vip = new.iter().filter(|customer| customer.behaviour == Some(0)).count();
            assert!(period > 2 || off(vip, new.len(), VIP_SHARE) < 4.0, "{vip} of {}", new.len());
        }
    }
}
