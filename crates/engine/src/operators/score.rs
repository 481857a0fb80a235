//! Gives new rows the segments of a published model.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use futures::StreamExt;
use segmenta_algorithms::kmeans::Centers;
use segmenta_algorithms::outliers::{Fence, first_outside};
use segmenta_algorithms::scalers::Scaler;
use serde::{Deserialize, Serialize};

use super::assign::KMEANS_COLUMN;
use super::hdbscan::{CLUSTER_COLUMN, DensityModel, PROBABILITY_COLUMN, SCORE_COLUMN};
use super::{Filling, ForestCut, PartTask, only};
use crate::artifact::{Part, PartWriter, ROW_COLUMN, append_rows, part_schema, read_part};
use crate::error::Result;
use crate::progress::Progress;

/// Streams a part of a feature table into a part of scores: its columns with missing cells filled, the first feature
/// outside its fence, the nearest centroid and, where the model has a density clustering, the row's place in that.
/// Holds a batch. A worker holds the donors and the density model's points once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Score {
    /// URL to write under.
    pub prefix: String,
    /// Features, in order.
    pub features: Vec<String>,
    /// How missing cells are filled.
    pub filling: Filling,
    /// Fences; empty where the model set no customers aside.
    pub fences: Vec<Fence>,
    /// Applied to the rows within all fences.
    pub forest: Option<ForestCut>,
    /// Scalers.
    pub scalers: Vec<Scaler>,
    /// What rows are assigned by, in scaled space.
    pub centers: Centers,
    /// The number of each of their clusters.
    pub numbers: Vec<i32>,
    /// The name of each cluster; empty where the model names none of them.
    pub labels: Vec<Option<String>>,
    /// HDBSCAN's part of the model.
    pub density: Option<DensityModel>,
    /// The index of the feature that is money.
    pub monetary: Option<usize>,
}

/// What the driver gets back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// The file.
    pub part: Part,
    /// Cells filled.
    pub filled: u64,
    /// Rows with a feature outside its fence.
    pub outside: u64,
    /// Rows that are noise.
    pub noise: u64,
    /// For each K-Means cluster, the number of rows within all fences.
    pub inside: Vec<u64>,
    /// `None` without a monetary feature, or where some of its values are negative, because then there are no shares.
    pub spent: Option<Spent>,
}

/// Sums of the monetary feature over a part, in the order of its rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// Sum over all rows.
    pub all: f64,
    /// Sum over the rows outside the fences.
    pub outside: f64,
}

impl Spent {
    fn add(&mut self, value: f64, is_outside: bool) {
        self.all += value;
        self.outside += if is_outside { value } else { 0.0 };
    }
}

