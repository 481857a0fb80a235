//! What can be asked for, and what is refused.

use parquet::errors::ParquetError;

/// Bits of a customer id, and of the row in it: those above are the period in which the customer came.
pub(super) const ID_BITS: u32 = 52;
pub(super) const SLOT_BITS: u32 = 40;

/// Most shards of one data set: their file names carry five digits.
pub const MAX_SHARDS: usize = 100_000;

/// Most customers of one data set: the ids are a bijection of so many values.
pub const MAX_ROWS: u64 = 1 << ID_BITS;

/// Most customers where they leave and others come: an id also holds the period in which its customer came.
pub const MAX_ROWS_OF_PERIODS: u64 = 1 << SLOT_BITS;

/// Most customers of raw orders: an order's id is a bijection of customer and order.
pub const MAX_ROWS_OF_ORDERS: u64 = 1 << 36;

/// The last period.
pub const MAX_PERIOD: u32 = 1_000;

/// Most orders that customers may have on average.
pub const MAX_ORDERS_PER_CUSTOMER: f64 = 1e6;

/// The largest Zipf exponent of the orders over customers.
pub const MAX_SKEW: f64 = 0.95;

/// The largest Zipf exponent of the customers over shards.
pub const MAX_SHARD_SKEW: f64 = 4.0;

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Schema {
    /// A customer: `customer_id`, `recency`, `frequency`, `monetary`.
    #[default]
    Features,
    /// An order: `customer_id`, `order_id`, `order_date`, `amount`, `channel`, `country`, `items`, `discount`.
    Orders,
}

impl Schema {
    /// What its files' names begin with.
    #[must_use]
    pub fn file_stem(self) -> &'static str {
        match self {
            Self::Features => "customers",
            Self::Orders => "orders",
        }
    }
}

/// What to generate. The share defaults are those of a customer base that needs preparation but not repair.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    /// What a row is.
    pub schema: Schema,
    /// Customers to generate, 1 to [`MAX_ROWS`]; fewer of raw orders and of later periods.
    pub rows: u64,
    /// Files to split them into, 1 to [`MAX_SHARDS`] and at most `rows`.
    pub shards: usize,
    /// Seed of the random draws. The same seed and options give the same data.
    pub seed: u64,
    /// Probability that a cell of recency, frequency or monetary is missing, 0 to 1. A row keeps at least one.
    pub missing_share: f64,
    /// Share of the rows with a gross error in one cell, 0 to 1.
    pub outlier_share: f64,
    /// Share of the rows that follow no behaviour, 0 to 1. Less than 1 together with `outlier_share`.
    pub background_share: f64,
    /// Orders per customer on average, 1 to [`MAX_ORDERS_PER_CUSTOMER`]; by default as many as the behaviours have. For
    /// raw orders only.
    pub orders_per_customer: Option<f64>,
    /// Zipf exponent of the orders over customers, 0 (as the behaviours have them) to [`MAX_SKEW`]. For raw orders
    /// only.
    pub skew: f64,
    /// Zipf exponent of the customers over shards, 0 (equal shards) to [`MAX_SHARD_SKEW`].
    pub shard_skew: f64,
    /// What changes from one period to the next, 0 to 1.
    pub drift: f64,
    /// Which period, 1 to [`MAX_PERIOD`].
    pub period: u32,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            schema: Schema::Features,
            rows: 1_000_000,
            shards: 8,
            seed: 7,
            missing_share: 0.04,
            outlier_share: 0.002,
            background_share: 0.05,
            orders_per_customer: None,
            skew: 0.0,
            shard_skew: 0.0,
            drift: 0.0,
            period: 1,
        }
    }
}

/// Why customers could not be generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The number of rows is out of range.
    #[error("rows is {rows}: ask for 1 to {most}{}", .why)]
    Rows {
        /// Rows asked for.
        rows: u64,
        /// Most that these options can have.
        most: u64,
        /// Which options, in words after the number.
        why: &'static str,
    },
    /// The number of shards is out of range.
    #[error("shards is {shards}: ask for 1 to {most} with {rows} rows")]
    Shards {
        /// Shards asked for.
        shards: usize,
        /// Most shards that these rows can have.
        most: u64,
        /// Rows asked for.
        rows: u64,
    },
    /// A share is not a probability.
    #[error("{option} is {value}: a share is a number from 0 to 1")]
    Share {
        /// The option's name.
        option: &'static str,
        /// Its value.
        value: f64,
    },
    /// A number is out of its range.
    #[error("{option} is {value}: ask for {least} to {most}")]
    Range {
        /// The option's name.
        option: &'static str,
        /// Its value.
        value: f64,
        /// The least that can be asked for.
        least: f64,
        /// The most.
        most: f64,
    },
    /// An option of raw orders, where a row is a customer.
    #[error("{option} spreads orders over customers: it goes with the schema `orders`")]
    OfOrders {
        /// The option's name.
        option: &'static str,
    },
    /// Outliers and background leave no room for customers.
    #[error("outlier_share {outliers} and background_share {background} leave no customers: keep their sum below 1")]
    NoCustomers {
        /// Share of rows with a gross error.
        outliers: f64,
        /// Share of rows that follow no behaviour.
        background: f64,
    },
    /// The shard is not one of these options.
    #[error(
        "shard {index} holds rows {start}..{end} but there are {rows}: take the shard from shards() of the same options"
    )]
    ForeignShard {
        /// Position of the shard.
        index: usize,
        /// Its first row.
        start: u64,
        /// One past its last row.
        end: u64,
        /// Rows of the options.
        rows: u64,
    },
    /// The Parquet file could not be encoded or written.
    #[error("shard {index} could not be written after {rows} rows: {cause}; check the destination and its free space")]
    Write {
        /// Position of the shard.
        index: usize,
        /// Rows that were handed to the writer before.
        rows: u64,
        /// What the writer said.
        cause: ParquetError,
    },
}

