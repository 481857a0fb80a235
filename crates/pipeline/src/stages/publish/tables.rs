//! The published tables that are not copied from a stage.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{Field, Schema};
use datafusion::error::DataFusionError;
use segmenta_algorithms::outliers::Fence;
use segmenta_algorithms::quantiles::QuantileSketch;
use segmenta_engine::Result;

use super::Results;
use crate::stages::rows_of;

/// The quantiles of the data-quality table.
const QUALITY_QUANTILES: [(&str, f64); 7] =
    [("p01", 0.01), ("p05", 0.05), ("p25", 0.25), ("p50", 0.5), ("p75", 0.75), ("p95", 0.95), ("p99", 0.99)];

/// `quality.parquet`: what each step of the preparation did to each feature, one row for each feature and step.
pub(super) fn quality(results: &Results<'_>) -> Result<RecordBatch> {
    struct Row<'a> {
        feature: &'a str,
        step: &'static str,
        rows: u64,
        missing: u64,
        not_finite: u64,
        imputed: u64,
        rule: Option<&'static str>,
        fence: Option<Fence>,
        cut: u64,
        cut_by_forest: u64,
        sketch: &'a QuantileSketch,
    }
    let mut table: Vec<Row<'_>> = vec![];
    for (j, feature) in results.spec.source.features.iter().enumerate() {
        let (found, imputed) = (&results.extracted.features[j], &results.imputed.features[j]);
        let kept = &results.split.features[j];
        let step = |step: &'static str, rows: u64, sketch| Row {
            feature,
            step,
            rows,
            missing: 0,
            not_finite: 0,
            imputed: 0,
            rule: None,
            fence: None,
            cut: 0,
            cut_by_forest: 0,
            sketch,
        };
        table.push(Row {
            missing: found.missing,
            not_finite: found.nan + found.infinite,
            ..step("extracted", rows_of(&results.extracted.parts), &found.sketch)
        });
        table
            .push(Row { imputed: imputed.filled, ..step("imputed", rows_of(&results.imputed.parts), &imputed.sketch) });
        table.push(Row {
            rule: Some(results.spec.outliers.rules[j].name()),
            fence: results.split.fences[j],
            cut: kept.cut,
            cut_by_forest: kept.cut_by_forest,
            ..step("kept", rows_of(&results.split.kept), &kept.sketch)
        });
    }
    let text = |of: &dyn Fn(&Row<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(table.iter().map(of).collect::<StringArray>())
    };
    let count = |of: &dyn Fn(&Row<'_>) -> u64| -> ArrayRef { Arc::new(table.iter().map(of).collect::<UInt64Array>()) };
    let number =
        |of: &dyn Fn(&Row<'_>) -> Option<f64>| -> ArrayRef { Arc::new(table.iter().map(of).collect::<Float64Array>()) };
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("feature", text(&|row| Some(row.feature.to_owned()))),
        ("step", text(&|row| Some(row.step.to_owned()))),
        ("rows", count(&|row| row.rows)),
        ("missing", count(&|row| row.missing)),
        ("not_finite", count(&|row| row.not_finite)),
        ("imputed", count(&|row| row.imputed)),
        ("rule", text(&|row| row.rule.map(str::to_owned))),
        ("fence_low", number(&|row| row.fence.map(|fence| fence.low))),
        ("fence_high", number(&|row| row.fence.map(|fence| fence.high))),
        ("cut", count(&|row| row.cut)),
        ("cut_by_forest", count(&|row| row.cut_by_forest)),
        ("mean", number(&|row| row.sketch.mean())),
        ("min", number(&|row| Some(row.sketch.bounds().min))),
    ];
    for (name, q) in QUALITY_QUANTILES {
        columns.push((name, number(&|row| row.sketch.quantile(q))));
    }
    columns.push(("max", number(&|row| Some(row.sketch.bounds().max))));
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), column.null_count() > 0))
        .collect();
    let arrays: Vec<ArrayRef> = columns.into_iter().map(|(_, column)| column).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(DataFusionError::from)?)
}
