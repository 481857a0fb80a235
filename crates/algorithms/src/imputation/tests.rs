//! The kernel against the definition, written down the slow way.

use proptest::prelude::*;

use super::*;
use crate::hashing::{combine, mix, unit_interval};

/// `n x d` cells of which about `1 / missing` are missing: whole numbers up to 7, or reals.
fn cells(seed: u64, n: usize, d: usize, grid: bool, missing: u64) -> Vec<f64> {
    let cell = |i: usize| {
        let h = combine(seed, i as u64);
        match (h.is_multiple_of(missing), grid) {
            (true, _) => f64::NAN,
            (_, true) => (h >> 8 & 7) as f64 - 3.0,
            (_, false) => unit_interval(mix(h)) - 0.5,
        }
    };
    (0..n * d).map(cell).collect()
}

fn bounds_of(rows: &[f64], d: usize) -> Vec<Bounds> {
    let mut bounds = vec![Bounds::default(); d];
    for row in rows.chunks_exact(d) {
        row.iter().zip(&mut bounds).for_each(|(value, bounds)| bounds.include(*value));
    }
    bounds
}

fn donors_of(parts: &[&[f64]], d: usize) -> Donors {
    let mut donors = Donors::new(d);
    parts.iter().for_each(|rows| donors.extend(rows));
    donors
}

fn imputer(rows: &[f64], d: usize, k: usize, weights: NeighborWeights, threads: usize) -> KnnImputer {
    KnnImputer::new(donors_of(&[rows], d), k, weights, &bounds_of(rows, d), threads)
}

fn filled(imputer: &KnnImputer, rows: &[f64], fallback: &[f64]) -> Vec<f64> {
    let mut rows = rows.to_vec();
    imputer.impute(&mut rows, fallback);
    rows
}

