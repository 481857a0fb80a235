//! Seeded synthetic customers for load tests: `segmenta generate --rows N --shards S --seed X OUT`.
//!
//! ```text
//!  row index ──hash(seed, row, field)──▶ behaviour ──▶ recency, frequency, monetary ──▶ gaps and gross errors
//!      └──────bijection of 52 bits─────▶ customer_id
//!
//!  shard 0: rows [0, n0)   shard 1: rows [n0, n0 + n1)   …   one Parquet file each, in row order
//! ```
//!
//! | row | share | recency, days | frequency, orders | monetary, total spend |
//! |---|---|---|---|---|
//! | VIP | 10 % of customers | about 8 | about 26 | about 1290 |
//! | regular | 55 % of customers | about 55 | about 13 | about 640 |
//! | infrequent | 35 % of customers | about 370 | about 3 | about 100 |
//! | background | `background_share` of rows | 0 to 730 | 1 to 40 | 5 to 2500 |
//! | gross error | `outlier_share` of rows | 9999 in one | x 100 in one | x 1000 in one |
//!
//! *Customers* are the rows that are neither background nor gross errors. Each behaviour is a log-normal blob: who
//! orders more often than the others of the behaviour has also ordered more recently, and spend is the orders times
//! the customer's average basket. Recency is whole days since the last order, frequency a whole count of at least 1,
//! monetary has two decimals. Background rows are uniform over the ranges above. A gross error is a customer of whom
//! one cell was entered wrongly: spend times 1000, orders times 100, or 9999 for the days. The three behaviours are
//! placed so that Tukey's fence with factor 1.5 on the raw features keeps nearly all of each of them
//! (97 % or more), and so that the gross errors lie outside.
//!
//! Cells are missing completely at random, each with probability `missing_share`, but a row keeps at least one of its
//! three cells (so the share that results is `p - p³ / 3`, which is `p` for any small `p`), and the wrong cell of a
//! gross error is never missing.
//!
//! Customer ids are a bijection of the row index (and the seed) on 52 bits, plus one: unique by construction, not
//! sequential, positive, and exact as a double, so they survive JSON and spreadsheets.
//!
//! Everything about a row is a pure function of (seed, row index, shares): the same rows come out however many shards
//! they are split into. It uses integer hashing and the basic operations of IEEE 754 only (no `ln`, `exp` or `cos` of
//! the platform's mathematics library), so they are also the same on every machine.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Builder, Int64Builder};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::parquet::schema::types::ColumnPath;
use segmenta_algorithms::hashing::{combine, mix, unit_interval};

/// Most shards of one data set: their file names carry five digits.
pub const MAX_SHARDS: usize = 100_000;

/// Most rows of one data set: the ids are a bijection of so many values.
pub const MAX_ROWS: u64 = 1 << ID_BITS;

/// Rows of a Parquet row group.
const ROW_GROUP_ROWS: usize = 131_072;

/// Rows that are made, and handed to the Parquet writer, at a time.
const BATCH_ROWS: u64 = 8_192;

/// What to generate. The share defaults are those of a customer base that needs preparation but not repair.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    /// Customers to generate, 1 to [`MAX_ROWS`].
    pub rows: u64,
    /// Files to split them into, 1 to [`MAX_SHARDS`] and at most `rows`.
    pub shards: usize,
    /// What the data are a function of, besides the shares.
    pub seed: u64,
    /// Probability that a cell of recency, frequency or monetary is missing, 0 to 1. A row keeps at least one.
    pub missing_share: f64,
    /// Share of the rows with a gross error in one cell, 0 to 1.
    pub outlier_share: f64,
    /// Share of the rows that follow no behaviour, 0 to 1. Less than 1 together with `outlier_share`.
    pub background_share: f64,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self { rows: 1_000_000, shards: 8, seed: 7, missing_share: 0.04, outlier_share: 0.002, background_share: 0.05 }
    }
}

/// The rows of one output file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardRange {
    /// Position among the shards, from 0.
    pub index: usize,
    /// Indices of its rows.
    pub rows: Range<u64>,
}

impl ShardRange {
    /// `customers-NNNNN.parquet`: the names sort in row order.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("customers-{:05}.parquet", self.index)
    }
}

