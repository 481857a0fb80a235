//! Whether a cluster can run a plan, checked before it runs.

use std::sync::Arc;

use ballista_core::JobId;
use ballista_core::extension::SessionConfigExt;
use ballista_scheduler::planner::{DefaultDistributedPlanner, DistributedPlanner};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::SessionState;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::prelude::SessionConfig;
use datafusion_proto::physical_plan::AsExecutionPlan;
use datafusion_proto::protobuf::PhysicalPlanNode;

use crate::error::{EngineError, Result};

/// Operators that work within one process only, the SQL that they come from, and what to write instead.
const WITHIN_ONE_PROCESS: [(&str, &str); 4] = [
    ("RecursiveQueryExec", "WITH RECURSIVE cannot be run on a cluster; write the steps one by one, as joins"),
    ("WorkTableExec", "WITH RECURSIVE cannot be run on a cluster; write the steps one by one, as joins"),
    (
        "ScalarSubqueryExec",
        "this subquery as a value cannot be run on a cluster; join with it instead, for example FROM t CROSS JOIN (SELECT …) AS s",
    ),
    ("AsyncFuncExec", "asynchronous functions cannot be run on a cluster"),
];

/// The settings that a plan is submitted with. They keep the number of partitions that the plan has.
///
/// The scheduler cuts a plan into stages and asks DataFusion to plan each stage again. If a stage has fewer partitions
/// than the settings name, DataFusion redistributes rows within the stage to have more. Tasks of one stage exchange no
/// rows, so a join then loses rows. With one partition as the goal DataFusion leaves the stage as it is, except that it
/// would merge a scan into one task if it were allowed to split files differently.
/// one task of, if it might cut files otherwise than they were.
#[must_use]
pub(crate) fn submitted(config: SessionConfig) -> SessionConfig {
    config.with_target_partitions(1).with_repartition_file_scans(false)
}

fn is_shared_out(node: &Arc<dyn ExecutionPlan>) -> bool {
    let repartition = node.downcast_ref::<RepartitionExec>();
    // An input without rows has nothing to redistribute.
    repartition.is_some_and(|repartition| !repartition.input().is::<EmptyExec>())
}

/// Cuts `plan` into stages as the scheduler does, and encodes and decodes each as on the way to the workers. Runs
/// nothing.
///
/// # Errors
/// When the cluster cannot run the plan. The fault is the spec's, and the message says what to write instead where that
/// is known.
pub fn check_distributable(state: &SessionState, plan: &Arc<dyn ExecutionPlan>) -> Result<()> {
    plan.apply(|node| match WITHIN_ONE_PROCESS.iter().find(|(name, _)| *name == node.name()) {
        Some((_, why)) => Err(EngineError::spec(*why).into()),
        None => Ok(TreeNodeRecursion::Continue),
    })?;
    let config = submitted(state.config().clone());
    let codec = config.ballista_physical_extension_codec();
    let context = state.task_ctx();
    let job = JobId::new("check");
    let refused = |what: &str| EngineError::spec(format!("this query cannot be run on a cluster: {what}"));
    let stages = DefaultDistributedPlanner::new()
        .plan_query_stages(&job, Arc::clone(plan), config.options())
        .map_err(|error| refused(&error.to_string()))?;
    for stage in stages {
        let stage: Arc<dyn ExecutionPlan> = stage;
        // Each task would redistribute only its own slice of the rows, and equal keys would not meet.
        if stage.exists(|node| Ok(is_shared_out(node)))? {
            return Err(refused("its rows would have to be redistributed within a stage"));
        }
        PhysicalPlanNode::try_from_physical_plan(stage, codec.as_ref())
            .and_then(|node| {
                let mut bytes = Vec::new();
                node.try_encode(&mut bytes)?;
                PhysicalPlanNode::try_decode(&bytes)?.try_into_physical_plan(&context, codec.as_ref())
            })
            .map_err(|error| refused(&error.strip_backtrace()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use datafusion::datasource::source::DataSourceExec;
    use datafusion::physical_plan::ExecutionPlanProperties;
    use datafusion::prelude::{ParquetReadOptions, SessionContext};

    use super::*;
    use crate::runtime::{planning_state, session_like};

    #[tokio::test]
    async fn a_scan_keeps_its_tasks() {
        let folder = tempfile::tempdir().unwrap();
        let state = planning_state().unwrap();
        let context =
            SessionContext::new_with_state(session_like(&state, state.config().clone().with_target_partitions(4)));
        for file in 0..4 {
            let path = folder.path().join(format!("{file}.parquet"));
            let values = context.sql("SELECT * FROM (VALUES (1.0), (2.0)) AS t (x)").await.unwrap();
            values.write_parquet(path.to_str().unwrap(), Default::default(), None).await.unwrap();
        }
        let path = folder.path().to_str().unwrap();
        context.register_parquet("t", path, ParquetReadOptions::default()).await.unwrap();
        let plan = context.sql("SELECT SUM(x), MAX(x) FROM t").await.unwrap().create_physical_plan().await.unwrap();
        let config = submitted(state.config().clone());
        let stages = DefaultDistributedPlanner::new().plan_query_stages(&JobId::new("test"), plan, config.options());
        let tasks: Vec<usize> = stages
            .unwrap()
            .into_iter()
            .map(|stage| stage as Arc<dyn ExecutionPlan>)
            .filter(|stage| stage.exists(|node| Ok(node.is::<DataSourceExec>())).unwrap())
            .map(|stage| stage.children()[0].output_partitioning().partition_count())
            .collect();
        assert_eq!(tasks, [4]);
    }
}
