//! Load tests: what runs of the same job took, and what follows from it.
//!
//! ```text
//!   Run, Run, …   rows × workers × repeats, one at a time ──▶ Scale: median seconds, rows/s, speed-up, efficiency
//!   Burst         many jobs at once on one cluster         ──▶ percentiles of their latency, jobs an hour
//!                                 └── checksums of the tables of all over the same rows ──▶ Agreement
//! ```
//!
//! Everything here is pure: what starts clusters and runs jobs is in the command line.

mod hardware;
mod table;

use std::collections::BTreeMap;

use segmenta_engine::artifact::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use self::hardware::Hardware;
pub use self::table::table;
use segmenta_results::cost::StageReport;
use segmenta_results::manifest::Manifest;

/// Version of `loadtest.json`.
pub const FORMAT: u32 = 1;

/// All of a load test: `loadtest.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoadTest {
    /// Version of this document.
    pub format: u32,
    /// Version of Segmenta.
    pub segmenta: String,
    /// When it began, RFC 3339, UTC.
    pub started_at: String,
    /// The machine that the load test ran on. It tells nothing about a cluster that was there already.
    pub hardware: Hardware,
    /// What was asked for.
    pub settings: Settings,
    /// The runs, in the order in which they were made.
    pub runs: Vec<Run>,
    /// The jobs that were submitted at once.
    pub bursts: Vec<Burst>,
    /// The runs of the same rows and workers together.
    pub scale: Vec<Scale>,
    /// Whether the runs over the same rows gave the same tables.
    pub agreements: Vec<Agreement>,
}

/// What was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    /// The job, with its placeholders.
    pub spec: String,
    /// What a row of the data is: `customers` or `orders`.
    pub schema: String,
    /// Files of the data.
    pub shards: usize,
    /// Seed of the data.
    pub seed: u64,
    /// Tasks that each worker, or the embedded cluster, runs at once. Not known for a cluster that was there already.
    pub threads_per_worker: Option<usize>,
    /// Memory that each process planned with.
    pub memory_per_worker_bytes: Option<u64>,
    /// The coordinator, where the cluster was there already.
    pub coordinator: Option<String>,
}

/// One job that had the cluster to itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// Its name, different from all others.
    pub name: String,
    /// Customers that were generated.
    pub rows: u64,
    /// Workers; 0 for the embedded cluster, `None` for a cluster that was there already.
    pub workers: Option<u32>,
    /// The number of the repetition, from 1.
    pub repeat: u32,
    /// Seconds from submission to done; on the embedded cluster, those of its process. `None` for a run that failed.
    pub seconds: Option<f64>,
    /// Customers a second.
    pub rows_per_second: Option<f64>,
    /// Rows of the source: customers, or their orders.
    pub source_rows: Option<u64>,
    /// Median seconds of the least number of workers, divided by these seconds.
    pub speed_up: Option<f64>,
    /// The speed-up, divided by how many times as many task slots there are.
    pub efficiency: Option<f64>,
    /// What each stage took; peak memory is that of the process that drove it.
    pub stages: Vec<StageReport>,
    /// Largest resident memory of any worker, where the platform tells and the workers are processes of the load test.
    pub worker_peak_memory_bytes: Option<u64>,
    /// SHA-256 over the published tables.
    pub tables_sha256: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
}

/// Jobs that were submitted at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Burst {
    /// Its name, different from all others.
    pub name: String,
    /// Customers that each of the jobs went over.
    pub rows: u64,
    /// As in a [`Run`].
    pub workers: Option<u32>,
    /// Jobs that are done, divided by the hours from the first submission to the last end.
    pub jobs_per_hour: Option<f64>,
    /// From the first submission to the last end.
    pub seconds: Option<f64>,
    /// Jobs that failed.
    pub failures: usize,
    /// From submission to done, for the jobs that are done.
    pub latency: Option<Percentiles>,
    /// From submission to the start.
    pub waiting: Option<Percentiles>,
    /// The jobs, in the order of submission.
    pub jobs: Vec<BurstJob>,
}

