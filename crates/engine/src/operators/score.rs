//! Gives new rows the segments of a published model.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use futures::StreamExt;
use segmenta_algorithms::kmeans::Centers;
use segmenta_algorithms::rows::{Rows as _, matrix};
use segmenta_algorithms::scalers::Scaler;
use serde::{Deserialize, Serialize};

use super::assign::KMEANS_COLUMN;
use super::hdbscan::CLUSTER_COLUMN;
use super::{Filling, OutlierRules, PartTask, Placement, only};
use crate::artifact::{NameColumn, Part, PartWriter, ROW_COLUMN, append_rows, part_schema, read_part};
use crate::error::Result;
use crate::progress::Progress;

/// Streams a part of a feature table into a part of scores: its columns with missing cells filled, the first feature
/// outside its fence, the nearest centroid, and the row's place in the other clusterings of the model.
/// Holds a batch. A worker holds the donors once, and the points of the other clusterings a cell at a time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Score {
    /// URL to write under.
    pub prefix: String,
    /// Features, in order.
    pub features: Vec<String>,
    /// How missing cells are filled.
    pub filling: Filling,
    /// Who is an outlier.
    pub outliers: OutlierRules,
    /// Whether values beyond a fence are moved to it.
    pub clips: bool,
    /// Scalers.
    pub scalers: Vec<Scaler>,
    /// What rows are assigned by, in scaled space.
    pub centers: Centers,
    /// The number of each of their clusters.
    pub numbers: Vec<i32>,
    /// The other clusterings of the model.
    pub placements: Vec<Placement>,
    /// The names of clusters, by the column that they are in.
    pub names: Vec<NameColumn>,
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
    /// For each K-Means cluster, the number of its rows.
    pub sizes: Vec<u64>,
    /// The same, of the rows within all fences.
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
        fields.extend(self.name_field(KMEANS_COLUMN));
        for placement in &self.placements {
            for field in placement.fields() {
                let name = self.name_field(field.name());
                fields.push(field);
                fields.extend(name);
            }
        }
        let schema = Arc::new(Schema::new(fields));
        let mut writer = PartWriter::create(&runtime, &self.prefix, part.index, Arc::clone(&schema))?;
        let d = self.features.len();
        let (mut filled, mut outside, mut noise) = (0, 0, 0);
        let (mut sizes, mut inside) = (vec![0; self.centers.k()], vec![0; self.centers.k()]);
        let mut spent = self.monetary.map(|_| Spent::default());
        let mut batches = read_part(&runtime, part, None).await?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            Progress::add_rows(context, batch.num_rows() as u64);
            let mut values = Vec::new();
            append_rows(&batch, &self.features, &mut values)?;
            filled += filler.fill(&mut values).iter().map(|mask| u64::from(mask.count_ones())).sum::<u64>();
            let cut = self.outliers.cut(&values);
            let mut points = values.clone();
            if self.clips {
                self.outliers.clip(&mut points);
            }
            for point in points.chunks_exact_mut(d) {
                point.iter_mut().zip(&self.scalers).for_each(|(value, scaler)| *value = scaler.apply(*value));
            }
            let points = matrix(points, d);
            let mut fences: Vec<Option<&str>> = Vec::with_capacity(batch.num_rows());
            let (mut clusters, mut distances) = (Vec::new(), Vec::new());
            for ((row, point), cut) in values.chunks_exact(d).zip(points.row_slices()).zip(&cut) {
                outside += u64::from(cut.is_some());
                if let Some(j) = self.monetary {
                    spent = spent.filter(|_| row[j] >= 0.0);
                    spent.iter_mut().for_each(|spent| spent.add(row[j], cut.is_some()));
                }
                fences.push(cut.map(|cut| self.features[cut.feature].as_str()));
                let (cluster, squared) = self.centers.nearest(point);
                sizes[cluster] += 1;
                inside[cluster] += u64::from(cut.is_none());
                clusters.push(self.numbers[cluster]);
                distances.push(squared.sqrt());
            }
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
            let clusters: ArrayRef = Arc::new(Int32Array::from(clusters));
            let names = self.names_of(KMEANS_COLUMN, &clusters);
            columns.push(clusters);
            columns.push(Arc::new(Float64Array::from(distances)));
            columns.extend(names);
            for placement in &self.placements {
                let placed = placement.place(&self.features, &points, context).await?;
                for (field, column) in placement.fields().iter().zip(placed) {
                    let labels = column.as_primitive_opt::<Int32Type>();
                    if let (Some(labels), CLUSTER_COLUMN) = (labels, field.name().as_str()) {
                        noise += labels.values().iter().filter(|label| **label < 0).count() as u64;
                    }
                    let names = self.names_of(field.name(), &column);
                    columns.push(column);
                    columns.extend(names);
                }
            }
            let rows = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(DataFusionError::from)?;
            writer.write(&rows).await?;
        }
        Ok(Scored { part: writer.finish().await?, filled, outside, noise, sizes, inside, spent })
    }
}

impl Score {
    /// The column with the names of clusters whose numbers are in `column`, if they have any.
    fn name_field(&self, column: &str) -> Option<Field> {
        let names = self.names.iter().find(|names| names.of == column)?;
        Some(Field::new(&names.name, DataType::Utf8, true))
    }

    /// Its cells, for these numbers.
    fn names_of(&self, column: &str, numbers: &ArrayRef) -> Option<ArrayRef> {
        let names = self.names.iter().find(|names| names.of == column)?;
        let by_number: HashMap<i32, &str> = names.names.iter().map(|(number, name)| (*number, name.as_str())).collect();
        let numbers = numbers.as_primitive_opt::<Int32Type>()?;
        let name = |number: Option<i32>| by_number.get(&number?).copied();
        Some(Arc::new(numbers.iter().map(name).collect::<StringArray>()))
    }
}
