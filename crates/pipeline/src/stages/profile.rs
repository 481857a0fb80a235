//! Profile: what each segment looks like in the units of the features, and what to call it.

use segmenta_algorithms::labels::{Label, Standing, label_segments};
use segmenta_algorithms::scalers::Transform;
use segmenta_engine::Result;
use serde::{Deserialize, Serialize};

use super::evaluate::Evaluated;
use super::outliers::Split;
use super::{MomentColumns, StageContext, means_and_variances};
use crate::quantiles::{self, Columns, Wanted};
use crate::spec::Profile;

/// The quantiles of each feature in a segment.
pub const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Profiled {
    /// The segments that hold a row, by cluster.
    pub segments: Vec<Segment>,
}

/// One segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// `kmeans_cluster` of its rows.
    pub cluster: u32,
    /// Its rows.
    pub size: u64,
    /// Of all rows that were clustered.
    pub share: f64,
    /// Mean silhouette of its rows, where it is known.
    pub silhouette: Option<f64>,
    /// A name, an action and why; `None` where no feature is named as recency, frequency or monetary value.
    pub label: Option<Label>,
    /// A feature each, in their own units.
    pub features: Vec<FeatureProfile>,
}

/// One feature in one segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureProfile {
    /// Mean.
    pub mean: f64,
    /// Population standard deviation.
    pub standard_deviation: f64,
    /// Least value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// As [`QUANTILES`].
    pub quantiles: [f64; 5],
}

/// Runs the stage.
///
/// # Errors
/// Those of its passes.
pub async fn run(
    context: &StageContext<'_>,
    settings: &Profile,
    features: &[String],
    split: &Split,
    evaluated: &Evaluated,
) -> Result<Profiled> {
    const CLUSTER: &str = "kmeans_cluster";
    let k = evaluated.chosen_k;
    let columns = MomentColumns {
        parts: &evaluated.assignments,
        names: features,
        group: Some((CLUSTER, k)),
        transform: Transform::None,
        bounds: &split.bounds,
    };
    let moments = means_and_variances(context, &columns).await?;
    let mut wanted = Vec::with_capacity(k * features.len() * QUANTILES.len());
    for (cluster, features) in moments.iter().enumerate() {
        for (column, feature) in features.iter().enumerate() {
            for q in QUANTILES {
                let (group, count, bounds) = (Some(cluster as u32), feature.count, feature.bounds);
                wanted.push(Wanted { column, group, center: None, q, count, bounds });
            }
        }
    }
    let columns =
        Columns { parts: &evaluated.assignments, names: features, group: Some(CLUSTER), transform: Transform::None };
    let quantiles = quantiles::find(context, &columns, &wanted).await?;
    let of_cluster = features.len() * QUANTILES.len();
    let rows: u64 = moments.iter().filter_map(|features| features.first()).map(|f| f.count).sum();
    let by_cluster = evaluated.measures.iter().find(|m| m.k == k).map(|m| m.silhouette_by_cluster.as_slice());
    let mut segments = Vec::with_capacity(k);
    for (cluster, (moments, quantiles)) in moments.iter().zip(quantiles.chunks(of_cluster)).enumerate() {
        let size = moments.first().map_or(0, |feature| feature.count);
        if size == 0 {
            continue;
        }
        let profile = moments.iter().zip(quantiles.chunks(QUANTILES.len())).map(|(feature, q)| FeatureProfile {
            mean: feature.mean,
            standard_deviation: feature.variance.sqrt(),
            min: feature.bounds.min,
            max: feature.bounds.max,
            quantiles: std::array::from_fn(|i| q.get(i).copied().flatten().unwrap_or_default()),
        });
        segments.push(Segment {
            cluster: cluster as u32,
            size,
            share: size as f64 / rows as f64,
            silhouette: by_cluster.and_then(|s| s.get(cluster).copied().flatten()),
            label: None,
            features: profile.collect(),
        });
    }
    label(settings, features, &mut segments);
    Ok(Profiled { segments })
}

/// Names the segments where the spec says what the features mean.
fn label(settings: &Profile, features: &[String], segments: &mut [Segment]) {
    if *settings == Profile::default() {
        return;
    }
    let mean = |segment: &Segment, role: &Option<String>| {
        let feature = role.as_ref()?;
        let index = features.iter().position(|name| name == feature)?;
        segment.features.get(index).map(|profile| profile.mean)
    };
    let standings: Vec<Standing> = segments
        .iter()
        .map(|segment| Standing {
            recency: mean(segment, &settings.recency),
            frequency: mean(segment, &settings.frequency),
            monetary: mean(segment, &settings.monetary),
            share: segment.share,
        })
        .collect();
    for (segment, label) in segments.iter_mut().zip(label_segments(&standings)) {
        segment.label = Some(label);
    }
}