impl GenerateOptions {
    /// Whether customers have left and new ones have come by this period.
    pub(super) fn has_drifted(&self) -> bool {
        self.period > 1 && self.drift > 0.0
    }

    /// # Errors
    ///
    /// The first option that is out of its range.
    pub fn validate(&self) -> Result<(), GenerateError> {
        let rows = self.rows;
        let (most, why) = match self.schema {
            Schema::Orders => (MAX_ROWS_OF_ORDERS, " customers with orders"),
            Schema::Features if self.has_drifted() => (MAX_ROWS_OF_PERIODS, " where customers leave and come"),
            Schema::Features => (MAX_ROWS, ""),
        };
        if !(1..=most).contains(&rows) {
            return Err(GenerateError::Rows { rows, most, why });
        }
        let most = rows.min(MAX_SHARDS as u64);
        if !(1..=most).contains(&(self.shards as u64)) {
            let shards = self.shards;
            return Err(GenerateError::Shards { shards, most, rows });
        }
        for (option, value) in [
            ("missing_share", self.missing_share),
            ("outlier_share", self.outlier_share),
            ("background_share", self.background_share),
            ("drift", self.drift),
        ] {
            // NaN is in no range.
            if !(0.0..=1.0).contains(&value) {
                return Err(GenerateError::Share { option, value });
            }
        }
        let (outliers, background) = (self.outlier_share, self.background_share);
        if outliers + background >= 1.0 {
            return Err(GenerateError::NoCustomers { outliers, background });
        }
        for (option, value, least, most) in [
            ("orders_per_customer", self.orders_per_customer.unwrap_or(1.0), 1.0, MAX_ORDERS_PER_CUSTOMER),
            ("skew", self.skew, 0.0, MAX_SKEW),
            ("shard_skew", self.shard_skew, 0.0, MAX_SHARD_SKEW),
            ("period", f64::from(self.period), 1.0, f64::from(MAX_PERIOD)),
        ] {
            if !(least..=most).contains(&value) {
                return Err(GenerateError::Range { option, value, least, most });
            }
        }
        let given = [("orders_per_customer", self.orders_per_customer.is_some()), ("skew", self.skew > 0.0)];
        match given.into_iter().find(|(_, given)| *given && self.schema == Schema::Features) {
            Some((option, _)) => Err(GenerateError::OfOrders { option }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::shards;
    use super::*;

    #[test]
    fn errors_say_what_to_ask_for() {
        let base = GenerateOptions { rows: 10, shards: 2, ..GenerateOptions::default() };
        let orders = GenerateOptions { schema: Schema::Orders, ..base.clone() };
        let later = GenerateOptions { period: 2, drift: 0.1, ..base.clone() };
        for (options, expected) in [
            (GenerateOptions { rows: 0, ..base.clone() }, "rows is 0"),
            (GenerateOptions { rows: u64::MAX, ..base.clone() }, "rows is 18446744073709551615"),
            (GenerateOptions { rows: 1 << 41, ..later.clone() }, "where customers leave and come"),
            (GenerateOptions { rows: 1 << 37, ..orders.clone() }, "68719476736 customers with orders"),
            (GenerateOptions { shards: 0, ..base.clone() }, "shards is 0: ask for 1 to 10"),
            (GenerateOptions { shards: 11, ..base.clone() }, "shards is 11: ask for 1 to 10"),
            (GenerateOptions { rows: 1 << 40, shards: 100_001, ..base.clone() }, "ask for 1 to 100000"),
            (GenerateOptions { missing_share: 1.5, ..base.clone() }, "missing_share is 1.5"),
            (GenerateOptions { outlier_share: -0.1, ..base.clone() }, "outlier_share is -0.1"),
            (GenerateOptions { background_share: f64::NAN, ..base.clone() }, "background_share is NaN"),
            (GenerateOptions { drift: 1.1, ..base.clone() }, "drift is 1.1"),
            (GenerateOptions { outlier_share: 0.5, background_share: 0.5, ..base.clone() }, "keep their sum below 1"),
            (GenerateOptions { orders_per_customer: Some(0.5), ..orders.clone() }, "orders_per_customer is 0.5"),
            (GenerateOptions { skew: 1.0, ..orders.clone() }, "skew is 1: ask for 0 to 0.95"),
            (GenerateOptions { skew: 0.5, ..base.clone() }, "schema `orders`"),
            (GenerateOptions { orders_per_customer: Some(3.0), ..base.clone() }, "schema `orders`"),
            (GenerateOptions { shard_skew: -1.0, ..base.clone() }, "shard_skew is -1"),
            (GenerateOptions { period: 0, ..base.clone() }, "period is 0: ask for 1 to 1000"),
        ] {
            let message = shards(&options).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        assert!(orders.validate().is_ok() && later.validate().is_ok());
    }
}
