//! Where tasks run: on the worker that worked on the same part before, because it holds that part decoded.
//!
//! ```text
//!   a worker with free slots takes, of the waiting partitions,
//!     1. those whose part it worked on last          2. those whose part nobody has worked on yet
//!     3. those whose part others hold, its own former parts first: no slot stays free to save a worker's store
//! ```
//!
//! A worker that takes a part of another one holds it from then on as well, so going back and forth costs nothing more.
//! Tasks that know no parts, and plans whose partitions must stay together, run wherever there is room.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::config::BallistaConfig;
use ballista_core::execution_plans::ShuffleReaderExec;
use ballista_core::serde::protobuf::{AvailableVcores, job_status};
use ballista_core::serde::scheduler::TaskKey;
use ballista_scheduler::cluster::{BoundTask, DistributionPolicy};
use ballista_scheduler::state::execution_graph::{TaskDescription, create_task_info};
use ballista_scheduler::state::execution_stage::RunningStage;
use ballista_scheduler::state::task_manager::JobInfoCache;
use datafusion::error::Result;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use parking_lot::Mutex;

use crate::operators::listed_parts;

/// Workers that are remembered for each part.
const HOLDERS: usize = 4;
/// Parts that are remembered. Beyond that number all are forgotten, and one pass has to read its parts again.
const MOST_PARTS: usize = 1 << 20;

/// Ballista's policy for where tasks run.
#[derive(Debug, Default)]
pub(super) struct Placement {
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    /// For each part, the workers that worked on it, the last one first.
    holders: HashMap<u64, Vec<String>>,
    /// For each partition of a running stage, the first of its parts.
    stages: HashMap<(JobId, usize), Arc<Vec<u64>>>,
}

#[async_trait]
impl DistributionPolicy for Placement {
    fn name(&self) -> &str {
        "placement"
    }

    async fn bind_tasks(
        &self,
        mut budgets: Vec<&mut AvailableVcores>,
        running_jobs: Arc<HashMap<JobId, JobInfoCache>>,
    ) -> Result<Vec<BoundTask>> {
        let mut bound = vec![];
        self.memory.lock().stages.retain(|(job, _), _| running_jobs.contains_key(job));
        for (job, info) in running_jobs.iter() {
            if !matches!(info.status, Some(job_status::Status::Running(_))) {
                continue;
            }
            let mut graph = info.execution_graph.write().await;
            let session = graph.session_id().to_string();
            let mut seen = vec![];
            while let Some(stage) = graph.fetch_running_stage(&seen) {
                seen.push(stage.stage_id);
                budgets.retain(|budget| budget.vcores > 0);
                if budgets.is_empty() {
                    return Ok(bound);
                }
                budgets.sort_by(|a, b| b.vcores.cmp(&a.vcores).then(a.executor_id.cmp(&b.executor_id)));
                bound.extend(self.bind_stage(&mut budgets, stage, job, &session));
            }
        }
        Ok(bound)
    }
}

impl Placement {
    fn bind_stage(
        &self,
        budgets: &mut [&mut AvailableVcores],
        stage: &mut RunningStage,
        job: &JobId,
        session: &str,
    ) -> Vec<BoundTask> {
        let waiting = stage.pending.next_slice(usize::MAX);
        if stays_together(&stage.plan) {
            let Some(budget) = budgets.first_mut() else {
                stage.pending.reschedule(waiting);
                return vec![];
            };
            return vec![bind(stage, job, session, budget, waiting, 1)];
        }
        let most = most_partitions(stage);
        let rooms: Vec<(&str, usize)> =
            budgets.iter().map(|budget| (budget.executor_id.as_str(), (budget.vcores as usize).min(most))).collect();
        let (chosen, rest) = {
            let mut memory = self.memory.lock();
            let parts = memory.parts_of(job, stage);
            let (chosen, rest) = choose(&rooms, &waiting, |partition| {
                parts.get(partition).and_then(|part| memory.holders.get(part)).map_or(&[], Vec::as_slice)
            });
            for (partitions, (worker, _)) in chosen.iter().zip(&rooms) {
                partitions.iter().filter_map(|p| parts.get(*p)).for_each(|part| memory.remember(*part, worker));
            }
            (chosen, rest)
        };
        stage.pending.reschedule(rest);
        let mut bound = vec![];
        for (partitions, budget) in chosen.into_iter().zip(budgets) {
            if !partitions.is_empty() {
                let slots = partitions.len() as u32;
                bound.push(bind(stage, job, session, budget, partitions, slots));
            }
        }
        bound
    }
}

impl Memory {
    fn parts_of(&mut self, job: &JobId, stage: &RunningStage) -> Arc<Vec<u64>> {
        let key = (job.clone(), stage.stage_id);
        Arc::clone(self.stages.entry(key).or_insert_with(|| {
            let parts = listed_parts(&stage.plan).filter(|parts| parts.len() == stage.partitions);
            let first = |parts: Vec<crate::artifact::Part>| {
                let mut hasher = DefaultHasher::new();
                parts.first().map(|part| &part.sha256).hash(&mut hasher);
                hasher.finish()
            };
            Arc::new(parts.unwrap_or_default().into_iter().map(first).collect())
        }))
    }