fn bits_of(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn weights_of(distance: bool) -> NeighborWeights {
    if distance { NeighborWeights::Distance } else { NeighborWeights::Uniform }
}

/// The value of a missing cell by the definition.
fn by_definition(donors: &[f64], row: &[f64], feature: usize, k: usize, weights: NeighborWeights) -> Option<f64> {
    let d = row.len();
    let mut all: Vec<(f64, f64)> = Vec::new();
    for donor in donors.chunks_exact(d) {
        let pairs: Vec<_> = row.iter().zip(donor).filter(|(a, b)| !a.is_nan() && !b.is_nan()).collect();
        if !donor[feature].is_nan() && !pairs.is_empty() {
            let sum: f64 = pairs.iter().map(|(a, b)| (*a - *b) * (*a - *b)).sum();
            all.push((sum * (d as f64 / pairs.len() as f64), donor[feature]));
        }
    }
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let last = all.get(k - 1).or(all.last())?.0;
    let nearer = all.iter().filter(|x| x.0 < last).count();
    let tied = all.iter().filter(|x| x.0 == last).count();
    let share = (k - nearer).min(tied) as f64 / tied as f64;
    let (mut sum, mut total) = (0.0, 0.0);
    for (distance, value) in all.iter().filter(|x| x.0 <= last) {
        let weight = match weights {
            NeighborWeights::Uniform => 1.0,
            NeighborWeights::Distance if all[0].0 == 0.0 => f64::from(u8::from(*distance == 0.0)),
            NeighborWeights::Distance => 1.0 / distance.sqrt(),
        };
        let weight = weight * if *distance < last { 1.0 } else { share };
        sum += weight * value;
        total += weight;
    }
    Some(sum / total)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn equals_the_definition(
        seed in any::<u64>(), n in 1usize..400, d in 1usize..7, k in 1usize..12, missing in 2u64..12,
        grid in any::<bool>(), distance in any::<bool>(), repeat in 1usize..4,
    ) {
        let rows = cells(seed, n, d, grid, missing).repeat(repeat);
        let weights = weights_of(distance);
        let fallback: Vec<f64> = (0..d).map(|j| 100.0 + j as f64).collect();
        let imputer = imputer(&rows, d, k, weights, 2);
        let mut ours = rows.clone();
        let masks = imputer.impute(&mut ours, &fallback);
        for ((row, ours), mask) in rows.chunks_exact(d).zip(ours.chunks_exact(d)).zip(masks) {
            prop_assert_eq!(mask, !pattern(row) & mask_of(d));
            for j in 0..d {
                if row[j].is_nan() {
                    let expected = by_definition(&rows, row, j, k, weights).unwrap_or(fallback[j]);
                    prop_assert!((ours[j] - expected).abs() <= 1e-12 * (1.0 + expected.abs()), "{} {expected}", ours[j]);
                } else {
                    prop_assert_eq!(ours[j].to_bits(), row[j].to_bits());
                }
            }
        }
        prop_assert!(imputer.bytes() <= KnnImputer::most_bytes(n * repeat, d));
    }

    #[test]
    fn splits_orders_threads_and_batches_give_the_same_bits(
        seed in any::<u64>(), n in 1usize..600, d in 1usize..6, k in 1usize..20, parts in 1usize..5,
        grid in any::<bool>(), distance in any::<bool>(), threads in 1usize..4, batch in 1usize..700,
    ) {
        let rows = cells(seed, n, d, grid, 5);
        let weights = weights_of(distance);
        let (bounds, fallback) = (bounds_of(&rows, d), vec![9.5; d]);
        let whole = imputer(&rows, d, k, weights, 1);
        let expected = bits_of(&filled(&whole, &rows, &fallback));

        let mut order: Vec<&[f64]> = rows.chunks_exact(d).collect();
        order.sort_by_key(|row| mix(seed ^ row.iter().fold(0, |hash, value| combine(hash, value.to_bits()))));
        let shuffled = KnnImputer::new(donors_of(&order, d), k, weights, &bounds, threads);
        let mut ours = rows.clone();
        ours.chunks_mut(batch * d).for_each(|rows| { shuffled.impute(rows, &fallback); });
        prop_assert_eq!(&bits_of(&ours), &expected);

        let search = |part: usize| {
            let rows_of_part: Vec<&[f64]> = order.iter().skip(part).step_by(parts).copied().collect();
            KnnImputer::new(donors_of(&rows_of_part, d), k, weights, &bounds, threads).nearest(&rows)
        };
        let mut merged = search(0);
        (1..parts).for_each(|part| merged.merge(&search(part)));
        prop_assert_eq!(&merged, &whole.nearest(&rows));
        let wire: Nearest = serde_json::from_str(&serde_json::to_string(&merged).unwrap()).unwrap();
        let mut ours = rows.clone();
        let masks = wire.fill(&mut ours, &fallback, weights, &bounds);
        prop_assert_eq!(&bits_of(&ours), &expected);
        prop_assert_eq!(masks.iter().map(|mask| mask.count_ones() as usize).sum::<usize>(), merged.cells());
    }
}

#[test]
fn tied_donors_share_the_places_that_are_left() {
    // Distances 0, 1, 1, 1 and 2 on the first feature.
    let donors = [5.0, 10.0, 4.0, 20.0, 6.0, 30.0, 6.0, 40.0, 7.0, 50.0];
    let value = |k, weights| filled(&imputer(&donors, 2, k, weights, 1), &[5.0, f64::NAN], &[0.0; 2])[1];
    assert_eq!(value(1, NeighborWeights::Uniform), 10.0);
    assert_eq!(value(2, NeighborWeights::Uniform), (10.0 + 30.0) / 2.0);
    assert_eq!(value(3, NeighborWeights::Uniform), (10.0 + 2.0 * 30.0) / 3.0);
    assert_eq!(value(9, NeighborWeights::Uniform), 30.0);
    assert_eq!(value(3, NeighborWeights::Distance), 10.0);
}

#[test]
fn a_value_that_all_neighbours_share_is_not_rounded() {
    let rows = cells(5, 3000, 2, true, u64::MAX);
    let donors: Vec<f64> = rows.chunks_exact(2).flat_map(|row| [row[0], row[1], 0.1]).collect();
    for k in 1..40 {
        let row = filled(&imputer(&donors, 3, k, NeighborWeights::Uniform, 1), &[0.3, 0.7, f64::NAN], &[0.0; 3]);
        assert_eq!(row[2], 0.1);
    }
}

#[test]
fn without_donors_the_fallback_is_used() {
    let missing = f64::NAN;
    let fallback = [7.0, 8.0, 9.0];
    let none = KnnImputer::new(Donors::new(3), 5, NeighborWeights::Uniform, &[Bounds::default(); 3], 2);
    assert_eq!(filled(&none, &[1.0, missing, missing], &fallback), [1.0, 8.0, 9.0]);
    // Nobody has the third feature; rows without any feature share none; every row misses something.
    let rows = [1.0, missing, missing, missing, 2.0, missing, missing, missing, missing, 3.0, 4.0, missing];
    let imputer = imputer(&rows, 3, 5, NeighborWeights::Distance, 2);
    assert_eq!(imputer.donors(), 3);
    assert_eq!(filled(&imputer, &rows, &fallback), [1.0, 4.0, 9.0, 3.0, 2.0, 9.0, 7.0, 8.0, 9.0, 3.0, 4.0, 9.0]);
}

#[test]
fn zeros_of_either_sign_are_one_place() {
    let donors: Vec<f64> = (0..200).flat_map(|i| [if i % 2 == 0 { 0.0 } else { -0.0 }, f64::from(i)]).collect();
    let imputer = imputer(&donors, 2, 3, NeighborWeights::Uniform, 1);
    let receivers = [[0.0, f64::NAN]; 40].concat();
    let ours = filled(&imputer, &receivers, &[0.0; 2]);
    assert!(ours.chunks_exact(2).all(|row| row[1] == 99.5));
}

#[test]
fn extremes_do_not_panic() {
    let values = [f64::MAX, f64::MIN, 5e-324, 0.0, 1e200, -1e200, f64::INFINITY, f64::NEG_INFINITY];
    let donors: Vec<f64> = (0..400).flat_map(|i| [values[i % 8], values[i / 8 % 8], i as f64]).collect();
    let receivers: Vec<f64> = (0..400).flat_map(|i| [values[i / 8 % 8], values[i % 8], f64::NAN]).collect();
    for weights in [NeighborWeights::Uniform, NeighborWeights::Distance] {
        let ours = filled(&imputer(&donors, 3, 5, weights, 2), &receivers, &[0.0; 3]);
        assert!(ours.chunks_exact(3).all(|row| (0.0..400.0).contains(&row[2])));
    }
}

#[test]
fn sixty_four_features() {
    let d = 64;
    let rows = cells(3, 300, d, false, 40);
    let imputer = imputer(&rows, d, 4, NeighborWeights::Distance, 2);
    let ours = filled(&imputer, &rows, &[0.0; 64]);
    for (row, ours) in rows.chunks_exact(d).zip(ours.chunks_exact(d)).take(40) {
        for j in (0..d).filter(|j| row[*j].is_nan()) {
            let expected = by_definition(&rows, row, j, 4, NeighborWeights::Distance).unwrap();
            assert!((ours[j] - expected).abs() < 1e-12);
        }
    }
}

#[test]
fn large_groups_on_several_threads() {
    // Skewed steps: many donors at few places, a few far away; large enough for a build on two threads.
    let n = 150_000;
    let row = |i: u64| {
        let h = mix(i);
        let steps = (1.0 - unit_interval(h)).ln().abs().floor();
        // Repeated by an eighth of the rows: too seldom for rows to be joined before the tree is built.
        let far_or_real = match h % 1000 {
            0 => 1e9,
            1..=125 => 0.5,
            _ => unit_interval(mix(h ^ 1)),
        };
        [steps, (mix(h) % 50) as f64, far_or_real]
    };
    let donors: Vec<f64> = (0..n).flat_map(row).collect();
    let receivers: Vec<f64> = (0..3000)
        .flat_map(|i| {
            let mut row = row(n + i);
            row[i as usize % 3] = f64::NAN;
            row
        })
        .collect();
    let one = imputer(&donors, 3, 5, NeighborWeights::Uniform, 1);
    let two = imputer(&donors, 3, 5, NeighborWeights::Uniform, 2);
    let expected = filled(&one, &receivers, &[0.0; 3]);
    assert_eq!(bits_of(&filled(&two, &receivers, &[0.0; 3])), bits_of(&expected));
    for (row, ours) in receivers.chunks_exact(3).zip(expected.chunks_exact(3)).take(30) {
        for j in (0..3).filter(|j| row[*j].is_nan()) {
            let expected = by_definition(&donors, row, j, 5, NeighborWeights::Uniform).unwrap();
            // A quantum of the third feature, whose bound is 1e9, is about 2e-10.
            assert!((ours[j] - expected).abs() <= 1e-9 * (1.0 + expected.abs()), "{} {expected}", ours[j]);
        }
    }
    assert!(two.bytes() <= KnnImputer::most_bytes(n as usize, 3));
}

#[test]
fn callers_share_trees_within_the_budget() {
    let d = 6;
    let rows = cells(11, 20_000, d, false, 12);
    let imputer = imputer(&rows, d, 5, NeighborWeights::Uniform, 2);
    let expected = bits_of(&filled(&imputer, &rows, &[0.0; 6]));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for (batch, expected) in rows.chunks(4096 * d).zip(expected.chunks(4096 * d)) {
                    assert_eq!(bits_of(&filled(&imputer, batch, &[0.0; 6])), expected);
                    assert!(imputer.bytes() <= KnnImputer::most_bytes(20_000, d));
                }
            });
        }
    });
}

