//! The tasks that a worker knows how to run, by their names.
//!
//! A new task joins by a line in the list here. (Lists that fill themselves before `main` need `unsafe`, which
//! this project forbids.)

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};

use super::{
    AddLabels, ApplyRules, Assign, ClusterQuality, CountBins, CountBrackets, CrossTabulate, DrawDonors, DynPartTask,
    Impute, Intact, KMeansPass, Moments, Oversample, PartTask, Place, ProbeDonors, Sample, SampleSegments, Scale,
    Score, ScoreForest, SearchDonors, Silhouette, SketchExcess, SplitOutliers, Verify, decode, hdbscan, hierarchy,
};

/// A task's name, and how the task is restored from postcard.
struct Known {
    name: &'static str,
    decode: fn(&[u8]) -> Result<Arc<dyn DynPartTask>>,
}

/// How a task is known.
const fn task<T: PartTask>() -> Known {
    Known { name: T::NAME, decode: |body| Ok(Arc::new(decode::<T>(body)?)) }
}

const TASKS: &[Known] = &[
    task::<AddLabels>(),
    task::<ApplyRules>(),
    task::<Assign>(),
    task::<ClusterQuality>(),
    task::<CountBins>(),
    task::<CountBrackets>(),
    task::<CrossTabulate>(),
    task::<DrawDonors>(),
    task::<hdbscan::CountPoints>(),
    task::<hdbscan::FindLinks>(),
    task::<hdbscan::FindNeighbors>(),
    task::<hdbscan::GraphForest>(),
    task::<hdbscan::GrowForest>(),
    task::<hdbscan::NearestPoints>(),
    task::<hierarchy::CollectDistinct>(),
    task::<hierarchy::ReduceRows>(),
    task::<Impute>(),
    task::<Intact>(),
    task::<KMeansPass>(),
    task::<Moments>(),
    task::<Oversample>(),
    task::<Place>(),
    task::<ProbeDonors>(),
    task::<Sample>(),
    task::<SampleSegments>(),
    task::<Scale>(),
    task::<Score>(),
    task::<ScoreForest>(),
    task::<SearchDonors>(),
    task::<Silhouette>(),
    task::<SketchExcess>(),
    task::<SplitOutliers>(),
    task::<Verify>(),
];

/// Restores a task by its name.
///
/// # Errors
/// An unknown name or a malformed body: the processes run different versions.
pub(super) fn restore_task(name: &str, body: &[u8]) -> Result<Arc<dyn DynPartTask>> {
    match TASKS.iter().find(|known| known.name == name) {
        Some(known) => (known.decode)(body),
        None => Err(DataFusionError::Plan(format!("unknown task `{name}`: do all processes run the same version?"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_restored_by_their_names() {
        let task = Sample { columns: vec!["recency".into()], seed: 1, rows: 10, threshold: u64::MAX, keep: false };
        let restored = restore_task(Sample::NAME, &task.encode().unwrap()).unwrap();
        assert_eq!(format!("{task:?}"), format!("{restored:?}"));
        assert!(restore_task("no_such_task", &[]).is_err());
        assert!(restore_task(Sample::NAME, &[0xFF]).is_err());
    }

    #[test]
    fn names_are_given_once() {
        let mut names: Vec<&str> = TASKS.iter().map(|known| known.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