/// One of many jobs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BurstJob {
    /// Its id at the coordinator; empty where it was refused.
    pub id: String,
    /// From submission to its end.
    pub seconds: Option<f64>,
    /// From submission to its start.
    pub waited_seconds: Option<f64>,
    /// SHA-256 over the published tables.
    pub tables_sha256: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
}

/// Percentiles of several numbers of seconds. Percentile p is the smallest that at least p in a hundred do not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// The smallest.
    pub min: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// 90 in 100 do not exceed it.
    pub p90: f64,
    /// 99 in 100 do not exceed it.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

/// The runs over so many rows on so many workers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scale {
    /// Customers.
    pub rows: u64,
    /// As in a [`Run`].
    pub workers: Option<u32>,
    /// Runs that are done.
    pub runs: usize,
    /// Runs that failed.
    pub failures: usize,
    /// Median of the runs that are done.
    pub seconds: Option<f64>,
    /// The fastest of them.
    pub fastest: Option<f64>,
    /// The slowest of them.
    pub slowest: Option<f64>,
    /// Customers a second, by the median.
    pub rows_per_second: Option<f64>,
    /// Median seconds of the least number of workers, divided by these seconds.
    pub speed_up: Option<f64>,
    /// The speed-up, divided by how many times as many task slots there are.
    pub efficiency: Option<f64>,
    /// Median seconds of each stage, in the order of the stages.
    pub stages: Vec<(String, f64)>,
}

/// Whether all jobs over the same rows gave the same tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// Customers.
    pub rows: u64,
    /// Jobs that gave tables.
    pub results: usize,
    /// Runs and jobs whose tables are not those of the first one.
    pub differing: Vec<String>,
}

impl Burst {
    /// A burst of these jobs; `seconds` is from the first submission to the last end.
    #[must_use]
    pub fn new(name: String, rows: u64, workers: Option<u32>, jobs: Vec<BurstJob>, seconds: Option<f64>) -> Self {
        let done = || jobs.iter().filter(|job| job.failure.is_none());
        let count = done().count();
        Self {
            name,
            rows,
            workers,
            jobs_per_hour: seconds.filter(|seconds| *seconds > 0.0).map(|seconds| count as f64 / seconds * 3600.0),
            seconds,
            failures: jobs.len() - count,
            latency: percentiles(done().filter_map(|job| job.seconds).collect()),
            waiting: percentiles(done().filter_map(|job| job.waited_seconds).collect()),
            jobs,
        }
    }
}

impl LoadTest {
    /// Works out what follows from the runs and bursts.
    pub fn conclude(&mut self) {
        self.scale = scale(&self.runs);
        for run in &mut self.runs {
            run.rows_per_second = run.seconds.map(|seconds| run.rows as f64 / seconds);
            let base = base(&self.scale, run.rows);
            let gain = run.seconds.zip(base).map(|(seconds, (_, base))| base / seconds);
            (run.speed_up, run.efficiency) = gains(gain, base.map(|(workers, _)| workers), run.workers);
        }
        self.agreements = agreements(&self.runs, &self.bursts);
    }

    /// What went wrong, in a sentence each; empty when nothing did.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let failed = self.runs.iter().filter(|run| run.failure.is_some()).count();
        if failed > 0 {
            faults.push(format!("{failed} of {} runs failed", self.runs.len()));
        }
        let (jobs, failed) =
            self.bursts.iter().fold((0, 0), |(jobs, failed), burst| (jobs + burst.jobs.len(), failed + burst.failures));
        if failed > 0 {
            faults.push(format!("{failed} of {jobs} jobs that were submitted at once failed"));
        }
        for agreement in self.agreements.iter().filter(|agreement| !agreement.differing.is_empty()) {
            faults.push(format!(
                "over {} rows the tables of {} are not those of the first run: results must not depend on the cluster; \
                 keep the outputs (--keep) and report it",
                agreement.rows,
                agreement.differing.join(", ")
            ));
        }
        faults
    }
}