/// Why customers could not be generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The number of rows is out of range.
    #[error("rows is {rows}: ask for 1 to {MAX_ROWS}")]
    Rows {
        /// Rows asked for.
        rows: u64,
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

/// The shards of `options` in row order. Their sizes differ by one row at most, the larger ones first.
///
/// # Errors
///
/// When an option is out of its range; nothing else is checked or done.
pub fn shards(options: &GenerateOptions) -> Result<Vec<ShardRange>, GenerateError> {
    validate(options)?;
    let count = options.shards as u64;
    let (size, larger) = (options.rows / count, options.rows % count);
    let start_of = |shard: u64| shard * size + shard.min(larger);
    Ok((0..options.shards)
        .map(|index| ShardRange { index, rows: start_of(index as u64)..start_of(index as u64 + 1) })
        .collect())
}

/// The columns of every shard: `customer_id` (never null), `recency` (days since the last order), `frequency`
/// (orders) and `monetary` (total spend).
#[must_use]
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("customer_id", DataType::Int64, false),
        Field::new("recency", DataType::Float64, true),
        Field::new("frequency", DataType::Float64, true),
        Field::new("monetary", DataType::Float64, true),
    ]))
}

/// Writes one shard as a Parquet file (zstd, row groups of 131 072 rows) and returns its number of rows.
///
/// Streams: holds one batch of 8192 rows and the encoded row group in the making. Deterministic: equal options and
/// shard give equal bytes. `on_rows` is called after each batch with the number of rows in it (not their sum).
/// The writer is flushed at the end.
///
/// # Errors
///
/// When an option is out of its range, the shard is not of these options, or `writer` fails. What was written until
/// then is not a readable file.
pub fn write_shard<W: Write + Send>(
    options: &GenerateOptions,
    shard: &ShardRange,
    writer: W,
    on_rows: &mut dyn FnMut(u64),
) -> Result<u64, GenerateError> {
    validate(options)?;
    let Range { start, end } = shard.rows;
    if start > end || end > options.rows {
        return Err(GenerateError::ForeignShard { index: shard.index, start, end, rows: options.rows });
    }
    let failed = |rows: u64| move |cause: ParquetError| GenerateError::Write { index: shard.index, rows, cause };
    let mut writer = ArrowWriter::try_new(writer, schema(), Some(properties())).map_err(failed(0))?;
    let mut batches = Batches::new(options);
    let mut at = start;
    while at < end {
        let next = end.min(at + BATCH_ROWS);
        batches.make(at..next).and_then(|batch| writer.write(&batch)).map_err(failed(at - start))?;
        on_rows(next - at);
        at = next;
    }
    writer.close().map_err(failed(end - start))?;
    Ok(end - start)
}

fn validate(options: &GenerateOptions) -> Result<(), GenerateError> {
    let rows = options.rows;
    if !(1..=MAX_ROWS).contains(&rows) {
        return Err(GenerateError::Rows { rows });
    }
    let most = rows.min(MAX_SHARDS as u64);
    if !(1..=most).contains(&(options.shards as u64)) {
        let shards = options.shards;
        return Err(GenerateError::Shards { shards, most, rows });
    }
    for (option, value) in [
        ("missing_share", options.missing_share),
        ("outlier_share", options.outlier_share),
        ("background_share", options.background_share),
    ] {
        // NaN is in no range.
        if !(0.0..=1.0).contains(&value) {
            return Err(GenerateError::Share { option, value });
        }
    }
    let (outliers, background) = (options.outlier_share, options.background_share);
    if outliers + background >= 1.0 {
        return Err(GenerateError::NoCustomers { outliers, background });
    }
    Ok(())
}

/// Ids and spend hardly repeat, so a dictionary of them would be built only to be thrown away.
fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_column_dictionary_enabled(ColumnPath::from("customer_id"), false)
        .set_column_dictionary_enabled(ColumnPath::from("monetary"), false)
        .build()
}

/// Turns ranges of rows into record batches.
struct Batches {
    population: Population,
    schema: SchemaRef,
    ids: Int64Builder,
    cells: [Float64Builder; 3],
}

impl Batches {
    fn new(options: &GenerateOptions) -> Self {
        let capacity = BATCH_ROWS as usize;
        Self {
            population: Population::new(options),
            schema: schema(),
            ids: Int64Builder::with_capacity(capacity),
            cells: std::array::from_fn(|_| Float64Builder::with_capacity(capacity)),
        }
    }