#[async_trait]
impl PartTask for Score {
    const NAME: &'static str = "score";
    type Output = Scored;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Scored> {
        let part = only(inputs)?;
        let runtime = context.runtime_env();
        let filler = self.filling.filler(&self.features, context).await?;
        let predictor = match &self.density {
            Some(density) => Some(density.load(&self.features, context).await?),
            None => None,
        };
        let mut fields: Vec<Field> = part_schema(&runtime, part)
            .await?
            .fields()
            .iter()
            .filter(|field| field.name() != ROW_COLUMN)
            .map(|field| {
                let nullable = field.is_nullable() && !self.features.contains(field.name());
                field.as_ref().clone().with_nullable(nullable)
            })
            .collect();
        fields.push(Field::new("outside", DataType::Utf8, true));
        fields.push(Field::new(KMEANS_COLUMN, DataType::Int32, false));
        fields.push(Field::new("kmeans_distance", DataType::Float64, false));
        let has_labels = self.labels.iter().any(Option::is_some);
        if has_labels {
            fields.push(Field::new("kmeans_label", DataType::Utf8, true));
        }
        if predictor.is_some() {
            fields.push(Field::new(CLUSTER_COLUMN, DataType::Int32, false));
            fields.push(Field::new(PROBABILITY_COLUMN, DataType::Float64, false));
            fields.push(Field::new(SCORE_COLUMN, DataType::Float64, false));
        }
        let schema = Arc::new(Schema::new(fields));
        let mut writer = PartWriter::create(&runtime, &self.prefix, part.index, Arc::clone(&schema))?;
        let d = self.features.len();
        let (mut filled, mut outside, mut noise, mut inside) = (0, 0, 0, vec![0; self.centers.k()]);
        let mut spent = self.monetary.map(|_| Spent::default());
        let mut batches = read_part(&runtime, part, None).await?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            Progress::add_rows(context, batch.num_rows() as u64);
            let mut values = Vec::new();
            append_rows(&batch, &self.features, &mut values)?;
            let mut fences: Vec<Option<&str>> = Vec::with_capacity(batch.num_rows());
            let (mut clusters, mut distances, mut members) = (Vec::new(), Vec::new(), Vec::new());
            let mut labels: Vec<Option<&str>> = Vec::new();
            let mut scaled = vec![0.0; d];
            filled += filler.fill(&mut values).iter().map(|mask| u64::from(mask.count_ones())).sum::<u64>();
            let mut by_fence: Vec<Option<usize>> =
                values.chunks_exact(d).map(|row| first_outside(row, &self.fences)).collect();
            if let Some(forest) = &self.forest {
                let is_outside: Vec<bool> = by_fence.iter().map(Option::is_some).collect();
                for (feature, by_forest) in by_fence.iter_mut().zip(forest.cut(&values, d, &is_outside)) {
                    *feature = feature.or(by_forest.map(|(_, feature)| feature));
                }
            }
            for (row, feature) in values.chunks_exact(d).zip(by_fence) {
                outside += u64::from(feature.is_some());
                if let Some(j) = self.monetary {
                    spent = spent.filter(|_| row[j] >= 0.0);
                    spent.iter_mut().for_each(|spent| spent.add(row[j], feature.is_some()));
                }
                fences.push(feature.map(|j| self.features[j].as_str()));
                for ((scaled, cell), scaler) in scaled.iter_mut().zip(row).zip(&self.scalers) {
                    *scaled = scaler.apply(*cell);
                }
                let (cluster, squared) = self.centers.nearest(&scaled);
                inside[cluster] += u64::from(feature.is_none());
                clusters.push(self.numbers[cluster]);
                labels.push(self.labels.get(cluster).and_then(Option::as_deref));
                distances.push(squared.sqrt());
                members.extend(predictor.as_ref().map(|predictor| predictor.predict(&scaled)));
            }
            noise += members.iter().filter(|member| member.label < 0).count() as u64;
            let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                match self.features.iter().position(|name| name == field.name()) {
                    Some(j) => {
                        let cells = values.iter().skip(j).step_by(d);
                        columns.push(Arc::new(cells.copied().collect::<Float64Array>()));
                    }
                    None if field.name() == ROW_COLUMN => {}
                    None => columns.push(Arc::clone(column)),
                }
            }
            columns.push(Arc::new(StringArray::from(fences)));
            columns.push(Arc::new(Int32Array::from(clusters)));
            columns.push(Arc::new(Float64Array::from(distances)));
            if has_labels {
                columns.push(Arc::new(StringArray::from(labels)));
            }
            if predictor.is_some() {
                columns.push(Arc::new(members.iter().map(|member| member.label).collect::<Int32Array>()));
                columns.push(Arc::new(members.iter().map(|member| member.probability).collect::<Float64Array>()));
                columns.push(Arc::new(members.iter().map(|member| member.outlier_score).collect::<Float64Array>()));
            }
            let rows = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(DataFusionError::from)?;
            writer.write(&rows).await?;
        }
        Ok(Scored { part: writer.finish().await?, filled, outside, noise, inside, spent })
    }
}
