//! Who is an outlier, and why: fences first, then a forest for the rows within all of them.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, StringArray};
use arrow::datatypes::{DataType, Field};
use segmenta_algorithms::outliers::{Fence, first_outside};
use serde::{Deserialize, Serialize};

use super::ForestCut;

/// The rule of rows that the forest finds.
const FOREST_RULE: &str = "isolation_forest";

/// What makes a row an outlier.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OutlierRules {
    /// Features, in order.
    pub features: Vec<String>,
    /// Their fences.
    pub fences: Vec<Fence>,
    /// The names of the rules that gave these.
    pub rules: Vec<String>,
    /// Applied to the rows within all fences.
    pub forest: Option<ForestCut>,
}

/// Why a row is an outlier.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) by_forest: bool,
    pub(super) feature: usize,
    pub(super) value: f64,
    pub(super) fence: Fence,
}

impl OutlierRules {
    /// For each row (row-major), why it is an outlier, if it is.
    pub(super) fn cut(&self, values: &[f64]) -> Vec<Option<Cut>> {
        let d = self.features.len();
        let by_fence = |row: &[f64]| {
            let feature = first_outside(row, &self.fences)?;
            Some(Cut { by_forest: false, feature, value: row[feature], fence: self.fences[feature] })
        };
        let mut cuts: Vec<Option<Cut>> = values.chunks_exact(d).map(by_fence).collect();
        if let Some(forest) = &self.forest {
            let is_cut: Vec<bool> = cuts.iter().map(Option::is_some).collect();
            for (cut, by_forest) in cuts.iter_mut().zip(forest.cut(values, d, &is_cut)) {
                if let Some((value, feature)) = by_forest {
                    let fence = Fence { low: 0.0, high: forest.threshold };
                    *cut = Some(Cut { by_forest: true, feature, value, fence });
                }
            }
        }
        cuts
    }

    /// Moves the values of rows (row-major) to their fences.
    pub(super) fn clip(&self, values: &mut [f64]) {
        for row in values.chunks_exact_mut(self.features.len()) {
            row.iter_mut().zip(&self.fences).for_each(|(value, fence)| *value = value.max(fence.low).min(fence.high));
        }
    }

    /// The columns of a table of outliers: rule, feature, value, and the ends of the fence.
    pub(super) fn reason_fields(prefix: &str, nullable: bool) -> Vec<Field> {
        let field = |name: &str, data_type: DataType| Field::new(format!("{prefix}{name}"), data_type, nullable);
        vec![
            field("rule", DataType::Utf8),
            field("feature", DataType::Utf8),
            field("value", DataType::Float64),
            field("fence_low", DataType::Float64),
            field("fence_high", DataType::Float64),
        ]
    }

    /// Their cells.
    pub(super) fn reasons(&self, cuts: &[Option<Cut>]) -> Vec<ArrayRef> {
        let rule = |cut: &Cut| if cut.by_forest { FOREST_RULE } else { self.rules[cut.feature].as_str() };
        let number = |of: fn(&Cut) -> f64| -> ArrayRef {
            Arc::new(cuts.iter().map(|cut| cut.as_ref().map(of)).collect::<Float64Array>())
        };
        vec![
            Arc::new(cuts.iter().map(|cut| cut.as_ref().map(rule)).collect::<StringArray>()),
            Arc::new(
                cuts.iter()
                    .map(|cut| cut.as_ref().map(|cut| self.features[cut.feature].as_str()))
                    .collect::<StringArray>(),
            ),
            number(|cut| cut.value),
            number(|cut| cut.fence.low),
            number(|cut| cut.fence.high),
        ]
    }

    /// The columns of a table of all customers: whether a row is an outlier, and why.
    pub(super) fn fields() -> Vec<Field> {
        let mut fields = vec![Field::new(OUTLIER_COLUMN, DataType::Boolean, false)];
        fields.extend(Self::reason_fields("outlier_", true));
        fields
    }

    /// Their cells.
    pub(super) fn columns(&self, cuts: &[Option<Cut>]) -> Vec<ArrayRef> {
        let is_outlier: BooleanArray = cuts.iter().map(|cut| Some(cut.is_some())).collect();
        let mut columns: Vec<ArrayRef> = vec![Arc::new(is_outlier)];
        columns.extend(self.reasons(cuts));
        columns
    }
}

/// The column that says whether a row is an outlier.
pub const OUTLIER_COLUMN: &str = "outlier";
