//! The orders that customers have placed: with them, one customer's row of features becomes as many rows as it has orders.
//!
//! ```text
//!   days before the reference date    R          R + u1 · span        R + u2 · span   …      recency = R
//!   amounts                           |--a1--|----a2----|--a3--|      cuts of 0..M           sum = M exactly
//! ```

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Builder, Decimal128Builder, Float64Builder, Int32Builder, Int64Builder, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::errors::ParquetError;
use segmenta_algorithms::hashing::{combine, mix, unit_interval};

use super::features::BATCH_ROWS;
use super::options::GenerateOptions;
use super::population::{
    Customer, FREQUENCY, MAX_RECENCY, MONETARY, Population, RECENCY, WRONG_FREQUENCY_FACTOR, WRONG_MONETARY_FACTOR,
};
use super::random::{inverse_power, whole};

/// What recency is counted back from: 2026-07-01, in days since 1970-01-01.
pub const REFERENCE_DATE: i32 = 20_635;

/// Digits of an amount, and those after its point.
const PRECISION: u8 = 12;
const SCALE: i8 = 2;

/// The largest amount of one order, in cents: what twelve digits hold.
const MAX_CENTS: f64 = 999_999_999_999.0;

/// Orders of one customer at most: an order's id has so many bits for them.
const ORDER_BITS: u32 = 26;
const MAX_ORDERS: f64 = ((1u64 << ORDER_BITS) - 1) as f64;

const CHANNELS: [(&str, f64); 3] = [("web", 0.5), ("app", 0.8), ("store", 1.0)];
const COUNTRIES: [(&str, f64); 8] =
    [("DE", 0.34), ("FR", 0.54), ("GB", 0.70), ("IT", 0.80), ("ES", 0.88), ("PL", 0.94), ("NL", 0.98), ("AT", 1.0)];
const DISCOUNTS: [(f64, f64); 4] = [(0.0, 0.8), (0.1, 0.92), (0.2, 0.98), (0.3, 1.0)];

/// The fields of a customer's orders and of an order.
mod field {
    use super::mix;

    pub(super) const ROUND: u64 = mix(0x02);
    pub(super) const COUNTRY: u64 = mix(0x03);
    pub(super) const MISTYPED: u64 = mix(0x04);
    pub(super) const DATE: u64 = mix(0x05);
    pub(super) const CUT: u64 = mix(0x06);
    pub(super) const CHANNEL: u64 = mix(0x07);
    pub(super) const ITEMS: u64 = mix(0x08);
    pub(super) const DISCOUNT: u64 = mix(0x09);
}

/// The columns of raw orders.
#[must_use]
pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("customer_id", DataType::Int64, false),
        Field::new("order_id", DataType::Int64, false),
        Field::new("order_date", DataType::Date32, true),
        Field::new("amount", DataType::Decimal128(PRECISION, SCALE), true),
        Field::new("channel", DataType::Utf8, false),
        Field::new("country", DataType::Utf8, false),
        Field::new("items", DataType::Int32, false),
        Field::new("discount", DataType::Float64, false),
    ]))
}

/// How many orders the customers have.
struct Spread {
    /// Factor on the orders beyond the first, from the number that a behaviour has to the number that is wanted.
    factor: f64,
    skew: f64,
    rows: u64,
    key: u64,
}

impl Spread {
    fn new(options: &GenerateOptions) -> Self {
        let mean = Population::mean_orders(options);
        let wanted = options.orders_per_customer.unwrap_or(mean);
        Self {
            factor: (wanted - 1.0) / (mean - 1.0),
            skew: options.skew,
            rows: options.rows,
            key: combine(options.seed, 0x21_9F),
        }
    }

    /// The number of a customer's orders before gross errors: one, and `factor` times its weight as many others as its
    /// behaviour has. It is rounded up or down by chance, so that the mean is kept.
    fn orders(&self, customer: &Customer, row: u64) -> f64 {
        let others = (customer.true_cells[FREQUENCY] - 1.0) * self.factor * self.weight(row);
        let chance = unit_interval(mix(customer.key ^ field::ROUND));
        (1.0 + (others + chance).trunc()).min(MAX_ORDERS)
    }

