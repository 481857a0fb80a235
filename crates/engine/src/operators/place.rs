//! Gives rows that were no part of a clustering their place in it.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use ndarray::{Array2, Axis, Slice};
use serde::{Deserialize, Serialize};

use super::hdbscan::DensityModel;
use super::hierarchy::LabelledCell;
use super::{PartTask, only};
use crate::artifact::{Part, PartWriter, ROW_COLUMN, load_points};
use crate::error::Result;
use crate::progress::Progress;

/// Rows that are looked up together.
const ROWS_AT_ONCE: usize = 16_384;

/// How rows get their place in a clustering.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Placement {
    /// In a hierarchy: with the nearest of the points that were linked.
    Nearest(Vec<LabelledCell>),
    /// In a density clustering: as the hdbscan package's `approximate_predict`.
    Density(DensityModel),
}

impl Placement {
    /// The columns that it gives.
    pub(super) fn fields(&self) -> Vec<Field> {
        match self {
            Self::Nearest(_) => vec![LabelledCell::field()],
            Self::Density(_) => DensityModel::fields(),
        }
    }

    /// These columns for rows of scaled features (`n x d`).
    pub(super) async fn place(
        &self,
        features: &[String],
        rows: &Array2<f64>,
        context: &TaskContext,
    ) -> Result<Vec<ArrayRef>> {
        match self {
            Self::Nearest(cells) => Ok(vec![LabelledCell::place(cells, features, rows, context).await?]),
            Self::Density(model) => model.place(features, rows, context).await,
        }
    }
}

/// Writes, for each row of a part of prepared points, its row id and the columns of its place. Holds the part, `8 (d + 1)`
/// bytes a row, and the clustering's points a cell at a time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Place {
    /// URL to write under.
    pub prefix: String,
    /// Features, in order.
    pub columns: Vec<String>,
    /// The clustering.
    pub placement: Placement,
}

#[async_trait]
impl PartTask for Place {
    const NAME: &'static str = "place";
    type Output = Part;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Part> {
        let part = only(inputs)?;
        let points = load_points(context, part, &self.columns).await?;
        let mut fields = vec![Field::new(ROW_COLUMN, DataType::UInt64, false)];
        fields.extend(self.placement.fields());
        let schema = Arc::new(Schema::new(fields));
        let mut writer = PartWriter::create(&context.runtime_env(), &self.prefix, part.index, Arc::clone(&schema))?;
        for first in (0..points.ids.len()).step_by(ROWS_AT_ONCE) {
            let rows = first..(first + ROWS_AT_ONCE).min(points.ids.len());
            let mut columns: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(points.ids[rows.clone()].to_vec()))];
            let taken = points.rows.slice_axis(Axis(0), Slice::from(rows.clone())).to_owned();
            columns.extend(self.placement.place(&self.columns, &taken, context).await?);
            Progress::add_rows(context, rows.len() as u64);
            let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(DataFusionError::from)?;
            writer.write(&batch).await?;
        }
        writer.finish().await
    }
}
