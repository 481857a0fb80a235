//! Times the reduction to micro-clusters and Ward's linkage of these, and compares their cuts with those of exact
//! linkage.
//!
//!     cargo run --release -p segmenta-algorithms --example hierarchy -- time ROWS COLUMNS THREADS
//!     cargo run --release -p segmenta-algorithms --example hierarchy -- exact LINKAGE ROWS COLUMNS [grid]
//!     cargo run --release -p segmenta-algorithms --example hierarchy -- quality ROWS COLUMNS MICRO_CLUSTERS
//!
//! `quality` prints for each k the adjusted Rand index with the exact cut, and the sum of squares within segments as a
//! multiple of the exact cut's; and beside them those of exact linkage of rows that were moved by a ten-thousandth of
//! their spread: what the data themselves leave open. A last argument `FOLDER` writes rows and exact labels there, for
//! another implementation to compare.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use ndarray::Array2;
use segmenta_algorithms::rows::{Rows, matrix, squared_distance};
use std::time::Instant;

use segmenta_algorithms::hashing::{mix, unit_interval};
use segmenta_algorithms::hierarchy::{Contingency, Dendrogram, Linkage, MicroClusters, Reducer, WeightedPoints, seeds};
use segmenta_algorithms::parallel::for_each_chunk;
use segmenta_algorithms::sums::Bounds;
use segmenta_algorithms::with_dimensions;

/// Parts that rows come in.
const PARTS: usize = 16;
/// Rows that seeds are made from.
const SAMPLE: usize = 200_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |i: usize| arguments[i].parse::<usize>().unwrap();
    if arguments[1] == "exact" {
        let linkage = serde_json::from_value(arguments[2].as_str().into()).unwrap();
        let kind = arguments.get(5).map_or("customers", String::as_str);
        return exact(linkage, &data(kind, number(3), number(4), 1));
    }
    let (rows, columns) = (number(2), number(3));
    match arguments[1].as_str() {
        "time" => with_dimensions!(columns, D => time::<D>(rows, columns, number(4))),
        _ => {
            for kind in ["separated", "elongated", "touching", "overlapping", "customers"] {
                let points = data(kind, rows, columns, 1);
                let folder = arguments.get(5).map(|folder| format!("{folder}/{kind}"));
                with_dimensions!(columns, D => quality::<D>(kind, &points, number(4), folder));
            }
        }
    }
}

fn exact(linkage: Linkage, points: &Array2<f64>) {
    let (n, d) = (points.nrows(), points.ncols());
    let start = Instant::now();
    let dendrogram = Dendrogram::new(&WeightedPoints { points, weights: &vec![1; n] }, linkage);
    let planned = linkage.bytes(n, d) as f64 / 1e6;
    let seconds = start.elapsed().as_secs_f64();
    println!("{linkage:?} {n} x {d}: {seconds:.2} s, {} merges, {planned:.0} MB planned", dendrogram.merges().len());
}

