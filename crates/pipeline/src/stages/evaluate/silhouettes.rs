//! The Euclidean silhouette on a stratified sample.
//!
//! The strata are the clusters of the largest k. Half of the sample is shared among them by their size and half evenly,
//! so that small clusters are seen too; within a stratum rows are drawn by a hash of their id. A drawn row stands for
//! as many rows as its stratum has, divided by those drawn from it, both in the mean distances and in the means of
//! silhouettes:
//! ```text
//!   mean  =  sum over strata h of  W_h / W * mean of h
//! ```
//!
//! All rows of the sample share its mean distances, and so they share the errors of those. The spread of the
//! silhouettes shows less than half of the error of the mean. So the standard error is that of a jackknife: the sample
//! is dealt into [`REPLICATES`] groups, the silhouettes are computed without each group in turn, distances included,
//! and the error is how much the mean varies. Up to the limit of rows every row is drawn, and the result is the plain
//! silhouette. Cochran, "Sampling Techniques", 1977; Kott, "The delete-a-group jackknife", Journal of Official
//! Statistics 2001.

use segmenta_algorithms::kmeans::Judge;
use segmenta_algorithms::metrics::REPLICATES;
use segmenta_engine::Result;
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::{RowSample, Silhouette, SilhouetteSums, SilhouettesByStratum, StratifiedSample};

use super::Candidate;
use crate::stage::StageContext;
use crate::stages::scale::Scaled;
use crate::stages::{rows_of, singly};
use segmenta_spec::Evaluate;

/// Seed of the sample for the silhouette, which is not the sample of other steps.
const SEED: u64 = 0x73_696c_686f;

/// The silhouette of one candidate.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Estimate {
    /// Mean.
    pub(super) mean: f64,
    /// Its standard error; 0 when every row was drawn.
    pub(super) error: f64,
    /// Mean of each cluster, where a row of it was drawn.
    pub(super) by_cluster: Vec<Option<f64>>,
}

/// The sample to draw; `None` when no candidate has two clusters.
pub(super) fn sample(
    context: &StageContext<'_>,
    settings: &Evaluate,
    scaled: &Scaled,
    candidates: &[Candidate],
) -> Option<StratifiedSample> {
    let finest = candidates.last().filter(|candidate| candidate.k > 1)?;
    Some(StratifiedSample {
        prefix: format!("{}sample/", context.prefix),
        seed: SEED,
        strata: finest.clustering.centers.clone(),
        thresholds: thresholds(
            &finest.clustering.counts,
            settings.silhouette_rows,
            rows_of(&scaled.parts),
            scaled.is_weighted,
        ),
    })
}

/// For each stratum, given by its weight, the largest hash that is drawn.
fn thresholds(strata: &[u64], wanted: u64, rows: u64, is_weighted: bool) -> Vec<u64> {
    // The weight of a stratum tells its number of rows only if each row weighs 1. Otherwise all strata have one rate.
    if wanted >= rows || is_weighted {
        return vec![RowSample::of(SEED, wanted, rows).threshold; strata.len()];
    }
    let even = 0.5 * wanted as f64 / strata.iter().filter(|stratum| **stratum > 0).count().max(1) as f64;
    let of = |stratum: &u64| {
        let share = 0.5 * wanted as f64 * *stratum as f64 / rows as f64;
        RowSample::of(SEED, (share + even).ceil() as u64, *stratum).threshold
    };
    strata.iter().map(of).collect()
}

/// Whether every row is drawn.
pub(super) fn is_exact(sample: &StratifiedSample) -> bool {
    sample.thresholds.iter().all(|threshold| *threshold == u64::MAX)
}

/// The estimates for the candidates with two clusters or more, from the parts of the sample. `weights` are the sums of
/// the weights drawn from each stratum.
pub(super) async fn estimate(
    context: &StageContext<'_>,
    features: &[String],
    candidates: &[Candidate],
    sample: &StratifiedSample,
    drawn: &[Part],
    weights: &[u64],
) -> Result<Vec<Estimate>> {
    let Some(finest) = candidates.last() else { return Ok(vec![]) };
    if drawn.is_empty() {
        return Ok(vec![]);
    }
    let judged: Vec<&Candidate> = candidates.iter().filter(|candidate| candidate.k > 1).collect();
    let factor = |(all, drawn): (&u64, &u64)| if *drawn > 0 { *all as f64 / *drawn as f64 } else { 0.0 };
    let factors: Vec<f64> = finest.clustering.counts.iter().zip(weights).map(factor).collect();
    let task = Silhouette {
        columns: features.to_vec(),
        sample: drawn.to_vec(),
        strata: sample.strata.clone(),
        factors: factors.clone(),
        candidates: judged.iter().map(|candidate| candidate.clustering.centers.clone()).collect(),
    };
    let merge = |total: &mut Vec<SilhouettesByStratum>, part: Vec<SilhouettesByStratum>| {
        for (total, part) in total.iter_mut().zip(part) {
            part.into_iter().for_each(|(key, sums)| total.entry(key).or_default().merge(&sums));
        }
    };
    let sums = context.merge_parts(task, &singly(drawn), merge).await?;
    let found = judged
        .iter()
        .zip(&sums)
        .map(|(candidate, sums)| combine(sums, &finest.clustering.counts, &factors, candidate.k));
    Ok(found.collect())
}