/// The percentiles of some numbers; `None` if there are none.
#[must_use]
pub fn percentiles(mut seconds: Vec<f64>) -> Option<Percentiles> {
    seconds.sort_by(f64::total_cmp);
    let (min, max) = (*seconds.first()?, *seconds.last()?);
    let n = seconds.len();
    // The smallest rank, from 1, of at least `percent` in a hundred.
    let at = |percent: usize| seconds[(n * percent).div_ceil(100).clamp(1, n) - 1];
    let mean = seconds.iter().sum::<f64>() / n as f64;
    Some(Percentiles { min, mean, p50: at(50), p90: at(90), p99: at(99), max })
}

/// The median: the mean of the middle two of an even number.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let (low, high) = (values.get(n.saturating_sub(1) / 2)?, values.get(n / 2)?);
    Some((low + high) / 2.0)
}

/// Runs of the same rows and workers together, in the order of rows, then of workers.
fn scale(runs: &[Run]) -> Vec<Scale> {
    let mut groups: BTreeMap<(u64, Option<u32>), Vec<&Run>> = BTreeMap::new();
    for run in runs {
        groups.entry((run.rows, run.workers)).or_default().push(run);
    }
    let mut scale: Vec<Scale> = groups
        .into_iter()
        .map(|((rows, workers), runs)| {
            let seconds: Vec<f64> = runs.iter().filter_map(|run| run.seconds).collect();
            let median_seconds = median(seconds.clone());
            Scale {
                rows,
                workers,
                runs: seconds.len(),
                failures: runs.iter().filter(|run| run.failure.is_some()).count(),
                seconds: median_seconds,
                fastest: seconds.iter().copied().min_by(f64::total_cmp),
                slowest: seconds.iter().copied().max_by(f64::total_cmp),
                rows_per_second: median_seconds.map(|seconds| rows as f64 / seconds),
                speed_up: None,
                efficiency: None,
                stages: stages(&runs),
            }
        })
        .collect();
    for i in 0..scale.len() {
        let base = base(&scale, scale[i].rows);
        let gain = scale[i].seconds.zip(base).map(|(seconds, (_, base))| base / seconds);
        (scale[i].speed_up, scale[i].efficiency) = gains(gain, base.map(|(workers, _)| workers), scale[i].workers);
    }
    scale
}

/// Median seconds of each stage.
fn stages(runs: &[&Run]) -> Vec<(String, f64)> {
    let Some(first) = runs.iter().find(|run| !run.stages.is_empty()) else { return vec![] };
    let of = |name: &str| {
        let all = runs.iter().flat_map(|run| &run.stages).filter(|stage| stage.stage == name);
        median(all.map(|stage| stage.cost.seconds).collect())
    };
    first.stages.iter().filter_map(|stage| Some((stage.stage.clone(), of(&stage.stage)?))).collect()
}

/// The least number of workers with a run that is done over so many rows, and its median seconds.
fn base(scale: &[Scale], rows: u64) -> Option<(u32, f64)> {
    let of_rows = scale.iter().filter(|scale| scale.rows == rows);
    of_rows.filter_map(|scale| Some((scale.workers?, scale.seconds?))).min_by_key(|(workers, _)| *workers)
}

/// Speed-up and efficiency of a gain. The embedded cluster has the slots of one worker.
fn gains(gain: Option<f64>, base: Option<u32>, workers: Option<u32>) -> (Option<f64>, Option<f64>) {
    let (Some(gain), Some(base), Some(workers)) = (gain, base, workers) else { return (None, None) };
    let slots = f64::from(workers.max(1)) / f64::from(base.max(1));
    (Some(gain), Some(gain / slots))
}