    /// The weight of a customer. The heaviest share `p` of customers has the share `p^(1 - skew)` of the weight. A
    /// customer of rank `r` among `n` has what that gains from `p = r / n` to `(r + 1) / n`, times `n`. The mean is 1.
    fn weight(&self, row: u64) -> f64 {
        if self.skew == 0.0 {
            return 1.0;
        }
        let (rank, n) = (self.rank(row) as f64, self.rows as f64);
        if rank < 1_000.0 {
            let up_to = |rank: f64| if rank > 0.0 { inverse_power(n / rank, 1.0 - self.skew) } else { 0.0 };
            n * (up_to(rank + 1.0) - up_to(rank))
        } else {
            // The difference would lose digits here, and the slope is as good.
            (1.0 - self.skew) / inverse_power(n / (rank + 0.5), self.skew)
        }
    }

    /// The rank of a row; 0 is the heaviest. It is a bijection of the rows: a bijection over the next power of two is
    /// applied until its result is a row.
    fn rank(&self, row: u64) -> u64 {
        let bits = (u64::BITS - (self.rows - 1).leading_zeros()).max(2);
        let (mask, half) = ((1u64 << bits) - 1, bits / 2);
        let mut x = row;
        loop {
            x = x.wrapping_add(self.key) & mask;
            x ^= x >> half;
            x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9) & mask;
            x ^= x >> half;
            x = x.wrapping_mul(0x94D0_49BB_1331_11EB) & mask;
            x ^= x >> half;
            if x < self.rows {
                return x;
            }
        }
    }
}

/// One order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Order {
    id: i64,
    date: Option<i32>,
    cents: Option<i64>,
    channel: &'static str,
    items: i32,
    discount: f64,
}

/// The orders of one customer, the last one first.
struct CustomerOrders {
    customer: Customer,
    row: u64,
    country: &'static str,
    orders: f64,
    /// What they come to in cents, before a gross error.
    cents: f64,
    /// What the mistyped order has beyond its own amount, in cents.
    mistyped: Option<(f64, f64)>,
    next: f64,
}

impl CustomerOrders {
    fn new(customer: Customer, row: u64, spread: &Spread) -> Self {
        let mut orders = spread.orders(&customer, row);
        let spent = customer.true_cells[MONETARY];
        // As many orders as the behaviour has add up to its spend, to the cent.
        let cents = whole(spent * 100.0 * (orders / customer.true_cells[FREQUENCY]));
        if customer.wrong == Some(FREQUENCY) {
            orders = (orders * WRONG_FREQUENCY_FACTOR).min(MAX_ORDERS);
        }
        let mistyped = (customer.wrong == Some(MONETARY)).then(|| {
            let which = (unit_interval(mix(customer.key ^ field::MISTYPED)) * orders).trunc();
            (which, cents * (WRONG_MONETARY_FACTOR - 1.0))
        });
        let country = pick(&COUNTRIES, mix(customer.key ^ field::COUNTRY));
        Self { customer, row, country, orders, cents, mistyped, next: 0.0 }
    }

    /// Where the amounts before order `order` end: a cut of the spend, near its even place.
    fn cut(&self, order: f64) -> f64 {
        if order <= 0.0 {
            return 0.0;
        }
        if order >= self.orders {
            return self.cents;
        }
        let place = order - 0.3 + 0.6 * unit_interval(mix(self.key_of(order) ^ field::CUT));
        (self.cents * (place / self.orders)).trunc()
    }

    fn key_of(&self, order: f64) -> u64 {
        combine(self.customer.key, order as u64)
    }
}

impl Iterator for CustomerOrders {
    type Item = Order;

    fn next(&mut self) -> Option<Order> {
        let order = self.next;
        if order >= self.orders {
            return None;
        }
        self.next += 1.0;
        let key = self.key_of(order);
        let days = self.customer.days();
        let span = if days <= MAX_RECENCY { MAX_RECENCY - days } else { MAX_RECENCY };
        let before = if order > 0.0 { (unit_interval(mix(key ^ field::DATE)) * (span + 1.0)).trunc() } else { 0.0 };
        let mut cents = self.cut(order + 1.0) - self.cut(order);
        if let Some((_, excess)) = self.mistyped.filter(|(which, _)| *which == order) {
            cents = (cents + excess).min(MAX_CENTS);
        }
        // Each further item half as likely as the one before.
        let items = 1 + (mix(key ^ field::ITEMS) | 1 << 9).trailing_zeros() as i32;
        Some(Order {
            id: order_id(self.row, order as u64),
            date: self.customer.present[RECENCY].then(|| REFERENCE_DATE - (days + before) as i32),
            cents: self.customer.present[MONETARY].then_some(cents as i64),
            channel: pick(&CHANNELS, mix(key ^ field::CHANNEL)),
            items,
            discount: pick(&DISCOUNTS, mix(key ^ field::DISCOUNT)),
        })
    }
}