    fn make(&mut self, rows: Range<u64>) -> Result<RecordBatch, ParquetError> {
        for row in rows {
            let customer = self.population.customer(row);
            self.ids.append_value(customer.id);
            for (column, cell) in self.cells.iter_mut().zip(customer.cells) {
                column.append_option(cell);
            }
        }
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.ids.finish())];
        columns.extend(self.cells.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef));
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

/// One way of buying: the natural logarithms of medians, and the standard deviations of logarithms.
struct Behaviour {
    recency: (f64, f64),
    frequency: (f64, f64),
    /// Average spend of one order.
    basket: (f64, f64),
}

/// Recency of about 8 days, 26 orders of about 49 each.
const VIP: Behaviour = Behaviour { recency: (2.08, 0.50), frequency: (3.26, 0.10), basket: (3.90, 0.10) };

/// Recency of about 55 days, 13 orders of about 48 each.
const REGULAR: Behaviour = Behaviour { recency: (4.00, 0.35), frequency: (2.60, 0.20), basket: (3.87, 0.22) };

/// Recency of about 370 days, 3 orders of about 33 each.
const INFREQUENT: Behaviour = Behaviour { recency: (5.91, 0.18), frequency: (1.10, 0.35), basket: (3.50, 0.30) };

/// Shares of [`VIP`] and [`REGULAR`] among the customers; [`INFREQUENT`] has the rest.
const VIP_SHARE: f64 = 0.10;
const REGULAR_SHARE: f64 = 0.55;

/// Correlation of the logarithms of recency and frequency within a behaviour.
const RECENCY_FREQUENCY: f64 = -0.3;

/// Largest recency of a row without a gross error: two years, in days.
const MAX_RECENCY: f64 = 730.0;

/// Largest frequency, and range of spend, of the background.
const BACKGROUND_ORDERS: f64 = 40.0;
const BACKGROUND_SPEND: Range<f64> = 5.0..2500.0;

/// The gross errors.
const WRONG_RECENCY: f64 = 9999.0;
const WRONG_FREQUENCY_FACTOR: f64 = 100.0;
const WRONG_MONETARY_FACTOR: f64 = 1000.0;

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
}

/// One row; the cells are recency, frequency, monetary.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Customer {
    id: i64,
    cells: [Option<f64>; 3],
}

/// The customers of a seed: row index in, row out.
struct Population {
    key: u64,
    id_key: u64,
    /// Upper bounds of the uniform draw that chooses the kind of a row.
    outliers_below: f64,
    background_below: f64,
    /// A cell is missing when 21 bits of a hash are below it.
    missing_below: f64,
}

impl Population {
    fn new(options: &GenerateOptions) -> Self {
        Self {
            key: combine(options.seed, 0xC0_57),
            id_key: combine(options.seed, 0x1D),
            outliers_below: options.outlier_share,
            background_below: options.outlier_share + options.background_share,
            missing_below: options.missing_share * f64::from(1u32 << 21),
        }
    }

    #[inline]
    fn customer(&self, row: u64) -> Customer {
        let key = mix(self.key ^ mix(row));
        let kind = unit_interval(mix(key ^ field::KIND));
        let background = kind >= self.outliers_below && kind < self.background_below;
        let mut cells = if background { Self::background(key) } else { Self::behaving(key) };
        let mut wrong = None;
        if kind < self.outliers_below {
            let cell = (mix(key ^ field::WRONG) % 3) as usize;
            cells[cell] = match cell {
                0 => WRONG_RECENCY,
                1 => cells[1] * WRONG_FREQUENCY_FACTOR,
                _ => cents(cells[2] * WRONG_MONETARY_FACTOR),
            };
            wrong = Some(cell);
        }
        let draw = mix(key ^ field::MISSING);
        let mut present = [0, 21, 42].map(|shift| ((draw >> shift) & ((1 << 21) - 1)) as f64 >= self.missing_below);
        if let Some(cell) = wrong {
            present[cell] = true;
        } else if !present.contains(&true) {
            present[(mix(draw) % 3) as usize] = true;
        }
        Customer {
            id: customer_id(self.id_key, row),
            cells: std::array::from_fn(|cell| present[cell].then_some(cells[cell])),
        }
    }

