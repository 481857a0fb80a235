//! Keeps predicates on floating-point columns away from Parquet's statistics.
//!
//! The smallest and largest values in the statistics of a Parquet file leave NaN out, while SQL here, as in DuckDB,
//! treats NaN as greater than every number. For a row group of NaN and 1.0 the statistics say that all is 1.0, and
//! `b > 2` would skip it although half of its rows match. So a scan gets only those parts of a predicate that read no
//! floating-point column. The filter above it still applies the whole predicate, and statistics of other columns,
//! especially dates, still skip row groups and pages.
//!
//! DataFusion has other ways to answer from statistics (a constant in place of a column; MIN, MAX and COUNT without
//! reading). They need statistics of files in the plan, which our sessions do not collect.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::datasource::physical_plan::{FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::expressions::{Column, lit};
use datafusion::physical_expr::{PhysicalExpr, conjunction, split_conjunction};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

/// The rule.
#[derive(Debug)]
pub(super) struct PruneWithoutFloats;

impl PhysicalOptimizerRule for PruneWithoutFloats {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            Ok(match node.downcast_ref::<DataSourceExec>().and_then(without_floats) {
                Some(scan) => Transformed::yes(Arc::new(scan)),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "prune_without_floats"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The scan with the parts of its predicate that read other columns; `None` where all parts do.
fn without_floats(scan: &DataSourceExec) -> Option<DataSourceExec> {
    let config = scan.data_source().downcast_ref::<FileScanConfig>()?;
    let source = config.file_source().downcast_ref::<ParquetSource>()?;
    let predicate = source.filter()?;
    let schema = source.table_schema().table_schema();
    let parts = split_conjunction(&predicate);
    let kept: Vec<Arc<dyn PhysicalExpr>> =
        parts.iter().filter(|part| !reads_floats(part, schema)).map(|part| Arc::clone(part)).collect();
    if kept.len() == parts.len() {
        return None;
    }
    // The predicate of a scan cannot be removed, but one that is always true skips nothing.
    let predicate = if kept.is_empty() { lit(true) } else { conjunction(kept) };
    let source = Arc::new(source.with_predicate(predicate));
    Some(DataSourceExec::new(Arc::new(FileScanConfigBuilder::from(config.clone()).with_source(source).build())))
}

fn reads_floats(expression: &Arc<dyn PhysicalExpr>, schema: &Schema) -> bool {
    expression
        .exists(|node| {
            let column = node.downcast_ref::<Column>();
            // A column that the schema does not have under its name might hold NaN.
            Ok(column.is_some_and(|column| {
                schema.field_with_name(column.name()).map_or(true, |field| holds_floats(field.data_type()))
            }))
        })
        .unwrap_or(true)
}

fn holds_floats(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(fields) => fields.iter().any(|field| holds_floats(field.data_type())),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => holds_floats(field.data_type()),
        DataType::Dictionary(_, value) => holds_floats(value),
        DataType::RunEndEncoded(_, values) => holds_floats(values.data_type()),
        other => other.is_floating(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Field;

    #[test]
    fn floats_are_found_inside_other_types() {
        let list = |inner| DataType::List(Arc::new(Field::new("item", inner, true)));
        assert!(holds_floats(&DataType::Float32));
        assert!(holds_floats(&list(DataType::Float64)));
        assert!(holds_floats(&DataType::Struct(vec![Field::new("x", list(DataType::Float16), true)].into())));
        assert!(!holds_floats(&list(DataType::Int64)));
        assert!(!holds_floats(&DataType::Decimal128(10, 2)));
    }
}