/// One of several, by the upper ends of their shares.
fn pick<T: Copy>(choices: &[(T, f64)], hash: u64) -> T {
    let draw = unit_interval(hash);
    let found = choices.iter().find(|(_, end)| draw < *end).or(choices.last());
    found.map_or(choices[0].0, |(choice, _)| *choice)
}

/// Row of the customer and number of the order to id, 1 to 2^62: a bijection as that of customer ids is.
fn order_id(row: u64, order: u64) -> i64 {
    const MASK: u64 = (1 << 62) - 1;
    let mut x = (row << ORDER_BITS | order) & MASK;
    x ^= x >> 31;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9) & MASK;
    x ^= x >> 30;
    x = x.wrapping_mul(0x94D0_49BB_1331_11EB) & MASK;
    x ^= x >> 31;
    x as i64 + 1
}

/// Turns a range of customers into batches of their orders. Holds one batch, however many orders a customer has.
pub(super) struct OrderBatches {
    population: Population,
    spread: Spread,
    rows: Range<u64>,
    current: Option<CustomerOrders>,
    schema: SchemaRef,
    customers: Int64Builder,
    ids: Int64Builder,
    dates: Date32Builder,
    amounts: Decimal128Builder,
    channels: StringBuilder,
    countries: StringBuilder,
    items: Int32Builder,
    discounts: Float64Builder,
}

impl OrderBatches {
    pub(super) fn new(options: &GenerateOptions, rows: Range<u64>) -> Self {
        Self {
            population: Population::new(options),
            spread: Spread::new(options),
            rows,
            current: None,
            schema: schema(),
            customers: Int64Builder::new(),
            ids: Int64Builder::new(),
            dates: Date32Builder::new(),
            amounts: Decimal128Builder::new().with_data_type(DataType::Decimal128(PRECISION, SCALE)),
            channels: StringBuilder::new(),
            countries: StringBuilder::new(),
            items: Int32Builder::new(),
            discounts: Float64Builder::new(),
        }
    }

    /// The next batch, and how many customers end in it.
    pub(super) fn next(&mut self) -> Option<Result<(RecordBatch, u64), ParquetError>> {
        let mut room = BATCH_ROWS;
        let mut ended = 0;
        while room > 0 {
            if self.current.is_none() {
                let Some(row) = self.rows.next() else { break };
                self.current = Some(CustomerOrders::new(self.population.customer(row), row, &self.spread));
            }
            let Some(current) = &mut self.current else { break };
            let Some(order) = current.next() else {
                (self.current, ended) = (None, ended + 1);
                continue;
            };
            self.customers.append_value(current.customer.id);
            self.countries.append_value(current.country);
            self.ids.append_value(order.id);
            self.dates.append_option(order.date);
            self.amounts.append_option(order.cents.map(i128::from));
            self.channels.append_value(order.channel);
            self.items.append_value(order.items);
            self.discounts.append_value(order.discount);
            room -= 1;
        }
        if room == BATCH_ROWS && ended == 0 {
            return None;
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.customers.finish()),
            Arc::new(self.ids.finish()),
            Arc::new(self.dates.finish()),
            Arc::new(self.amounts.finish()),
            Arc::new(self.channels.finish()),
            Arc::new(self.countries.finish()),
            Arc::new(self.items.finish()),
            Arc::new(self.discounts.finish()),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns);
        Some(batch.map(|batch| (batch, ended)).map_err(ParquetError::from))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::options::Schema;
    use super::*;

    fn orders(options: &GenerateOptions) -> Vec<(Customer, Vec<Order>)> {
        let (population, spread) = (Population::new(options), Spread::new(options));
        let customers = (0..options.rows).map(|row| (row, population.customer(row)));
        customers.map(|(row, customer)| (customer, CustomerOrders::new(customer, row, &spread).collect())).collect()
    }

    fn options(rows: u64) -> GenerateOptions {
        GenerateOptions { schema: Schema::Orders, rows, ..GenerateOptions::default() }
    }

