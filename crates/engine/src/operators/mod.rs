//! The operators that Segmenta adds to DataFusion, and the tasks they run.
//!
//! Ballista gives a task a *slice* of a stage's partitions and renumbers them, so an operator never learns which
//! partition of the whole it works on. Identity therefore comes with the data: the leaf of a plan is a table of parts,
//! one partition each, and [`MapParts`] runs a [`PartTask`] on each part it is handed; [`WriteFeatures`] takes the index
//! of the part from a column of the rows. Both give one row a part: `(part, result)`.
//!
//! An [`Operator`] or a task is a small serialisable struct in a file of its own, which also says what it holds in
//! memory. Workers find a task by its name in `registry.rs`, an operator in `codec.rs`.

mod add_labels;
mod apply_rules;
mod assign;
mod cluster_quality;
mod count_bins;
mod count_brackets;
mod cross_tabulate;
mod draw_donors;
pub mod hdbscan;
pub mod hierarchy;
mod impute;
mod intact;
mod kmeans_pass;
mod map_parts;
mod moments;
mod operator;
mod outlier_rules;
mod oversample;
mod place;
mod probe_donors;
mod registry;
mod sample;
mod sample_segments;
mod scale;
mod score;
mod score_forest;
mod search_donors;
mod silhouette;
mod sketch_excess;
mod split_outliers;
mod verify;
mod whole;
mod write_features;

pub use add_labels::AddLabels;
pub use apply_rules::{ApplyRules, RuledClustering};
pub use assign::{Assign, Assigned, KMEANS_COLUMN};
pub use cluster_quality::{ClusterQuality, Judged, StratifiedSample};
pub use count_bins::CountBins;
pub use count_brackets::{BracketTarget, CountBrackets, Deviation, Group};
pub use cross_tabulate::CrossTabulate;
pub use draw_donors::DrawDonors;
pub use impute::{Filling, Impute, Imputed, ImputedFeature};
pub use intact::Intact;
pub use kmeans_pass::{Batch, KMeansPass, PassCandidate, Wanted};
pub(crate) use map_parts::listed_parts;
pub use map_parts::{MapParts, TaskTimeout, parts_table};
pub use moments::{GroupColumn, Moments, Variable};
pub(crate) use operator::DynOperator;
pub use operator::{Operator, OperatorExec};
pub use outlier_rules::{OUTLIER_COLUMN, OutlierRules};
pub use oversample::Oversample;
pub use place::{Place, Placement};
pub use probe_donors::{ProbeDonors, Probed};
pub use sample::{Sample, Sampled};
pub use sample_segments::{SampleSegments, SampledRow, SegmentRates};
pub use scale::{Scale, Scaled};
pub use score::{Score, Scored, Spent};
pub use score_forest::{ForestCut, ScoreForest};
pub use search_donors::{DonorSearch, DonorSet, SearchDonors};
pub use silhouette::{Silhouette, SilhouetteSums, SilhouettesByStratum};
pub use sketch_excess::SketchExcess;
pub use split_outliers::{KeptFeature, OutliersGo, Split, SplitOutliers, write_none_rejected};
pub use verify::Verify;
pub use whole::WholeExec;
pub use write_features::{FeatureStatistics, FeaturesWritten, PART_COLUMN, WriteFeatures};

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{BinaryArray, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result as DataFusionResult, internal_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use segmenta_algorithms::hashing::combine;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::artifact::Part;
use crate::error::{EngineError, Result};

/// Work on one part, on the parts of several artifacts with the same index, or on several parts of one artifact. It
/// must be a pure function of its settings and of the parts, because Ballista may run it twice.
#[async_trait]
pub trait PartTask: Serialize + DeserializeOwned + Debug + Send + Sync + 'static {
    /// Names the task in plans.
    const NAME: &'static str;
    /// What the driver gets back.
    type Output: Serialize + DeserializeOwned + Send;

    /// Does the work. `inputs` holds one part of each artifact the task reads.
    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Self::Output>;
}

/// A [`PartTask`] behind a pointer.
#[async_trait]
pub trait DynPartTask: Debug + Send + Sync {
    /// [`PartTask::NAME`].
    fn name(&self) -> &'static str;
    /// The task in postcard.
    fn encode(&self) -> DataFusionResult<Vec<u8>>;
    /// [`PartTask::run`], its output in postcard.
    async fn run_encoded(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Vec<u8>>;
}

#[async_trait]
impl<T: PartTask> DynPartTask for T {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn encode(&self) -> DataFusionResult<Vec<u8>> {
        encode(self)
    }

    async fn run_encoded(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Vec<u8>> {
        Ok(encode(&self.run(inputs, context).await?)?)
    }
}

/// Encodes in postcard, which keeps every bit of a float.
fn encode<T: Serialize>(value: &T) -> DataFusionResult<Vec<u8>> {
    postcard::to_stdvec(value).map_err(|error| DataFusionError::Internal(format!("cannot be encoded: {error}")))
}

/// Decodes postcard.
///
/// # Errors
/// Bytes that are not a `T`.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> DataFusionResult<T> {
    postcard::from_bytes(bytes).map_err(|error| {
        DataFusionError::Internal(format!("cannot be decoded: {error}; do all processes run the same version?"))
    })
}

/// The schema of results: `part: UInt32, result: Binary`.
#[must_use]
pub fn result_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("part", DataType::UInt32, false),
        Field::new("result", DataType::Binary, false),
    ]))
}

fn result_batch(part: u32, result: &[u8]) -> DataFusionResult<RecordBatch> {
    Ok(RecordBatch::try_new(
        result_schema(),
        vec![Arc::new(UInt32Array::from(vec![part])), Arc::new(BinaryArray::from(vec![result]))],
    )?)
}

/// The input of an operator that has one.
fn only_child(operator: &str, children: Vec<Arc<dyn ExecutionPlan>>) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
    match <[_; 1]>::try_from(children) {
        Ok([input]) => Ok(input),
        Err(children) => internal_err!("{operator} has one input, not {}", children.len()),
    }
}

/// The one part of a task that reads a single artifact.
fn only(inputs: &[Part]) -> Result<&Part> {
    match inputs {
        [part] => Ok(part),
        _ => Err(EngineError::job(format!("a task of one part was given {}", inputs.len()))),
    }
}

/// A seeded sample of rows: those whose hash of (seed, row id) is at most `threshold`. Which rows it holds depends on
/// nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct RowSample {
    /// Seed.
    pub seed: u64,
    /// Largest hash that is in the sample; `u64::MAX` for all rows.
    pub threshold: u64,
}

impl RowSample {
    /// A sample of about `wanted` of `rows` rows; all of them when there are no more.
    #[must_use]
    pub fn of(seed: u64, wanted: u64, rows: u64) -> Self {
        let threshold = if wanted >= rows {
            u64::MAX
        } else {
            ((u128::from(wanted) << 64) / u128::from(rows.max(1))).min(u128::from(u64::MAX)) as u64
        };
        Self { seed, threshold }
    }

    /// True when it holds every row.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.threshold == u64::MAX
    }

    /// Whether the row with this id is in the sample.
    #[inline]
    #[must_use]
    pub fn holds(&self, row: u64) -> bool {
        self.is_everything() || combine(self.seed, row) <= self.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use segmenta_algorithms::hashing::mix;

    #[test]
    fn a_sample_has_about_the_size_asked_for() {
        let sample = RowSample::of(7, 1_000, 100_000);
        let held = (0..100_000u64).filter(|i| sample.holds(mix(*i))).count();
        assert!((850..1150).contains(&held), "{held}");
        assert!(RowSample::of(7, 10, 10).is_everything());
    }
}