fn time<const D: usize>(rows: usize, columns: usize, threads: usize) {
    let parts: Vec<Array2<f64>> =
        (0..PARTS).map(|part| data("customers", rows / PARTS, columns, part as u64)).collect();
    let start = Instant::now();
    let bounds = for_each_chunk(parts.iter().collect(), threads, bounds);
    let bounds = bounds.into_iter().reduce(|mut all, part| {
        all.iter_mut().zip(&part).for_each(|(all, part)| all.merge(part));
        all
    });
    let bounds = bounds.unwrap();
    // A row in so many, by a hash of its number.
    let rate = SAMPLE as f64 / rows as f64;
    let mut sample = Vec::new();
    let all = parts.iter().flat_map(Rows::row_slices).zip(0..);
    all.filter(|(_, id)| unit_interval(mix(*id)) < rate).for_each(|(row, _)| sample.extend_from_slice(row));
    let sample = matrix(sample, columns);
    let sampled = start.elapsed().as_secs_f64();
    let seeds = seeds(&sample, Linkage::Ward.micro_clusters(columns));
    let reducer = Reducer::<D>::new(&seeds, &bounds);
    let seeded = start.elapsed().as_secs_f64();
    let partials = for_each_chunk(parts.iter().collect(), threads, |part| {
        let mut partial = reducer.assigner().empty_partial();
        reducer.accumulate(part, None, &mut partial);
        partial
    });
    let mut merged = reducer.assigner().empty_partial();
    partials.iter().for_each(|partial| merged.merge(partial, 0));
    let micro = MicroClusters::new(reducer.assigner(), &merged);
    let reduced = start.elapsed().as_secs_f64();
    let dendrogram = Dendrogram::new(&micro.points(), Linkage::Ward);
    let linked = start.elapsed().as_secs_f64();
    let cut = dendrogram.cut_into(8);
    let of_seed: Vec<u32> = micro.of_seed.iter().map(|point| cut.labels[*point as usize]).collect();
    let label =
        |part: &Array2<f64>| reducer.assign(part).iter().map(|seed| of_seed[*seed as usize]).collect::<Vec<u32>>();
    let labels = for_each_chunk(parts.iter().collect(), threads, label);
    let total = start.elapsed().as_secs_f64();
    assert_eq!(labels.iter().map(Vec::len).sum::<usize>() as u64, dendrogram.merges().last().unwrap().count);
    println!(
        "{rows} x {columns}, {threads} threads: sample {sampled:.2} s, seeds {:.2} s, reduction {:.2} s, linkage {:.2} s, \
         labels {:.2} s, total {total:.2} s; {} micro-clusters lose {:.4} %, Ward's heights of any rows are within {:.1}, \
         none hidden is above {:.1}, the highest is {:.1}",
        seeded - sampled,
        reduced - seeded,
        linked - reduced,
        total - linked,
        micro.weights.len(),
        100.0 * micro.lost_share(),
        micro.height_error(),
        micro.hidden_height(),
        dendrogram.merges().last().unwrap().height,
    );
}

fn quality<const D: usize>(kind: &str, points: &Array2<f64>, micro_clusters: usize, folder: Option<String>) {
    let (n, d) = (points.nrows(), points.ncols());
    let ones = vec![1; n];
    let start = Instant::now();
    let exact = Dendrogram::new(&WeightedPoints { points, weights: &ones }, Linkage::Ward);
    let seconds = start.elapsed().as_secs_f64();
    if let Some(folder) = folder {
        std::fs::create_dir_all(&folder).unwrap();
        let bytes: Vec<u8> = points.values().iter().flat_map(|value| value.to_le_bytes()).collect();
        std::fs::write(format!("{folder}/rows"), bytes).unwrap();
        for k in 3..=10 {
            let bytes: Vec<u8> = exact.cut_into(k).labels.iter().flat_map(|label| label.to_le_bytes()).collect();
            std::fs::write(format!("{folder}/labels{k}"), bytes).unwrap();
        }
    }
    let reducer = Reducer::<D>::new(&seeds(points, micro_clusters), &bounds(points));
    let mut partial = reducer.assigner().empty_partial();
    reducer.accumulate(points, None, &mut partial);
    let micro = MicroClusters::new(reducer.assigner(), &partial);
    let reduced = Dendrogram::new(&micro.points(), Linkage::Ward);
    let of_row: Vec<usize> = reducer.assign(points).iter().map(|seed| micro.of_seed[*seed as usize] as usize).collect();
    let bounds = bounds(points);
    let shift = |i: usize| 1e-4 * (bounds[i % d].max - bounds[i % d].min) / 6.0 * unit_interval(mix(!(i as u64)));
    let moved = matrix(points.values().iter().enumerate().map(|(i, value)| value + shift(i)).collect(), d);
    let moved = Dendrogram::new(&WeightedPoints { points: &moved, weights: &ones }, Linkage::Ward);
    println!(
        "{kind} {n} x {d}: exact in {seconds:.2} s; {} micro-clusters lose {:.4} %",
        micro.weights.len(),
        100.0 * micro.lost_share()
    );
    let mut lines = [String::from("     k"), String::from("  reduced"), String::from("  moved  ")];
    for k in 3..=10 {
        let expected = exact.cut_into(k).labels;
        let least = within(points, &expected);
        let cut = reduced.cut_into(k).labels;
        let cut: Vec<u32> = of_row.iter().map(|point| cut[*point]).collect();
        lines[0] += &format!("{k:>13}");
        for (line, labels) in lines[1..].iter_mut().zip([cut, moved.cut_into(k).labels]) {
            let mut table = Contingency::default();
            labels.iter().zip(&expected).for_each(|(a, b)| table.add(*a as i32, *b as i32, 1));
            *line += &format!(" {:.3}/{:.3} ", table.adjusted_rand_index(), within(points, &labels) / least);
        }
    }
    println!("{}", lines.join("\n"));
}