    /// What the orders add up to is the row of features of the same seed, cell for cell.
    #[test]
    fn orders_add_up_to_the_features() {
        let mut gross = [0; 3];
        for (customer, orders) in orders(&GenerateOptions { outlier_share: 0.01, ..options(8_000) }) {
            let [recency, frequency, monetary] = customer.cells();
            let last = orders.iter().filter_map(|order| order.date).max();
            assert_eq!(last.map(|date| f64::from(REFERENCE_DATE - date)), recency);
            assert!(frequency.is_none_or(|frequency| frequency == orders.len() as f64), "{customer:?}");
            let cents: Option<i64> = orders.iter().map(|order| order.cents).sum();
            assert_eq!(cents.map(|cents| cents as f64 / 100.0), monetary, "{customer:?}");
            let is_whole = |order: &Order| order.cents.is_none_or(|cents| cents > 0) && (1..=10).contains(&order.items);
            assert!(orders.iter().all(is_whole));
            if let Some(cell) = customer.wrong {
                gross[cell] += 1;
            }
        }
        assert!(gross.iter().all(|n| *n > 8), "{gross:?}");
    }

    #[test]
    fn ids_are_unique() {
        let all = orders(&options(8_000));
        let ids: Vec<i64> = all.iter().flat_map(|(_, orders)| orders.iter().map(|order| order.id)).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert!(ids.iter().all(|id| *id > 0));
    }

    #[test]
    fn customers_have_as_many_orders_as_asked_for() {
        for (mean, skew) in [(1.0, 0.0), (2.5, 0.0), (30.0, 0.0), (8.0, 0.5), (3.0, 0.7)] {
            let asked =
                GenerateOptions { orders_per_customer: Some(mean), skew, outlier_share: 0.0, ..options(30_000) };
            let (population, spread) = (Population::new(&asked), Spread::new(&asked));
            let all: f64 = (0..asked.rows).map(|row| spread.orders(&population.customer(row), row)).sum();
            assert!((all / 30_000.0 / mean - 1.0).abs() < 0.05, "{} for {mean}", all / 30_000.0);
        }
    }

    /// The heaviest share `p` of customers has `p^(1 - skew)` of the weight.
    #[test]
    fn orders_are_as_skewed_as_they_should_be() {
        for (rows, skew) in [(20_000, 0.3), (20_000, 0.8), (70_000, 0.6), (3, 0.5), (1, 0.5)] {
            let spread = Spread::new(&GenerateOptions { skew, ..options(rows) });
            let ranks: HashSet<u64> = (0..rows).map(|row| spread.rank(row)).collect();
            assert_eq!(ranks.len() as u64, rows);
            let mut weights: Vec<f64> = (0..rows).map(|row| spread.weight(row)).collect();
            weights.sort_by(|a, b| b.total_cmp(a));
            let all: f64 = weights.iter().sum();
            assert!((all / rows as f64 - 1.0).abs() < 1e-4, "{skew}: a mean of {}", all / rows as f64);
            for share in [0.01, 0.1, 0.5, 1.0] {
                let n = (share * rows as f64).floor();
                let top: f64 = weights[..n as usize].iter().sum();
                let expected = (n / rows as f64).powf(1.0 - skew);
                assert!((top / all - expected).abs() < 1e-4, "{skew}: top {share} has {}, not {expected}", top / all);
            }
        }
        // Those who come first are not those who order most.
        let spread = Spread::new(&GenerateOptions { skew: 0.8, ..options(20_000) });
        let early = (0..10_000).map(|row| spread.weight(row)).sum::<f64>() / 20_000.0;
        assert!((0.3..0.7).contains(&early), "{early}");
    }

    #[test]
    fn a_batch_does_not_end_with_a_customer() {
        let asked = GenerateOptions { orders_per_customer: Some(3_000.0), ..options(20) };
        let mut batches = OrderBatches::new(&asked, 0..20);
        let (mut rows, mut customers) = (0, 0);
        while let Some(batch) = batches.next() {
            let (batch, ended) = batch.unwrap();
            assert!(batch.num_rows() <= BATCH_ROWS);
            (rows, customers) = (rows + batch.num_rows(), customers + ended);
        }
        assert!(rows > 20_000 && customers == 20, "{rows} {customers}");
    }
}