#[test]
fn masked_cells_are_imputed_and_compared() {
    let (d, k) = (3, 4);
    let rows = cells(21, 500, d, false, 9);
    let (probes, donors) = rows.split_at(60 * d);
    let imputer = KnnImputer::new(donors_of(&[donors], d), k, NeighborWeights::Uniform, &bounds_of(&rows, d), 2);
    let mut copies = masked_copies(probes, d);
    imputer.impute(&mut copies, &[0.0; 3]);
    let mut errors = ImputationErrors::new(&bounds_of(&rows, d));
    errors.compare(probes, &copies);
    for (j, (count, squares)) in errors.sums().iter().enumerate() {
        let known = probes.chunks_exact(d).filter(|row| !row[j].is_nan());
        let errors = known.map(|row| {
            let mut masked = row.to_vec();
            masked[j] = f64::NAN;
            by_definition(donors, &masked, j, k, NeighborWeights::Uniform).unwrap_or(0.0) - row[j]
        });
        let errors: Vec<f64> = errors.collect();
        assert_eq!(*count, errors.len() as u64);
        assert!((squares - errors.iter().map(|error| error * error).sum::<f64>()).abs() < 1e-12);
    }
}

#[test]
fn one_tree_at_a_time_is_enough() {
    let d = 3;
    let rows = cells(12, 3000, d, false, 5);
    let imputer = imputer(&rows, d, 5, NeighborWeights::Distance, 2);
    let expected = bits_of(&filled(&imputer, &rows, &[0.0; 3]));
    let imputer = imputer.with_tree_bytes(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(bits_of(&filled(&imputer, &rows, &[0.0; 3])), expected));
        }
    });
}
