//! Seeded synthetic customers for load tests: `segmenta generate --rows N --shards S --seed X OUT`.
//!
//! ```text
//!  row index ──hash(seed, row, field)──▶ behaviour ──▶ recency, frequency, monetary ──▶ gaps and gross errors
//!      └──────bijection of 52 bits─────▶ customer_id          └──▶ as many orders, which add up to the three
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
//! orders more often than the others of the behaviour has also ordered more recently, and spend is the orders times the
//! customer's average basket. Recency is whole days since the last order, frequency a whole count of at least 1,
//! monetary has two decimals. Background rows are uniform over the ranges above. A gross error is a customer with one
//! cell that was entered wrongly: spend times 1000, orders times 100, or 9999 for the days. The three behaviours are
//! placed so that Tukey's fence with factor 1.5 on the raw features keeps nearly all of each of them (97 % or more),
//! and so that the gross errors lie outside.
//!
//! Cells are missing completely at random, each with probability `missing_share`, but a row keeps at least one of its
//! three cells (so the share that results is `p - p³ / 3`, which is `p` for any small `p`), and the wrong cell of a
//! gross error is never missing.
//!
//! Customer ids are a bijection of the row index (and the seed) on 52 bits, plus one: unique by construction, not
//! sequential, positive, and exact as a double, so they survive JSON and spreadsheets.
//!
//! # Raw orders
//!
//! [`Schema::Orders`] has the same customers, with a row for each order: `COUNT(*)`, the days from the last
//! `order_date` to 2026-07-01 and `SUM(amount)` by `customer_id` are the features of the same seed, to the cent. The
//! last order is as long ago as recency says, the others lie evenly in the two years before the reference date; amounts
//! are 0.4 to 1.6 times the customer's average. If a customer's recency is missing, none of its orders has an
//! `order_date`; if its spend is missing, none has an `amount`; a count cannot be missing. With a gross error of spend,
//! one order has all of the excess. With a gross error of orders, the customer has a hundred times as many orders. With
//! a gross error of days, its orders lie 9999 days and more back. `channel`, `items` and `discount` belong to the
//! order, `country` to the customer; they tell nothing about behaviour. `order_id` is unique within a data set.
//!
//! `orders_per_customer` and `skew` change how many orders a customer has, from `n` of its behaviour to
//! `1 + (n - 1) c w`, rounded by chance: `c` makes the mean what is asked for, and `w` is a Zipf weight of mean 1, by a rank that hashes
//! the row: the heaviest share `p` of customers has `p^(1 - skew)` of the weight (`skew` 0.8: one in a hundred has 40 %). Spend is
//! that many average baskets. With a skew the data are a function of `rows` too.
//!
//! # Periods
//!
//! Period 1 is what the seed gives. Three things change from each period to the next, with `drift` d. A customer leaves
//! with probability d / 2, and a new one, drawn as in period 1, takes its row. A customer who stays moves with
//! probability d to one of the other two behaviours, which are equally likely, and keeps its place within the
//! behaviour. The average basket of everybody with a behaviour grows by the share d. What is missing or wrong stays so.
//! Nothing else changes: without drift all periods are the same bytes.
//!
//! # The same everywhere
//!
//! Everything about a row is a pure function of the seed, the row index and the options but `shards`, `shard_skew` and (without a skew) `rows`: the
//! same rows come out however many shards they are split into. It uses integer hashing, the basic operations of
//! IEEE 754 and [`libm`] only (nothing of the platform's mathematics library), so they are also the same on every machine.

mod features;
mod options;
mod orders;
mod population;
mod random;
mod shards;
mod store;
mod write;

pub use options::{
    GenerateError, GenerateOptions, MAX_ORDERS_PER_CUSTOMER, MAX_PERIOD, MAX_ROWS, MAX_ROWS_OF_ORDERS,
    MAX_ROWS_OF_PERIODS, MAX_SHARD_SKEW, MAX_SHARDS, MAX_SKEW, Schema,
};
pub use orders::REFERENCE_DATE;
pub use shards::{ShardRange, shards};
pub use store::{Destination, Generated, OnCustomers, generate};
pub use write::{schema, write_shard};
