//! How many segments: what the page shows of the sweep over k.

use serde::Serialize;

use super::segments::Clustering;
use super::short;
use segmenta_results::metrics::Metrics;
use segmenta_results::published::Published;
use segmenta_spec::Select;

/// The chosen k.
#[derive(Debug, Serialize)]
pub(super) struct Choice {
    k: usize,
    why: String,
    selected_by: Option<Select>,
}

impl Choice {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let kmeans = &metrics.kmeans;
        Self { k: kmeans.chosen_k, why: kmeans.why.clone(), selected_by: kmeans.selected_by }
    }
}

/// The inertia over k.
#[derive(Debug, Serialize)]
pub(super) struct Elbow {
    k: Vec<usize>,
    inertia: Vec<f64>,
    chosen: usize,
    knee: Option<usize>,
}

impl Elbow {
    pub(super) fn new(metrics: &Metrics) -> Option<Self> {
        let kmeans = &metrics.kmeans;
        (kmeans.candidates.len() > 1).then(|| Self {
            k: kmeans.candidates.iter().map(|candidate| candidate.measures.k).collect(),
            inertia: kmeans.candidates.iter().map(|candidate| candidate.measures.inertia).collect(),
            chosen: kmeans.chosen_k,
            knee: kmeans.choices.iter().find(|choice| choice.rule == Select::Elbow).map(|choice| choice.k),
        })
    }
}

/// The silhouettes over k.
#[derive(Debug, Serialize)]
pub(super) struct SilhouetteByK {
    k: Vec<usize>,
    silhouette: Vec<Option<f64>>,
    error: Vec<Option<f64>>,
    simplified: Vec<Option<f64>>,
    chosen: usize,
    is_exact: bool,
}

impl SilhouetteByK {
    pub(super) fn new(metrics: &Metrics) -> Option<Self> {
        let kmeans = &metrics.kmeans;
        let known = || kmeans.candidates.iter().filter(|candidate| candidate.measures.k > 1);
        (known().count() > 1).then(|| Self {
            k: known().map(|candidate| candidate.measures.k).collect(),
            silhouette: known().map(|candidate| candidate.measures.silhouette).collect(),
            error: known().map(|candidate| candidate.measures.silhouette_error).collect(),
            simplified: known().map(|candidate| candidate.measures.silhouette_simplified).collect(),
            chosen: kmeans.chosen_k,
            is_exact: kmeans.silhouette_is_exact,
        })
    }
}

/// The silhouettes of the customers of each segment.
#[derive(Debug, Serialize)]
pub(super) struct Silhouettes {
    /// Rows of the sample.
    rows: usize,
    /// The mean in `metrics.json`.
    mean: Option<f64>,
    clusters: Vec<ClusterSilhouettes>,
}

#[derive(Debug, Serialize)]
struct ClusterSilhouettes {
    cluster: i32,
    name: String,
    short: String,
    color: i32,
    share: f64,
    /// Quantiles from 0 to 100 %.
    values: Vec<Option<f64>>,
}

impl Silhouettes {
    pub(super) fn new(published: &Published, clusterings: &[Clustering]) -> Option<Self> {
        let sample = &published.sample;
        let (values, weights) = (sample.numbers("kmeans_silhouette")?, sample.numbers("weight")?);
        let labels = sample.labels("kmeans_cluster")?;
        let rows = values.iter().filter(|value| !value.is_nan()).count();
        if rows == 0 {
            return None;
        }
        let of = |segment: &super::segments::SegmentView| {
            let of_segment = values.iter().zip(&weights).zip(&labels).filter(|(_, label)| **label == segment.cluster);
            let known: Vec<(f64, f64)> =
                of_segment.map(|((value, weight), _)| (*value, *weight)).filter(|(value, _)| !value.is_nan()).collect();
            ClusterSilhouettes {
                cluster: segment.cluster,
                name: segment.name.clone(),
                short: segment.short.clone(),
                color: segment.color,
                share: segment.share,
                values: weighted_quantiles(known).into_iter().map(short).collect(),
            }
        };
        let metrics = &published.metrics.kmeans;
        let chosen = metrics.candidates.iter().find(|candidate| candidate.measures.k == metrics.chosen_k);
        Some(Self {
            rows,
            mean: chosen.and_then(|candidate| candidate.measures.silhouette),
            clusters: clusterings.first()?.segments.iter().map(of).filter(|c| !c.values.is_empty()).collect(),
        })
    }
}

/// The quantiles from 0 to 100 % of values with weights; none if there are no values.
fn weighted_quantiles(mut values: Vec<(f64, f64)>) -> Vec<f64> {
    values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = values.iter().map(|(_, weight)| weight).sum();
    let Some((last, _)) = values.last().copied() else { return vec![] };
    let (mut quantiles, mut below) = (Vec::with_capacity(101), 0.0);
    for (value, weight) in values {
        below += weight;
        while quantiles.len() <= 100 && quantiles.len() as f64 / 100.0 * total <= below {
            quantiles.push(value);
        }
    }
    quantiles.resize(101, last);
    quantiles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_so_many_values() {
        let plain = weighted_quantiles([1.0, 1.0, 1.0, 4.0].map(|value| (value, 1.0)).to_vec());
        assert_eq!(plain, weighted_quantiles(vec![(4.0, 0.5), (1.0, 1.5)]));
        assert_eq!((plain.len(), plain[0], plain[75], plain[76], plain[100]), (101, 1.0, 1.0, 4.0, 4.0));
        assert!(weighted_quantiles(vec![]).is_empty());
    }
}