    /// A row of one of the three behaviours.
    #[inline]
    fn behaving(key: u64) -> [f64; 3] {
        let choice = unit_interval(mix(key ^ field::BEHAVIOUR));
        let behaviour = if choice < VIP_SHARE {
            &VIP
        } else if choice < VIP_SHARE + REGULAR_SHARE {
            &REGULAR
        } else {
            &INFREQUENT
        };
        // The square root of 1 - 0.3², so that the sum below has variance 1.
        const OWN: f64 = 0.953_939_201_416_945_6;
        let orders = normal(key ^ field::FREQUENCY);
        let days = RECENCY_FREQUENCY * orders + OWN * normal(key ^ field::RECENCY);
        let log_normal = |(mean, deviation): (f64, f64), z: f64| exp(mean + deviation * z);

        let recency = whole(log_normal(behaviour.recency, days)).min(MAX_RECENCY);
        let frequency = whole(log_normal(behaviour.frequency, orders)).max(1.0);
        let basket = log_normal(behaviour.basket, normal(key ^ field::BASKET));
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

/// Bits of a customer id.
const ID_BITS: u32 = 52;

/// Row index to id, 1 to 2^52: a bijection, as each step is one on 52 bits (adding, xor with the own upper half,
/// multiplying by an odd number).
#[inline]
fn customer_id(key: u64, row: u64) -> i64 {
    const MASK: u64 = MAX_ROWS - 1;
    let mut x = row.wrapping_add(key) & MASK;
    x ^= x >> 26;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9) & MASK;
    x ^= x >> 25;
    x = x.wrapping_mul(0x94D0_49BB_1331_11EB) & MASK;
    x ^= x >> 26;
    x as i64 + 1
}

/// A nearly standard normal number, a function of `key`: the sum of eight uniform numbers of 16 bits, scaled to mean 0
/// and variance 1. It lies within 4.9 standard deviations (Irwin-Hall distribution; excess kurtosis -0.15).
#[inline]
fn normal(key: u64) -> f64 {
    const LANES: u64 = 0x0000_FFFF_0000_FFFF;
    const MEAN: f64 = 4.0 * 65_535.0;
    // The square root of 8 (2^32 - 1) / 12.
    const DEVIATION: f64 = 53_509.919_921_450_08;
    let (a, b) = (mix(key), mix(!key));
    let sums = (a & LANES) + ((a >> 16) & LANES) + (b & LANES) + ((b >> 16) & LANES);
    let sum = (sums & 0xFFFF_FFFF) + (sums >> 32);
    (sum as f64 - MEAN) * (1.0 / DEVIATION)
}

/// `e^x` for `0 <= x < 700` to nine digits, by additions and multiplications only: IEEE 754 pins their results, while
/// `f64::exp` may differ in the last bit from one platform to the next.
#[inline]
fn exp(x: f64) -> f64 {
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

/// The nearest whole number of a number that is not negative.
#[inline]
fn whole(x: f64) -> f64 {
    (x + 0.5) as u64 as f64
}

/// The nearest number with two decimals.
#[inline]
fn cents(x: f64) -> f64 {
    whole(x * 100.0) / 100.0
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::io;

    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::{Float64Type, Int64Type};
    use datafusion::parquet::arrow::arrow_reader::{ArrowReaderBuilder, ParquetRecordBatchReaderBuilder};

    use super::*;

    fn customers(options: &GenerateOptions) -> Vec<Customer> {
        let population = Population::new(options);
        (0..options.rows).map(|row| population.customer(row)).collect()
    }

    /// Writes all shards to memory and reads their rows back, in order.
    fn round_trip(options: &GenerateOptions) -> Vec<Customer> {
        let mut rows = Vec::new();
        for shard in shards(options).unwrap() {
            let mut file = Vec::new();
            let mut seen = 0;
            let written = write_shard(options, &shard, &mut file, &mut |n| seen += n).unwrap();
            assert_eq!(written, shard.rows.end - shard.rows.start);
            assert_eq!(seen, written);
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file)).unwrap();
            assert_eq!(ArrowReaderBuilder::schema(&reader).fields(), schema().fields());
            for group in reader.metadata().row_groups() {
                assert!(group.num_rows() <= ROW_GROUP_ROWS as i64);
            }
            for batch in reader.build().unwrap() {
                let batch = batch.unwrap();
                let ids = batch.column(0).as_primitive::<Int64Type>();
                for row in 0..batch.num_rows() {
                    rows.push(Customer {
                        id: ids.value(row),
                        cells: std::array::from_fn(|cell| {
                            let column = batch.column(cell + 1).as_primitive::<Float64Type>();
                            column.iter().nth(row).flatten()
                        }),
                    });
                }
            }
        }
        rows
    }

