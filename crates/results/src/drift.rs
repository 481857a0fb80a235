//! What became of customers since a model was made.

use segmenta_algorithms::drift::{Distribution, Drift, Shift};
use serde::{Deserialize, Serialize};

/// What became of the rows since the model was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftReport {
    /// Each feature, over all rows.
    pub features: Vec<FeatureDrift>,
    /// The sizes of the K-Means segments, over the rows within the model's fences.
    pub segments: SegmentDrift,
}

/// Drift of a feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureDrift {
    /// Its name.
    pub feature: String,
    /// The shift, in bins between the deciles of then; missing cells are a bin of their own.
    #[serde(flatten)]
    pub shift: Shift,
    /// Share of the rows that had no value then.
    pub missing_before: f64,
    /// Share of the rows that have no value now.
    pub missing_now: f64,
}

/// Drift of the segments' sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentDrift {
    /// The shift of their shares.
    #[serde(flatten)]
    pub shift: Shift,
    /// Shares then, by cluster.
    pub shares_before: Vec<f64>,
    /// Shares now.
    pub shares_now: Vec<f64>,
}

impl DriftReport {
    /// The drift from the distributions of `features` and the rows of each segment, both then and now.
    #[must_use]
    pub fn new(
        features: &[String],
        (then, now): (&[Distribution], &[Distribution]),
        (sizes_then, sizes_now): (&[u64], &[u64]),
    ) -> Self {
        let of = |(name, (then, now)): (&String, (&Distribution, &Distribution))| FeatureDrift {
            feature: name.clone(),
            shift: then.shift(now),
            missing_before: then.missing,
            missing_now: now.missing,
        };
        let rows = |sizes: &[u64]| sizes.iter().fold(0_u64, |sum, size| sum.saturating_add(*size));
        let shares = |sizes: &[u64]| -> Vec<f64> {
            let total = rows(sizes).max(1) as f64;
            sizes.iter().map(|size| *size as f64 / total).collect()
        };
        let (shares_before, shares_now) = (shares(sizes_then), shares(sizes_now));
        let shift = Shift::new((&shares_before, rows(sizes_then)), (&shares_now, rows(sizes_now)));
        Self {
            features: features.iter().zip(then.iter().zip(now)).map(of).collect(),
            segments: SegmentDrift { shift, shares_before, shares_now },
        }
    }

    /// Names what has drifted so far that the model should be made anew; `None` when nothing has.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let large = self.features.iter().filter(|feature| feature.shift.drift == Drift::Large);
        let mut named: Vec<String> =
            large.map(|feature| format!("`{}` ({:.2})", feature.feature, feature.shift.stability_index)).collect();
        if self.segments.shift.drift == Drift::Large {
            named.push(format!("the sizes of the segments ({:.2})", self.segments.shift.stability_index));
        }
        (!named.is_empty()).then(|| {
            format!(
                "the rows are no longer those that the model was made from: {} drifted by a population stability index more than \
                 0.25 beyond chance; run the job anew",
                named.join(", ")
            )
        })
    }
}
