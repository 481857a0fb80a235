//! How SQL becomes a plan that gives one answer on any number of workers: what we change in DataFusion's planning, and
//! what is refused because Ballista cannot run it.
//!
//! ```text
//!   SQL ──DataFusion's logical rules──▶ logical plan ──DataFusion's physical rules, with ours among them──▶ physical plan
//!                                                                                    │
//!                             check_distributable: cut into stages and sent through the codec, as the scheduler will
//! ```
//!
//! Our rules, each of which says in its file which fault it works around:
//!
//! * `PlainExpressions`, on the plan as it is written, rewrites some expressions into forms that are answered
//!   correctly.
//! * `DistinctSortKeys`, on the logical plan, removes sort keys that have no effect from aggregates.
//! * `PushProjections` replaces DataFusion's `ProjectionPushdown`, which breaks sort-merge joins with a filter.
//! * `OneProbe` runs a join whose unmatched rows are known only at its end as a single task.
//! * `NullableFilters` lets the filter of a sort-merge join see NULL.
//! * `EqualZeros`, on the logical plan, lets -0.0 and 0.0 match as keys of a join.
//! * `PruneWithoutFloats` keeps predicates on floating-point columns away from Parquet's statistics, which leave NaN
//!   out.

mod distinct_sort_keys;
mod distributable;
mod equal_zeros;
mod nullable_filters;
mod one_probe;
mod plain_expressions;
mod prune_without_floats;
mod push_projections;

use std::sync::Arc;

use ballista_core::optimizer::ballista_default_optimizer_rules;
use datafusion::optimizer::{Analyzer, AnalyzerRule, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

use distinct_sort_keys::DistinctSortKeys;
pub use distributable::check_distributable;
pub(crate) use distributable::submitted;
use equal_zeros::EqualZeros;
use nullable_filters::NullableFilters;
use one_probe::OneProbe;
use plain_expressions::PlainExpressions;
use prune_without_floats::PruneWithoutFloats;
use push_projections::PushProjections;

/// DataFusion's rule that makes no change but checks the plan. Ours come before it.
const LAST: &str = "SanityCheckPlan";

/// The analyzer's rules: ours, and DataFusion's, which give types to the plan.
pub(crate) fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> = vec![Arc::new(PlainExpressions::default())];
    rules.extend(Analyzer::new().rules);
    rules
}

/// The logical optimizer's rules: Ballista's, DataFusion's, and ours after them.
pub(crate) fn logical_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = ballista_default_optimizer_rules();
    rules.push(Arc::new(DistinctSortKeys));
    rules.push(Arc::new(EqualZeros));
    rules
}

/// The physical optimizer's rules: DataFusion's, in its order, with ours among them.
pub(crate) fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> = Vec::new();
    for rule in PhysicalOptimizer::new().rules {
        if rule.name() == PushProjections::REPLACES {
            rules.push(Arc::new(PushProjections));
            continue;
        }
        if rule.name() == LAST {
            rules.push(Arc::new(OneProbe));
            rules.push(Arc::new(NullableFilters));
            rules.push(Arc::new(PruneWithoutFloats));
        }
        rules.push(rule);
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    /// We find rules by their names, which a new version of DataFusion may change.
    #[test]
    fn datafusion_still_has_the_rules_that_ours_stand_beside() {
        let count = |rules: &[Arc<dyn PhysicalOptimizerRule + Send + Sync>], name: &str| {
            rules.iter().filter(|rule| rule.name() == name).count()
        };
        let theirs = PhysicalOptimizer::new().rules;
        let ours = physical_rules();
        assert!(count(&theirs, PushProjections::REPLACES) > 0);
        assert_eq!(count(&theirs, LAST), 1);
        assert_eq!(count(&ours, PushProjections::REPLACES), 0);
        assert_eq!(ours.len(), theirs.len() + 3);
    }
}
