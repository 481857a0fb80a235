//! A sample of the assigned rows. Rules are grown on it, and the report draws it.
//!
//! Each clustering has an equal share of it; half of the share goes to its segments by their size, and half evenly, so
//! that small segments are seen too. Rows are drawn by a hash of their id. A row stands for as many rows as follows
//! from the rate at which it was drawn. The rows of a K-Means segment together stand for the whole segment.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::error::DataFusionError;
use segmenta_algorithms::metrics::{Labelling, SilhouetteReference};
use segmenta_algorithms::rows::{Rows, matrix};
use segmenta_engine::Result;
use segmenta_engine::artifact::{Part, PartWriter};
use segmenta_engine::operators::{OUTLIER_COLUMN, RowSample, SampleSegments, SampledRow, SegmentRates};
use segmenta_results::clusterings::Algorithm;
use segmenta_results::segments::Segment;

use crate::clustering::Clustering;
use crate::stage::StageContext;

const SEED: u64 = 0x7361_6d70_6c65;

/// Approximate number of rows of a sample.
const ROWS: u64 = 10_000;

/// Silhouettes are computed for the first rows by hash, as many as this number of coordinate differences allows.
const SILHOUETTE_WORK: usize = 1_600_000_000;

/// A sample of rows in the order of their hashes. A row has a cell of each of the columns.
#[derive(Debug, Clone)]
pub(super) struct SegmentSample {
    /// The labels of each clustering are in the column of its name.
    pub(super) columns: Vec<String>,
    /// How many rows each stands for.
    pub(super) weights: Vec<f64>,
    pub(super) rows: Vec<SampledRow>,
    /// Whether outliers took no part in the fit.
    sets_aside: bool,
}

impl SegmentSample {
    /// Draws it, from the assignments and, for each of their parts, the prepared points of its rows.
    pub(super) async fn draw(
        context: &StageContext<'_>,
        features: &[String],
        points: &[Vec<Part>],
        assignments: &[Part],
        segments: &[Segment],
        clusterings: &[&dyn Clustering],
        sets_aside: bool,
    ) -> Result<Self> {
        let mut columns = features.to_vec();
        columns.extend([OUTLIER_COLUMN, "kmeans_distance"].map(str::to_owned));
        let mut sampled = vec![];
        for (algorithm, of_algorithm) in by_algorithm(segments) {
            sampled.push((columns.len(), of_algorithm));
            columns.push(algorithm.column().to_owned());
            let of = clusterings.iter().find(|clustering| clustering.algorithm() == algorithm);
            columns.extend(of.iter().flat_map(|clustering| clustering.columns()).map(|column| (*column).to_owned()));
        }
        let wanted = ROWS.div_ceil(sampled.len().max(1) as u64);
        let task = SampleSegments {
            features: features.to_vec(),
            columns: columns.clone(),
            clusterings: sampled.iter().map(|(column, of)| rates(*column, of, wanted)).collect(),
            seed: SEED,
        };
        let inputs: Vec<Vec<Part>> = assignments
            .iter()
            .zip(points)
            .map(|(rows, points)| [std::slice::from_ref(rows), points.as_slice()].concat())
            .collect();
        let mut rows: Vec<SampledRow> = context.map_parts(task, &inputs).await?.into_iter().flatten().collect();
        rows.sort_unstable_by_key(|row| (row.hash, row.id));
        let mut sample = Self { columns, weights: vec![], rows, sets_aside };
        sample.weigh(segments);
        Ok(sample)
    }

    fn weigh(&mut self, segments: &[Segment]) {
        self.weights = self.rows.iter().map(|row| u64::MAX as f64 / row.threshold as f64).collect();
        let labels = self.labels(Algorithm::Kmeans).unwrap_or_default();
        let mut drawn: BTreeMap<i32, f64> = BTreeMap::new();
        labels.iter().zip(&self.weights).for_each(|(label, weight)| *drawn.entry(*label).or_default() += weight);
        let size = |label: i32| {
            let mut of = segments.iter().filter(|segment| segment.algorithm == Algorithm::Kmeans);
            of.find(|segment| segment.cluster == label).map_or(0, |segment| segment.size)
        };
        let factors: BTreeMap<i32, f64> =
            drawn.iter().map(|(label, weight)| (*label, size(*label) as f64 / weight)).collect();
        for (label, weight) in labels.iter().zip(&mut self.weights) {
            *weight *= factors.get(label).copied().unwrap_or(1.0);
        }
    }

    /// The labels by a clustering, if the job has it.
    pub(super) fn labels(&self, algorithm: Algorithm) -> Option<Vec<i32>> {
        let column = self.columns.iter().position(|column| column == algorithm.column())?;
        Some(self.rows.iter().map(|row| row.values[column] as i32).collect())
    }

    /// The features in raw units, row-major.
    pub(super) fn features(&self, features: usize) -> Vec<f64> {
        self.rows.iter().flat_map(|row| row.values[..features].iter().copied()).collect()
    }