    #[test]
    fn rows_do_not_depend_on_the_shards() {
        let one = GenerateOptions { rows: 20_001, shards: 1, ..GenerateOptions::default() };
        let seven = GenerateOptions { shards: 7, ..one.clone() };
        let rows = round_trip(&one);
        assert_eq!(rows.len(), 20_001);
        assert_eq!(rows, round_trip(&seven));
        assert_eq!(rows, customers(&one));
    }

    #[test]
    fn equal_options_give_equal_bytes() {
        let options = GenerateOptions { rows: 10_000, shards: 2, ..GenerateOptions::default() };
        let file = |options: &GenerateOptions| {
            let mut file = Vec::new();
            write_shard(options, &shards(options).unwrap()[1], &mut file, &mut |_| {}).unwrap();
            file
        };
        assert_eq!(file(&options), file(&options));
        assert_ne!(file(&options), file(&GenerateOptions { seed: 8, ..options.clone() }));
    }

    #[test]
    fn shards_cover_the_rows_once() {
        for (rows, count) in [(1, 1), (10, 3), (12, 4), (100_001, 100_000)] {
            let options = GenerateOptions { rows, shards: count, ..GenerateOptions::default() };
            let shards = shards(&options).unwrap();
            assert_eq!(shards.len(), count);
            let mut next = 0;
            for (index, shard) in shards.iter().enumerate() {
                assert_eq!((shard.index, shard.rows.start), (index, next));
                assert!(shard.rows.end - next >= rows / count as u64);
                assert!(shard.rows.end - next <= rows.div_ceil(count as u64));
                next = shard.rows.end;
            }
            assert_eq!(next, rows);
        }
        let last = ShardRange { index: 99_999, rows: 0..1 };
        assert_eq!(last.file_name(), "customers-99999.parquet");
    }

    #[test]
    fn ids_are_unique_positive_and_not_in_order() {
        let options = GenerateOptions { rows: 300_000, ..GenerateOptions::default() };
        let ids: Vec<i64> = customers(&options).iter().map(|customer| customer.id).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert!(ids.iter().all(|id| (1..=1 << 52).contains(id)));
        let rising = ids.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((140_000..160_000).contains(&rising), "{rising} of 300000 ids rise");
    }

    #[test]
    fn shares_are_near_their_targets() {
        let options = GenerateOptions { rows: 200_000, ..GenerateOptions::default() };
        let rows = customers(&options);
        let share = |hits: usize, of: usize| hits as f64 / of as f64;
        let missing = rows.iter().flat_map(|row| row.cells).filter(Option::is_none).count();
        assert!((share(missing, 600_000) - 0.04).abs() < 0.001);
        for cell in 0..3 {
            let missing = rows.iter().filter(|row| row.cells[cell].is_none()).count();
            assert!((share(missing, 200_000) - 0.04).abs() < 0.002);
        }
        let gross = |cells: [Option<f64>; 3]| {
            let above = |cell: usize, bound: f64| cells[cell].is_some_and(|value| value > bound);
            usize::from(above(0, MAX_RECENCY)) + usize::from(above(1, 99.0)) + usize::from(above(2, 5_000.0))
        };
        assert!(rows.iter().all(|row| gross(row.cells) <= 1));
        let outliers = rows.iter().filter(|row| gross(row.cells) == 1).count();
        assert!((share(outliers, 200_000) - 0.002).abs() < 0.0005);
        // Background rows alone are so frequent and so long away.
        let corner = |row: &&Customer| {
            row.cells[0].is_some_and(|days| days > 365.0) && row.cells[1].is_some_and(|n| (21.0..=40.0).contains(&n))
        };
        let expected = 0.05 * 0.25 * 0.96 * 0.96;
        assert!((share(rows.iter().filter(corner).count(), 200_000) - expected).abs() < 0.001);
    }

    #[test]
    fn no_row_is_all_missing() {
        for missing_share in [0.04, 0.5, 0.9, 1.0] {
            let options = GenerateOptions { rows: 20_000, missing_share, ..GenerateOptions::default() };
            let rows = customers(&options);
            assert!(rows.iter().all(|row| row.cells.iter().any(Option::is_some)));
            let missing = rows.iter().flat_map(|row| row.cells).filter(Option::is_none).count() as f64 / 60_000.0;
            assert!((missing - (missing_share - missing_share.powi(3) / 3.0)).abs() < 0.01);
        }
        let options = GenerateOptions { rows: 20_000, missing_share: 0.0, ..GenerateOptions::default() };
        assert!(customers(&options).iter().all(|row| row.cells.iter().all(Option::is_some)));
    }

