//! Times nearest-neighbour imputation in one process, on customers that are made up.
//!
//!     cargo run --release -p segmenta-algorithms --example knn_impute -- ROWS THREADS [KIND] [BATCH] [NEIGHBORS] [OUT]
//!
//! `KIND` is `rfm` (recency 1 to 730 days, orders, and a sum with two decimals; the default) or a number of real-valued
//! features. 4 % of the cells are missing, and every row is a donor. `BATCH` rows are imputed at a time (all, by default).
//! `OUT` gets the rows before imputation, and `OUT.filled` those after it, as little-endian doubles. Prints JSON.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::time::Instant;

use segmenta_algorithms::hashing::{combine, unit_interval};
use segmenta_algorithms::imputation::{Donors, KnnImputer, NeighborWeights};
use segmenta_algorithms::sums::Bounds;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |i: usize| arguments.get(i).and_then(|argument| argument.parse::<usize>().ok());
    let (rows, threads) = (number(1).unwrap(), number(2).unwrap());
    let (features, real) = (number(3).unwrap_or(3), number(3).is_some());
    let (batch, neighbors) = (number(4).unwrap_or(rows).max(1), number(5).unwrap_or(5));

    let mut values = vec![0.0; rows * features];
    for (i, row) in values.chunks_exact_mut(features).enumerate() {
        let uniform = |salt: u64| unit_interval(combine(i as u64, salt));
        let normal =
            |salt: u64| (-2.0 * (1.0 - uniform(salt)).ln()).sqrt() * (std::f64::consts::TAU * uniform(salt + 1)).cos();
        if real {
            row.iter_mut().enumerate().for_each(|(j, value)| *value = normal(2 * j as u64));
        } else {
            let orders = 1.0 + ((1.0 - uniform(0)).ln() / 0.6f64.ln()).floor();
            let recency = 1.0 + (730.0 * uniform(1).powf(1.5)).floor();
            row.copy_from_slice(&[recency, orders, (orders * (3.5 + 0.8 * normal(2)).exp() * 100.0).round() / 100.0]);
        }
        let missing = |j: &usize| uniform(1000 + *j as u64) < 0.04;
        (0..features).filter(missing).for_each(|j| row[j] = f64::NAN);
    }
    let mut bounds = vec![Bounds::default(); features];
    for row in values.chunks_exact(features) {
        row.iter().zip(&mut bounds).for_each(|(value, bounds)| bounds.include(*value));
    }
    let write = |path: &str, values: &[f64]| {
        std::fs::write(path, values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
    };
    if let Some(path) = arguments.get(6) {
        write(path, &values);
    }

    let start = Instant::now();
    let mut donors = Donors::new(features);
    donors.extend(&values);
    let imputer = KnnImputer::new(donors, neighbors, NeighborWeights::Uniform, &bounds, threads);
    let gathered = start.elapsed().as_secs_f64();
    let fallback = vec![0.0; features];
    let mut filled = 0;
    for rows in values.chunks_mut(batch * features) {
        filled += imputer.impute(rows, &fallback).iter().map(|mask| u64::from(mask.count_ones())).sum::<u64>();
    }
    let seconds = start.elapsed().as_secs_f64();
    if let Some(path) = arguments.get(6) {
        write(&format!("{path}.filled"), &values);
    }
    let checksum = values.iter().fold(0, |hash, value| combine(hash, value.to_bits()));
    println!(
        "{{\"rows\": {rows}, \"features\": {features}, \"cells_filled\": {filled}, \"donors_seconds\": {gathered:.3}, \
         \"seconds\": {seconds:.3}, \"checksum\": \"{checksum:016x}\", \"bytes_held\": {}, \"most_bytes\": {}}}",
        imputer.bytes(),
        KnnImputer::most_bytes(rows, features)
    );
}