/// Combines the sums of one candidate of `k` clusters, given the weights of the strata and how many rows a drawn row
/// stands for.
fn combine(sums: &SilhouettesByStratum, strata: &[u64], factors: &[f64], k: usize) -> Estimate {
    let unit = Judge::silhouette_quantum();
    let mut by_stratum = vec![SilhouetteSums::default(); strata.len()];
    let mut by_cluster = vec![(0.0, 0.0); k];
    for ((stratum, cluster), sums) in sums {
        let factor = factors[*stratum as usize];
        by_stratum[*stratum as usize].merge(sums);
        let (sum, weight) = &mut by_cluster[*cluster as usize];
        *sum += factor * unit.value(sums.sum);
        *weight += factor * sums.weight as f64;
    }
    let seen = || by_stratum.iter().zip(strata.iter().zip(factors)).filter(|(sums, _)| sums.weight > 0);
    let total: f64 = seen().map(|(_, (weight, _))| *weight as f64).sum();
    let (mut mean, mut replicates) = (0.0, [0.0; REPLICATES]);
    for (sums, (weight, factor)) in seen() {
        let share = *weight as f64 / total;
        mean += share * sums.mean();
        replicates.iter_mut().zip(sums.replicates(*factor)).for_each(|(total, of)| *total += share * of);
    }
    let squares: f64 = replicates.iter().map(|replicate| (replicate - mean) * (replicate - mean)).sum();
    let error = if factors.iter().all(|factor| *factor <= 1.0) {
        0.0
    } else {
        (squares * (REPLICATES - 1) as f64 / REPLICATES as f64).sqrt()
    };
    let of_cluster = |(sum, weight): (f64, f64)| (weight > 0.0).then(|| sum / weight);
    Estimate { mean, error, by_cluster: by_cluster.into_iter().map(of_cluster).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_strata_are_seen_too() {
        let strata = [990_000, 9_900, 100, 0];
        let rate = |threshold: u64| threshold as f64 / u64::MAX as f64;
        let found = thresholds(&strata, 10_000, 1_000_000, false);
        let rows: Vec<f64> = strata.iter().zip(&found).map(|(rows, t)| *rows as f64 * rate(*t)).collect();
        assert!((rows[0] - 6_617.0).abs() < 1.0 && (rows[1] - 1_717.0).abs() < 1.0, "{rows:?}");
        assert_eq!(found[2], u64::MAX);
        assert!(thresholds(&strata, 1_000_000, 1_000_000, false).iter().all(|t| *t == u64::MAX));
        let one_rate = thresholds(&strata, 10_000, 1_000_000, true);
        assert!(one_rate.iter().all(|t| (rate(*t) - 0.01).abs() < 1e-9));
    }

    #[test]
    fn a_row_counts_as_what_it_stands_for() {
        let unit = Judge::silhouette_quantum();
        // Without its group a silhouette would be a tenth less.
        let sums = |groups: std::ops::Range<usize>, silhouette: f64| {
            let points = groups.len() as u64;
            let quanta = |value: f64| i128::from(unit.quanta(value));
            let mut sums = SilhouetteSums {
                weight: points,
                sum: i128::from(points) * quanta(silhouette),
                replicates: [i128::from(points) * quanta(0.9 * silhouette); REPLICATES],
                ..SilhouetteSums::default()
            };
            for group in groups {
                sums.left_out[group] = quanta(0.9 * silhouette);
                sums.weight_left_out[group] = 1;
            }
            sums
        };
        // Two strata of 900 and 100 rows, ten drawn of each; the second is split between two clusters.
        let by_stratum = [((0, 0), sums(0..10, 0.5)), ((1, 0), sums(0..4, 0.25)), ((1, 1), sums(4..10, 0.75))];
        let found = combine(&by_stratum.into_iter().collect(), &[900, 100], &[90.0, 10.0], 3);
        assert!((found.mean - (0.9 * 0.5 + 0.1 * 0.55)).abs() < 1e-12);
        let first = (900.0 * 0.5 + 40.0 * 0.25) / 940.0;
        assert!((found.by_cluster[0].unwrap() - first).abs() < 1e-12);
        assert_eq!((found.by_cluster[1], found.by_cluster[2]), (Some(0.75), None));
        // In the first stratum all are alike. In the second, leaving out a group moves its weight by the root of the
        // share of rows that were not drawn.
        let moved = 0.9_f64.sqrt();
        let (gain, lose) = (1.0 + moved / 15.0, moved + moved / 15.0);
        let second = |left: f64| (gain * 5.5 - lose * left) / (gain * 10.0 - lose);
        let squares = |left: f64, weight: f64| {
            let replicate = 0.9 * (0.9 * 0.5 + 0.1 * if weight > 0.0 { second(left) } else { 0.55 });
            (replicate - found.mean).powi(2)
        };
        let sum = 4.0 * squares(0.25, 1.0) + 6.0 * squares(0.75, 1.0) + 6.0 * squares(0.0, 0.0);
        assert!((found.error - (sum * 15.0 / 16.0).sqrt()).abs() < 1e-9, "{}", found.error);
        let exact = combine(&[((0, 0), sums(0..10, 0.5))].into_iter().collect(), &[10], &[1.0], 1);
        assert_eq!(exact.error, 0.0);
    }
}
