//! One row a customer: its recency, frequency and spend.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, Int64Builder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::errors::ParquetError;

use super::options::GenerateOptions;
use super::population::Population;

/// Rows that are made, and handed to the Parquet writer, at a time.
pub(super) const BATCH_ROWS: usize = 8_192;

/// `customer_id` (never null), `recency` (days since the last order), `frequency` (orders) and `monetary` (total spend).
#[must_use]
pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("customer_id", DataType::Int64, false),
        Field::new("recency", DataType::Float64, true),
        Field::new("frequency", DataType::Float64, true),
        Field::new("monetary", DataType::Float64, true),
    ]))
}

/// Turns a range of customers into record batches.
pub(super) struct FeatureBatches {
    population: Population,
    rows: Range<u64>,
    schema: SchemaRef,
    ids: Int64Builder,
    cells: [Float64Builder; 3],
}

impl FeatureBatches {
    pub(super) fn new(options: &GenerateOptions, rows: Range<u64>) -> Self {
        Self {
            population: Population::new(options),
            rows,
            schema: schema(),
            ids: Int64Builder::with_capacity(BATCH_ROWS),
            cells: std::array::from_fn(|_| Float64Builder::with_capacity(BATCH_ROWS)),
        }
    }

    /// The next batch, and its customers.
    pub(super) fn next(&mut self) -> Option<Result<(RecordBatch, u64), ParquetError>> {
        let end = self.rows.end.min(self.rows.start + BATCH_ROWS as u64);
        let rows = std::mem::replace(&mut self.rows.start, end)..end;
        if rows.is_empty() {
            return None;
        }
        let customers = rows.end - rows.start;
        for row in rows {
            let customer = self.population.customer(row);
            self.ids.append_value(customer.id);
            for (column, cell) in self.cells.iter_mut().zip(customer.cells()) {
                column.append_option(cell);
            }
        }
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.ids.finish())];
        columns.extend(self.cells.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef));
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns);
        Some(batch.map(|batch| (batch, customers)).map_err(ParquetError::from))
    }
}
