//! Whether a cluster can run a plan, found out before it runs.

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

/// Operators that work within one process only, what of SQL they come from, and what to write instead.
const WITHIN_ONE_PROCESS: [(&str, &str); 4] = [
    ("RecursiveQueryExec", "WITH RECURSIVE cannot be run on a cluster; write the steps one by one, as joins"),
    ("WorkTableExec", "WITH RECURSIVE cannot be run on a cluster; write the steps one by one, as joins"),
    (
        "ScalarSubqueryExec",
        "this subquery as a value cannot be run on a cluster; join with it instead, for example FROM t CROSS JOIN (SELECT …) AS s",
    ),
    ("AsyncFuncExec", "asynchronous functions cannot be run on a cluster"),
];

/// The settings that a plan is submitted with: the partitions that it has are those it gets.
///
/// The scheduler asks DataFusion to plan a stage anew after it has cut it off. Where the plan has fewer partitions than the settings
/// name, that shares rows out again to have more, within a stage, where nothing is exchanged between tasks: a join then loses
/// rows. With one partition as the goal there is nothing to gain, and it leaves the stage as it is; but a scan it would make
/// one task of, if it might cut files otherwise than they were.
#[must_use]
pub(crate) fn submitted(config: SessionConfig) -> SessionConfig {
    config.with_target_partitions(1).with_repartition_file_scans(false)
}

fn is_shared_out(node: &Arc<dyn ExecutionPlan>) -> bool {
    let repartition = node.downcast_ref::<RepartitionExec>();
    // Of no rows at all there is nothing to share.
    repartition.is_some_and(|repartition| !repartition.input().is::<EmptyExec>())
}

/// Cuts `plan` into stages as the scheduler does and sends each through the codec, there and back, as it will travel to the
/// workers. Runs nothing.
///
/// # Errors
/// What cannot be run, put down to the spec, with what to write instead where that is known.
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
        // Each task would share out its own slice of the rows alone, and equal keys would not meet.
        if stage.exists(|node| Ok(is_shared_out(node)))? {
            return Err(refused("its rows would have to be shared out anew within a stage"));
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