fn bounds(points: &Array2<f64>) -> Vec<Bounds> {
    let mut bounds = vec![Bounds::default(); points.ncols()];
    points.row_slices().for_each(|row| row.iter().zip(&mut bounds).for_each(|(value, bounds)| bounds.include(*value)));
    bounds
}

fn within(points: &Array2<f64>, labels: &[u32]) -> f64 {
    let (k, d) = (labels.iter().max().map_or(0, |label| *label as usize + 1), points.ncols());
    let (mut counts, mut means) = (vec![0.0; k], vec![0.0; k * d]);
    for (row, label) in points.row_slices().zip(labels) {
        counts[*label as usize] += 1.0;
        means[*label as usize * d..][..d].iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    means.iter_mut().enumerate().for_each(|(i, sum)| *sum /= counts[i / d]);
    points.row_slices().zip(labels).map(|(row, label)| squared_distance(row, &means[*label as usize * d..][..d])).sum()
}

/// Uniform and normal numbers.
struct Draws(u64);

impl Draws {
    fn uniform(&mut self) -> f64 {
        self.0 += 1;
        unit_interval(mix(self.0))
    }

    fn normal(&mut self) -> f64 {
        let (radius, angle) = ((-2.0 * (1.0 - self.uniform()).ln()).sqrt(), std::f64::consts::TAU * self.uniform());
        radius * angle.cos()
    }
}

/// `customers`: recency, frequency and monetary value on a log scale, skewed and correlated. `grid`: where all
/// distances are equal. All others: eight blobs of 30 % to 2 % of the rows.
fn data(kind: &str, n: usize, d: usize, seed: u64) -> Array2<f64> {
    let mut draws = Draws(mix(seed));
    let mut values = Vec::with_capacity(n * d);
    if kind == "customers" {
        for _ in 0..n {
            let activity = 1.2 * draws.normal();
            let frequency = (1.0 + (0.8 * activity + 0.7 * draws.normal()).exp()).floor();
            let recency = (540.0 * draws.uniform().powf(1.0 + 0.3 * activity.max(-1.0))).floor().max(1.0);
            let monetary = frequency * (3.5 + 0.6 * draws.normal()).exp();
            let row = [recency.ln() - 5.0, 1.5 * (frequency.ln() - 0.8), (monetary.ln() - 4.3) / 1.2];
            values.extend((0..d).map(|j| row.get(j).copied().unwrap_or_else(|| 0.5 * draws.normal())));
        }
        return matrix(values, d);
    }
    if kind == "grid" {
        let side = (n as f64).powf(1.0 / d as f64).ceil() as usize;
        let value = |i: usize| (i / d / side.pow((i % d) as u32) % side) as f64;
        return matrix((0..n * d).map(value).collect(), d);
    }
    let sizes = [0.3, 0.2, 0.15, 0.12, 0.1, 0.07, 0.04, 0.02];
    let (side, stretch) = match kind {
        "separated" => (40.0, 0.0),
        "elongated" => (60.0, 3.0),
        "touching" => (14.0, 0.0),
        _ => (6.0, 0.0),
    };
    let mut centers: Vec<Vec<f64>> = vec![];
    while centers.len() < sizes.len() {
        let center: Vec<f64> = (0..d).map(|_| side * draws.uniform()).collect();
        let is_apart = |other: &Vec<f64>| squared_distance(&center, other) > side * side / 16.0;
        if kind == "overlapping" || centers.iter().all(is_apart) {
            centers.push(center);
        }
    }
    let spreads: Vec<f64> = sizes.iter().map(|_| 0.6 + draws.uniform()).collect();
    let axes: Vec<Vec<f64>> =
        sizes.iter().map(|_| (0..d).map(|_| draws.normal() / (d as f64).sqrt()).collect()).collect();
    for _ in 0..n {
        let (mut blob, mut place) = (0, draws.uniform());
        while blob + 1 < sizes.len() && place > sizes[blob] {
            place -= sizes[blob];
            blob += 1;
        }
        let along = stretch * draws.normal();
        for j in 0..d {
            values.push(centers[blob][j] + spreads[blob] * draws.normal() + along * axes[blob][j]);
        }
    }
    matrix(values, d)
}
