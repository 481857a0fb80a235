//! The published tables that are not copied from a stage.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::error::DataFusionError;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use segmenta_algorithms::outliers::Fence;
use segmenta_algorithms::quantiles::QuantileSketch;
use segmenta_engine::{EngineError, Result};

use super::Results;
use crate::stages::profile::{FeatureProfile, Profiled, QUANTILES, Segment, SegmentRule};
use crate::stages::rows_of;

pub(super) fn parquet(batch: &RecordBatch) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let properties = WriterProperties::builder().set_created_by("segmenta".to_owned()).build();
    let write = || -> Result<(), datafusion::parquet::errors::ParquetError> {
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
        writer.write(batch)?;
        writer.close()?;
        Ok(())
    };
    write().map_err(|error| EngineError::job(format!("a published table cannot be written as Parquet: {error}")))?;
    Ok(bytes)
}

/// The nodes of the dendrogram down to a segment, such as `398/396/391`.
fn tree_path(segment: &Segment) -> Option<String> {
    let path = segment.tree_path.as_ref()?;
    Some(path.iter().map(u32::to_string).collect::<Vec<_>>().join("/"))
}

/// `segments.parquet`: one row a segment, by cluster.
pub(super) fn segments(features: &[String], profiled: &Profiled) -> Result<RecordBatch> {
    let segments = &profiled.segments;
    let label = |get: fn(&segmenta_algorithms::labels::Label) -> String| -> ArrayRef {
        Arc::new(segments.iter().map(|s| s.label.as_ref().map(get)).collect::<StringArray>())
    };
    let mut columns: Vec<(String, DataType, ArrayRef)> = vec![
        (
            "algorithm".into(),
            DataType::Utf8,
            Arc::new(segments.iter().map(|s| Some(s.algorithm.name())).collect::<StringArray>()),
        ),
        ("cluster".into(), DataType::Int32, Arc::new(segments.iter().map(|s| s.cluster).collect::<Int32Array>())),
        ("tree_path".into(), DataType::Utf8, Arc::new(segments.iter().map(tree_path).collect::<StringArray>())),
        ("size".into(), DataType::UInt64, Arc::new(segments.iter().map(|s| s.size).collect::<UInt64Array>())),
        ("share".into(), DataType::Float64, Arc::new(segments.iter().map(|s| s.share).collect::<Float64Array>())),
        (
            "silhouette".into(),
            DataType::Float64,
            Arc::new(segments.iter().map(|s| s.silhouette).collect::<Float64Array>()),
        ),
        ("label".into(), DataType::Utf8, label(|l| l.name.clone())),
        ("action".into(), DataType::Utf8, label(|l| l.action.clone())),
        ("why".into(), DataType::Utf8, label(|l| l.why.clone())),
        (
            "score".into(),
            DataType::Float64,
            Arc::new(segments.iter().map(|s| s.label.as_ref().map(|l| l.score)).collect::<Float64Array>()),
        ),
    ];
    let rule = |segment: &Segment| {
        let mut rules = profiled.rules.iter().filter(|rules| rules.algorithm == segment.algorithm);
        rules.find_map(|rules| rules.segments.iter().find(|rule| rule.cluster == segment.cluster))
    };
    let rules = || segments.iter().map(rule);
    let measure = |of: fn(&SegmentRule) -> Option<f64>| -> ArrayRef {
        Arc::new(rules().map(|rule| rule.and_then(of)).collect::<Float64Array>())
    };
    columns.extend([
        (
            "rule".into(),
            DataType::Utf8,
            Arc::new(rules().map(|rule| rule.map(|rule| rule.text.clone())).collect::<StringArray>()) as ArrayRef,
        ),
        ("rule_precision".into(), DataType::Float64, measure(|rule| rule.precision)),
        ("rule_recall".into(), DataType::Float64, measure(|rule| rule.recall)),
    ]);
    for (j, name) in features.iter().enumerate() {
        let mut add = |suffix: &str, value: &dyn Fn(&FeatureProfile) -> f64| {
            let values: Float64Array = segments.iter().map(|s| s.features.get(j).map(value)).collect();
            columns.push((format!("{name}_{suffix}"), DataType::Float64, Arc::new(values)));
        };
        add("mean", &|f| f.mean);
        add("std", &|f| f.standard_deviation);
        add("min", &|f| f.min);
        for (i, q) in QUANTILES.iter().enumerate() {
            add(&format!("p{:02}", (q * 100.0).round()), &move |f| f.quantiles[i]);
        }
        add("max", &|f| f.max);
    }
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, data_type, column)| Field::new(name, data_type.clone(), column.null_count() > 0))
        .collect();
    let arrays: Vec<ArrayRef> = columns.into_iter().map(|(_, _, column)| column).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(DataFusionError::from)?)
}

/// The quantiles of the data-quality table.
const QUALITY_QUANTILES: [(&str, f64); 7] =
    [("p01", 0.01), ("p05", 0.05), ("p25", 0.25), ("p50", 0.5), ("p75", 0.75), ("p95", 0.95), ("p99", 0.99)];

/// `quality.parquet`: what each step of the preparation did to each feature, a row a feature and step.
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
