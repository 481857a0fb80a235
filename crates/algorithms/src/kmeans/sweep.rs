//! A pass over points in many columns: all candidates of a sweep, block by block, so that points are read once.
//!
//! ```text
//!   block of rows ──▶ quanta, once ──▶ for each candidate: distances of a row to eight centroids at a time
//! ```

use crate::rows::Rows;
use ndarray::Array2;
use pulp::Arch;

use super::Assigner;
use super::assign::{Partial, weight_of};
use super::lanes::CentroidLanes;
use crate::sums::fine_quanta;

/// Rows whose quanta are computed together; with those of 64 columns they stay in the nearest cache.
const BLOCK: usize = 32;

/// A quantum's lower bits, which are added up apart from the upper ones: both sums fit 64 bits for up to 2^32 rows, and are
/// added several columns at a time.
const LOW_BITS: u32 = 31;

/// One candidate on its way through a pass.
struct Running<'a> {
    assigner: &'a Assigner,
    measured: bool,
    partial: &'a mut Partial,
    centroids: CentroidLanes,
    /// `k x d`, upper and lower bits.
    high: Vec<i64>,
    low: Vec<i64>,
}

/// Adds the rows of `points` (`n x d`, of `weights`, `n`) to the partials of several flat candidates over the same bounds, as
/// [`Assigner::accumulate`] does to one; far points are not touched, and the inertia only of those that are `measured`. `O(n d sum(k))`.
pub fn accumulate_all<'a>(
    points: &Array2<f64>,
    weights: Option<&[u32]>,
    candidates: impl Iterator<Item = (&'a Assigner, bool, &'a mut Partial)>,
) {
    let d = points.ncols();
    let mut running: Vec<Running<'_>> = candidates
        .map(|(assigner, measured, partial)| {
            let centroids = CentroidLanes::new(assigner.centers().centroids(), d, |_| true);
            let (high, low) = (vec![0; assigner.k() * d], vec![0; assigner.k() * d]);
            Running { assigner, measured, partial, centroids, high, low }
        })
        .collect();
    add_all(points, weights, &mut running);
    for Running { partial, high, low, .. } in running {
        for (sum, (high, low)) in partial.sums.iter_mut().zip(high.into_iter().zip(low)) {
            *sum += (i128::from(high) << LOW_BITS) + i128::from(low);
        }
    }
}

fn add_all(points: &Array2<f64>, weights: Option<&[u32]>, running: &mut [Running<'_>]) {
    let Some(first) = running.first() else { return };
    let scales: Vec<f64> = first.assigner.quanta().iter().map(|quantum| quantum.scale()).collect();
    Arch::new().dispatch(|| match weights {
        None => pass(points, None, &scales, running),
        Some(_) => pass(points, weights, &scales, running),
    });
}

/// Compiled for each width of vectors, by being part of what is dispatched.
#[inline(always)]
fn pass(points: &Array2<f64>, weights: Option<&[u32]>, scales: &[f64], running: &mut [Running<'_>]) {
    let d = scales.len();
    let (mut high, mut low) = (vec![0_i64; BLOCK * d], vec![0_i64; BLOCK * d]);
    for (b, block) in points.values().chunks(BLOCK * d.max(1)).enumerate() {
        for ((value, scale), (high, low)) in
            block.iter().zip(scales.iter().cycle()).zip(high.iter_mut().zip(low.iter_mut()))
        {
            let quanta = (value * scale) as i64;
            *high = quanta >> LOW_BITS;
            *low = quanta & ((1 << LOW_BITS) - 1);
        }
        for candidate in &mut *running {
            let inertia_scale = candidate.assigner.inertia_quantum().scale();
            for (i, row) in block.chunks_exact(d).enumerate() {
                let (cluster, distance) = candidate.centroids.nearest(row);
                let weight = weight_of(weights, b * BLOCK + i);
                candidate.partial.counts[cluster] += u64::from(weight);
                if candidate.measured {
                    candidate.partial.inertia[cluster] += i128::from(weight) * fine_quanta(distance * inertia_scale);
                }
                let (sums, quanta) = (cluster * d..(cluster + 1) * d, i * d..(i + 1) * d);
                if weights.is_some() {
                    let terms = high[quanta.clone()].iter().zip(&low[quanta]);
                    for (sum, (high, low)) in candidate.partial.sums[sums].iter_mut().zip(terms) {
                        *sum += i128::from(weight) * ((i128::from(*high) << LOW_BITS) + i128::from(*low));
                    }
                } else {
                    add(&mut candidate.high[sums.clone()], &high[quanta.clone()]);
                    add(&mut candidate.low[sums], &low[quanta]);
                }
            }
        }
    }
}

#[inline(always)]
fn add(sums: &mut [i64], quanta: &[i64]) {
    sums.iter_mut().zip(quanta).for_each(|(sum, quanta)| *sum += quanta);
}
