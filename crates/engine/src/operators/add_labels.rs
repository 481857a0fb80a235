//! Writes the names of segments beside their numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Schema};
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{Part, PartWriter, part_schema, read_part};
use crate::error::{EngineError, Result};
use crate::progress::Progress;

/// The names of one clustering.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelColumn {
    /// The column of its numbers.
    pub cluster: String,
    /// The column to add.
    pub label: String,
    /// The name of each number that has one.
    pub names: BTreeMap<i32, String>,
}

/// Streams a part of the assignments into one with names: each beside the number that it goes with, null where there is none.
/// Holds a batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddLabels {
    /// URL to write under.
    pub prefix: String,
    /// What to add.
    pub columns: Vec<LabelColumn>,
}

#[async_trait]
impl PartTask for AddLabels {
    const NAME: &'static str = "add_labels";
    type Output = Part;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Part> {
        let part = only(inputs)?;
        let runtime = context.runtime_env();
        let before = part_schema(&runtime, part).await?;
        let of = |name: &str| self.columns.iter().find(|column| column.cluster == name);
        let mut fields: Vec<Field> = Vec::with_capacity(before.fields().len() + self.columns.len());
        for field in before.fields() {
            fields.push(field.as_ref().clone());
            fields.extend(of(field.name()).map(|column| Field::new(&column.label, DataType::Utf8, true)));
        }
        let schema = Arc::new(Schema::new(fields));
        let mut writer = PartWriter::create(&runtime, &self.prefix, part.index, Arc::clone(&schema))?;
        let mut batches = read_part(&runtime, part, None).await?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            Progress::add_rows(context, batch.num_rows() as u64);
            let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
            for (field, column) in before.fields().iter().zip(batch.columns()) {
                columns.push(Arc::clone(column));
                if let Some(added) = of(field.name()) {
                    let numbers = column.as_primitive_opt::<Int32Type>().ok_or_else(|| {
                        EngineError::input(format!("{}: `{}` holds no numbers of segments", part.url, field.name()))
                    })?;
                    let name = |number: Option<i32>| added.names.get(&number?).map(String::as_str);
                    columns.push(Arc::new(numbers.iter().map(name).collect::<StringArray>()));
                }
            }
            let rows = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(DataFusionError::from)?;
            writer.write(&rows).await?;
        }
        writer.finish().await
    }
}