    /// The silhouettes of the first rows of the fit among each other, by row.
    fn silhouettes(&self, features: usize) -> Vec<Option<f64>> {
        let mut found = vec![None; self.rows.len()];
        let all = self.labels(Algorithm::Kmeans).unwrap_or_default();
        let outlier = self.columns.iter().position(|column| column == OUTLIER_COLUMN);
        let outlier = outlier.filter(|_| self.sets_aside);
        let is_fitted = |row: &SampledRow| outlier.is_none_or(|column| row.values[column] == 0.0);
        let most = (SILHOUETTE_WORK / features.max(1)).isqrt();
        let of_fit: Vec<usize> = (0..self.rows.len()).filter(|i| is_fitted(&self.rows[*i])).take(most).collect();
        let mut numbers: Vec<i32> = of_fit.iter().filter_map(|i| all.get(*i).copied()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if numbers.len() < 2 {
            return found;
        }
        let dense = |i: &usize| numbers.binary_search(&all[*i]).unwrap_or_default() as u32;
        let labels: Vec<u32> = of_fit.iter().map(dense).collect();
        let points: Vec<f64> = of_fit.iter().flat_map(|i| self.rows[*i].point.iter().copied()).collect();
        let points = matrix(points, features);
        let weights: Vec<f64> = of_fit.iter().map(|i| self.weights[*i]).collect();
        let labelling = Labelling { labels: labels.clone(), k: numbers.len() };
        let reference = SilhouetteReference::new(&points, &weights, &[labelling], &[]);
        for (i, row) in of_fit.iter().enumerate() {
            let silhouettes = reference.silhouettes(points.row_slice(i), weights[i], 0, &labels[i..=i]);
            found[*row] = Some(silhouettes[0].value);
        }
        found
    }

    /// Writes the sample as a table under the stage's folder.
    pub(super) async fn write(&self, context: &StageContext<'_>, features: &[String]) -> Result<Part> {
        let d = features.len();
        let numbers = |of: &dyn Fn(usize) -> f64| -> ArrayRef {
            Arc::new((0..self.rows.len()).map(of).collect::<Float64Array>())
        };
        let mut columns: Vec<(String, ArrayRef)> = vec![("weight".to_owned(), numbers(&|i| self.weights[i]))];
        for (j, name) in self.columns.iter().enumerate() {
            let values: ArrayRef = if name.ends_with("_cluster") && j >= d {
                Arc::new(self.rows.iter().map(|row| row.values[j] as i32).collect::<Int32Array>())
            } else if name == OUTLIER_COLUMN && j >= d {
                Arc::new(self.rows.iter().map(|row| Some(row.values[j] != 0.0)).collect::<BooleanArray>())
            } else {
                numbers(&|i| self.rows[i].values[j])
            };
            columns.push((name.clone(), values));
        }
        for (j, name) in features.iter().enumerate() {
            columns.push((format!("{name}_scaled"), numbers(&|i| self.rows[i].point[j])));
        }
        let silhouettes: Float64Array = self.silhouettes(d).into_iter().collect();
        columns.push(("kmeans_silhouette".to_owned(), Arc::new(silhouettes)));
        let field = |(name, column): &(String, ArrayRef)| {
            Field::new(name, column.data_type().clone(), column.data_type() == &DataType::Float64)
        };
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let arrays = columns.into_iter().map(|(_, column)| column).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(DataFusionError::from)?;
        let prefix = format!("{}sample/", context.prefix);
        let mut writer = PartWriter::create(&context.cluster.runtime(), &prefix, 0, schema)?;
        writer.write(&batch).await?;
        writer.finish().await
    }
}

/// The segments of each clustering, in the order of the table.
pub(super) fn by_algorithm(segments: &[Segment]) -> Vec<(Algorithm, Vec<&Segment>)> {
    let of = |algorithm| (algorithm, segments.iter().filter(|segment| segment.algorithm == algorithm).collect());
    Algorithm::ALL.into_iter().map(of).filter(|(_, segments): &(_, Vec<&Segment>)| !segments.is_empty()).collect()
}

/// The rate for each segment when about `wanted` rows are drawn.
fn rates(column: usize, segments: &[&Segment], wanted: u64) -> SegmentRates {
    let first = segments.iter().map(|segment| segment.cluster).min().unwrap_or(0);
    let last = segments.iter().map(|segment| segment.cluster).max().unwrap_or(0);
    let rows: u64 = segments.iter().map(|segment| segment.size).sum();
    let even = 0.5 * wanted as f64 / segments.len().max(1) as f64;
    let mut thresholds = vec![0; (last - first + 1) as usize];
    for segment in segments {
        let by_size = 0.5 * wanted as f64 * segment.size as f64 / rows.max(1) as f64;
        let drawn = RowSample::of(SEED, (even + by_size).ceil() as u64, segment.size);
        thresholds[(segment.cluster - first) as usize] = drawn.threshold;
    }
    SegmentRates { column, first, thresholds }
}