fn agreements(runs: &[Run], bursts: &[Burst]) -> Vec<Agreement> {
    let of_runs = runs.iter().filter_map(|run| Some((run.rows, run.name.clone(), run.tables_sha256.as_ref()?)));
    let of_jobs = bursts.iter().flat_map(|burst| {
        let named = burst.jobs.iter().enumerate();
        named.filter_map(|(i, job)| {
            Some((burst.rows, format!("{} job {}", burst.name, i + 1), job.tables_sha256.as_ref()?))
        })
    });
    let mut results: BTreeMap<u64, Vec<(String, &String)>> = BTreeMap::new();
    for (rows, name, sha256) in of_runs.chain(of_jobs) {
        results.entry(rows).or_default().push((name, sha256));
    }
    results
        .into_iter()
        .map(|(rows, all)| {
            let first = all[0].1;
            let differing = all.iter().filter(|(_, sha256)| *sha256 != first).map(|(name, _)| name.clone());
            Agreement { rows, results: all.len(), differing: differing.collect() }
        })
        .collect()
}

/// One checksum over all published tables: their names and contents.
#[must_use]
pub fn tables_sha256(manifest: &Manifest) -> String {
    let mut tables: Vec<_> = manifest.outputs.iter().filter(|output| output.rows.is_some()).collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    let mut hash = Sha256::new();
    for table in tables {
        hash.update(format!("{} {}\n", table.name, table.sha256));
    }
    hex(&hash.finalize())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use segmenta_results::cost::StageCost;

    pub(crate) fn run(rows: u64, workers: Option<u32>, repeat: u32, seconds: Option<f64>, sha256: &str) -> Run {
        let stage = |name: &str, share: f64| StageReport {
            stage: name.to_owned(),
            resumed: false,
            cost: StageCost {
                rows,
                passes: 2,
                seconds: share * seconds.unwrap_or_default(),
                peak_memory_bytes: Some(1 << 28),
                ..StageCost::default()
            },
        };
        Run {
            name: format!("rows {rows} workers {workers:?} repeat {repeat}"),
            rows,
            workers,
            repeat,
            seconds,
            rows_per_second: None,
            source_rows: seconds.map(|_| rows),
            speed_up: None,
            efficiency: None,
            stages: if seconds.is_some() { vec![stage("extract", 0.25), stage("kmeans", 0.75)] } else { vec![] },
            worker_peak_memory_bytes: None,
            tables_sha256: seconds.map(|_| sha256.to_owned()),
            failure: if seconds.is_some() { None } else { Some("<b>the disk</b> is full".to_owned()) },
        }
    }

    pub(crate) fn load_test(runs: Vec<Run>, bursts: Vec<Burst>) -> LoadTest {
        let mut test = LoadTest {
            format: FORMAT,
            segmenta: "0.1.0".to_owned(),
            started_at: "2026-07-01T12:00:00Z".to_owned(),
            hardware: Hardware::of_this_machine(),
            settings: Settings {
                spec: "name: x".to_owned(),
                schema: "customers".to_owned(),
                shards: 8,
                seed: 7,
                threads_per_worker: Some(1),
                memory_per_worker_bytes: Some(1 << 30),
                coordinator: None,
            },
            runs,
            bursts,
            scale: vec![],
            agreements: vec![],
        };
        test.conclude();
        test
    }

    pub(crate) fn job(seconds: f64, failure: Option<&str>) -> BurstJob {
        BurstJob {
            id: "a".to_owned(),
            seconds: Some(seconds),
            waited_seconds: Some(seconds / 2.0),
            tables_sha256: failure.is_none().then(|| "a".to_owned()),
            failure: failure.map(str::to_owned),
        }
    }

    #[test]
    fn percentiles_are_of_ranks() {
        assert_eq!(percentiles(vec![]), None);
        let hundred = percentiles((1..=100).rev().map(f64::from).collect()).unwrap();
        assert_eq!((hundred.p50, hundred.p90, hundred.p99), (50.0, 90.0, 99.0));
        assert_eq!((hundred.min, hundred.mean, hundred.max), (1.0, 50.5, 100.0));
        let three = percentiles(vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!((three.p50, three.p90, three.p99), (2.0, 3.0, 3.0));
        let one = percentiles(vec![7.0]).unwrap();
        assert_eq!((one.min, one.p50, one.p99, one.max), (7.0, 7.0, 7.0, 7.0));
        assert_eq!((median(vec![]), median(vec![1.0, 9.0, 2.0]), median(vec![4.0, 2.0])), (None, Some(2.0), Some(3.0)));
    }

    #[test]
    fn speed_up_is_against_the_least_number_of_workers() {
        let runs = vec![
            run(1000, Some(4), 1, Some(4.0), "a"),
            run(1000, Some(1), 1, Some(10.0), "a"),
            run(1000, Some(1), 2, Some(14.0), "a"),
            run(1000, Some(2), 1, Some(6.0), "a"),
            run(1000, Some(2), 2, None, "a"),
            run(9000, Some(0), 1, Some(20.0), "b"),
            run(9000, Some(1), 1, Some(25.0), "b"),
            run(9000, Some(4), 1, Some(5.0), "b"),
        ];
        let test = load_test(runs, vec![]);
        let found: Vec<_> = test
            .scale
            .iter()
            .map(|s| (s.rows, s.workers.unwrap(), s.runs, s.failures, s.seconds, s.speed_up, s.efficiency))
            .collect();
        assert_eq!(
            found,
            [
                (1000, 1, 2, 0, Some(12.0), Some(1.0), Some(1.0)),
                (1000, 2, 1, 1, Some(6.0), Some(2.0), Some(1.0)),
                (1000, 4, 1, 0, Some(4.0), Some(3.0), Some(0.75)),
                (9000, 0, 1, 0, Some(20.0), Some(1.0), Some(1.0)),
                // One worker has as many slots as the embedded cluster.
                (9000, 1, 1, 0, Some(25.0), Some(0.8), Some(0.8)),
                (9000, 4, 1, 0, Some(5.0), Some(4.0), Some(1.0)),
            ]
        );
        assert_eq!(test.scale[0].stages, [("extract".to_owned(), 3.0), ("kmeans".to_owned(), 9.0)]);
        assert_eq!((test.scale[0].fastest, test.scale[0].slowest), (Some(10.0), Some(14.0)));
        assert_eq!((test.runs[0].speed_up, test.runs[0].rows_per_second), (Some(3.0), Some(250.0)));
        assert_eq!(test.faults(), ["1 of 8 runs failed"]);
        // A cluster that was there already has nothing to be compared with.
        let there = load_test(vec![run(1000, None, 1, Some(4.0), "a")], vec![]);
        assert_eq!((there.scale[0].rows_per_second, there.scale[0].speed_up), (Some(250.0), None));
    }

    #[test]
    fn jobs_at_once_and_results_that_differ() {
        let jobs = vec![job(2.0, None), job(4.0, None), job(6.0, Some("full")), job(3.0, None)];
        let burst = Burst::new("burst".to_owned(), 1000, Some(1), jobs, Some(6.0));
        assert_eq!((burst.failures, burst.jobs_per_hour), (1, Some(1800.0)));
        let latency = burst.latency.unwrap();
        assert_eq!((latency.p50, latency.max, burst.waiting.unwrap().p50), (3.0, 4.0, 1.5));
        let runs = vec![run(1000, Some(0), 1, Some(1.0), "a"), run(1000, Some(1), 1, Some(1.0), "other")];
        let test = load_test(runs, vec![burst]);
        let agreement = &test.agreements[0];
        assert_eq!((agreement.rows, agreement.results), (1000, 5));
        assert_eq!(agreement.differing, ["rows 1000 workers Some(1) repeat 1"]);
        let faults = test.faults().join("; ");
        assert!(faults.contains("1 of 4 jobs") && faults.contains("over 1000 rows"), "{faults}");
    }
}