    #[test]
    fn cells_are_whole_days_whole_orders_and_cents() {
        let options = GenerateOptions { rows: 100_000, outlier_share: 0.0, ..GenerateOptions::default() };
        for row in customers(&options) {
            let [recency, frequency, monetary] = row.cells;
            assert!(recency.is_none_or(|days| days.fract() == 0.0 && (0.0..=MAX_RECENCY).contains(&days)));
            assert!(frequency.is_none_or(|orders| orders.fract() == 0.0 && (1.0..=99.0).contains(&orders)));
            assert!(monetary.is_none_or(|spend| {
                spend > 0.0 && spend < 5_000.0 && format!("{spend}").split('.').nth(1).is_none_or(|d| d.len() <= 2)
            }));
        }
    }

    /// The behaviours in their shares, apart from each other, and inside Tukey's fences.
    #[test]
    fn behaviours_are_three_and_survive_the_fences() {
        let options = GenerateOptions {
            rows: 100_000,
            missing_share: 0.0,
            outlier_share: 0.0,
            background_share: 0.0,
            ..GenerateOptions::default()
        };
        let customers: Vec<[f64; 3]> = customers(&options).iter().map(|row| row.cells.map(Option::unwrap)).collect();
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
    }

    /// Tukey's fences, factor 1.5, of the present cells of `options`.
    fn customers_inside_fences(options: &GenerateOptions) -> impl Fn(&[f64; 3]) -> bool + use<> {
        let rows = customers(options);
        let fences: [(f64, f64); 3] = std::array::from_fn(|cell| {
            let mut values: Vec<f64> = rows.iter().filter_map(|row| row.cells[cell]).collect();
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
        let rows: Vec<_> = customers(&options).iter().map(|row| (row.id, row.cells)).collect();
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
    fn normal_is_standard_and_exp_is_right() {
        let values: Vec<f64> = (0..100_000).map(|i| normal(mix(i))).collect();
        let mean = values.iter().sum::<f64>() / 1e5;
        let variance = values.iter().map(|z| z * z).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02);
        for step in 0..2_000 {
            let x = f64::from(step) * 0.01;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-9, "exp({x})");
        }
    }

    #[test]
    fn errors_say_what_to_ask_for() {
        let base = GenerateOptions { rows: 10, shards: 2, ..GenerateOptions::default() };
        let message = |options: GenerateOptions| shards(&options).unwrap_err().to_string();
        for (options, expected) in [
            (GenerateOptions { rows: 0, ..base.clone() }, "rows is 0"),
            (GenerateOptions { rows: u64::MAX, ..base.clone() }, "rows is 18446744073709551615"),
            (GenerateOptions { shards: 0, ..base.clone() }, "shards is 0: ask for 1 to 10"),
            (GenerateOptions { shards: 11, ..base.clone() }, "shards is 11: ask for 1 to 10"),
            (GenerateOptions { rows: 1 << 40, shards: 100_001, ..base.clone() }, "ask for 1 to 100000"),
            (GenerateOptions { missing_share: 1.5, ..base.clone() }, "missing_share is 1.5"),
            (GenerateOptions { outlier_share: -0.1, ..base.clone() }, "outlier_share is -0.1"),
            (GenerateOptions { background_share: f64::NAN, ..base.clone() }, "background_share is NaN"),
            (GenerateOptions { outlier_share: 0.5, background_share: 0.5, ..base.clone() }, "keep their sum below 1"),
        ] {
            let message = message(options);
            assert!(message.contains(expected), "{message}");
        }
        let foreign = ShardRange { index: 3, rows: 5..11 };
        let error = write_shard(&base, &foreign, io::sink(), &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("rows 5..11 but there are 10"), "{error}");
    }

    #[test]
    fn a_full_disk_is_an_error() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::new(io::ErrorKind::StorageFull, "no space left"))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let options = GenerateOptions { rows: 10, shards: 1, ..GenerateOptions::default() };
        let error = write_shard(&options, &shards(&options).unwrap()[0], Full, &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("no space left"), "{error}");
    }
}