    fn remember(&mut self, part: u64, worker: &str) {
        if self.holders.len() >= MOST_PARTS {
            self.holders.clear();
        }
        let holders = self.holders.entry(part).or_default();
        holders.retain(|holder| holder != worker);
        holders.insert(0, worker.to_owned());
        holders.truncate(HOLDERS);
    }
}

/// Which of the waiting partitions each worker takes, given the workers and their free slots, and which are left over.
fn choose<'a>(
    rooms: &[(&str, usize)],
    waiting: &[usize],
    holders: impl Fn(usize) -> &'a [String],
) -> (Vec<Vec<usize>>, Vec<usize>) {
    let mut chosen: Vec<Vec<usize>> = vec![vec![]; rooms.len()];
    let mut waiting = waiting.to_vec();
    let mut take = |wants: &dyn Fn(&str, usize) -> bool| {
        for (chosen, (worker, room)) in chosen.iter_mut().zip(rooms) {
            waiting.retain(|partition| {
                let takes = chosen.len() < *room && wants(worker, *partition);
                if takes {
                    chosen.push(*partition);
                }
                !takes
            });
        }
    };
    take(&|worker, partition| holders(partition).first().is_some_and(|holder| holder == worker));
    take(&|_, partition| holders(partition).is_empty());
    take(&|worker, partition| holders(partition).iter().any(|holder| holder == worker));
    take(&|_, _| true);
    (chosen, waiting)
}

/// Gives partitions to a worker, as Ballista's own policies do. A task's number is its place among all tasks that the
/// stage ever had.
fn bind(
    stage: &mut RunningStage,
    job: &JobId,
    session: &str,
    budget: &mut AvailableVcores,
    partitions: Vec<usize>,
    slots: u32,
) -> BoundTask {
    let task_id = stage.task_infos.len();
    let attempt = partitions.iter().filter_map(|partition| stage.task_failure_numbers.get(*partition)).max();
    let mut info = create_task_info(budget.executor_id.clone(), task_id);
    info.global_input_partition_ids = partitions.clone();
    info.vcores_consumed = slots;
    let description = TaskDescription {
        session_id: session.to_owned(),
        key: TaskKey { job_id: job.clone(), stage_id: stage.stage_id, task_id },
        stage_attempt_num: stage.stage_attempt_num,
        task_attempt: attempt.copied().unwrap_or(0),
        global_input_partition_ids: partitions,
        vcores_consumed: slots,
        plan: Arc::clone(&stage.plan),
        session_config: Arc::clone(&stage.session_config),
    };
    stage.task_infos.push(info);
    budget.vcores -= slots.min(budget.vcores);
    (budget.executor_id.clone(), description)
}

fn most_partitions(stage: &RunningStage) -> usize {
    let settings = stage.session_config.options().extensions.get::<BallistaConfig>();
    match settings.map(BallistaConfig::max_partitions_per_task) {
        Some(0) | None => usize::MAX,
        Some(most) => most,
    }
}

/// Whether an operator of the stage brings all partitions together, so that they must be one task: it has a single
/// output, and its input is not yet the result of another stage.
fn stays_together(stage: &Arc<dyn ExecutionPlan>) -> bool {
    let mut node = stage.children().first().map(|child| Arc::clone(child));
    while let Some(plan) = node {
        if plan.downcast_ref::<ShuffleReaderExec>().is_some() {
            return false;
        }
        if plan.output_partitioning().partition_count() == 1 {
            return true;
        }
        node = match plan.children().as_slice() {
            [child] => Some(Arc::clone(child)),
            _ => None,
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(parts: &[&[&str]]) -> Vec<Vec<String>> {
        parts.iter().map(|holders| holders.iter().map(|holder| (*holder).to_owned()).collect()).collect()
    }

    #[test]
    fn workers_take_what_they_hold() {
        let holders = held(&[&["b"], &["a"], &[], &["b", "a"], &["c"], &[]]);
        let of = |partition: usize| holders[partition].as_slice();
        let (chosen, rest) = choose(&[("a", 2), ("b", 1)], &[0, 1, 2, 3, 4, 5], of);
        assert_eq!((chosen, rest), (vec![vec![1, 2], vec![0]], vec![3, 4, 5]));
        // Parts that another worker holds come last, and among them a worker's own former parts come first.
        let (chosen, rest) = choose(&[("a", 2)], &[0, 3, 4], of);
        assert_eq!((chosen, rest), (vec![vec![3, 0]], vec![4]));
        let (chosen, rest) = choose(&[("a", 1), ("b", 1)], &[4], of);
        assert_eq!((chosen, rest), (vec![vec![4], vec![]], vec![]));
    }

    #[test]
    fn the_last_workers_of_a_part_are_remembered() {
        let mut memory = Memory::default();
        for worker in ["a", "b", "a", "c", "d", "e"] {
            memory.remember(7, worker);
        }
        assert_eq!(memory.holders[&7], ["e", "d", "c", "a"]);
    }
}
