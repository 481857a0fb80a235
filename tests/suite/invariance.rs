//! Results depend on the set of rows alone.

use std::fs;
use std::path::Path;

use arrow::array::UInt32Array;
use arrow::compute::take_record_batch;
use segmenta_algorithms::hashing::mix;
use segmenta_pipeline::job::{Job, RunOptions};

use crate::support::{
    cdnow_spec, column, customers, features_job, floats, folder, ids, read_parquet, root, run, segmenta,
    table_checksums, write_batch, write_parquet,
};

#[test]
fn any_partitioning_and_number_of_threads_gives_the_same_bytes() {
    let mut tables = Vec::new();
    for (per_shard, threads) in [(Some(1), 1), (Some(3), 4), (Some(16), 4), (None, 2)] {
        let folder = folder();
        let job = Job::load(&cdnow_spec(folder.path(), &[])).unwrap();
        let options = RunOptions { partitions_per_shard: per_shard, ..RunOptions::default() };
        tables.push(table_checksums(&run(&job, threads, &options).unwrap()));
    }
    assert!(tables[0].len() > 10, "{:?}", tables[0]);
    assert!(tables.iter().all(|other| *other == tables[0]), "{tables:#?}");
}

#[test]
fn a_resumed_job_gives_the_same_bytes() {
    let folder = folder();
    let spec = cdnow_spec(folder.path(), &[("\nhdbscan:", "\nhierarchy: {clusters: 4}\nhdbscan:")]);
    let job = Job::load(&spec).unwrap();
    let first = run(&job, 2, &RunOptions::default()).unwrap();
    assert!(first.stages.iter().all(|stage| !stage.resumed));
    let work = folder.path().join("out/_work");
    let stages: Vec<&str> = first.stages.iter().map(|stage| stage.stage.as_str()).filter(|s| *s != "publish").collect();
    assert!(stages.contains(&"hierarchy") && stages.len() == 10, "{stages:?}");
    for stage in stages {
        // As a job leaves it that was cut in the middle of the stage.
        fs::remove_file(folder.path().join("out/manifest.json")).unwrap();
        fs::remove_file(work.join(stage).join("manifest.json")).unwrap();
        fs::write(work.join(stage).join("part-00000.parquet"), "half").unwrap();
        let again = run(&job, 2, &RunOptions::default()).unwrap();
        let ran: Vec<&str> = again.stages.iter().filter(|s| !s.resumed).map(|s| s.stage.as_str()).collect();
        // A stage that has files of the one before as its own goes with it.
        assert!(ran[0] == stage && ran[ran.len() - 1] == "publish" && ran.len() <= 3, "{stage}: {ran:?}");
        assert_eq!(table_checksums(&again), table_checksums(&first), "after {stage}");
    }
    let nothing = run(&job, 2, &RunOptions::default()).unwrap();
    assert!(nothing.stages.iter().all(|stage| stage.resumed));
    let fresh = run(&job, 2, &RunOptions { fresh: true, ..RunOptions::default() }).unwrap();
    assert!(fresh.stages.iter().all(|stage| !stage.resumed));
    assert_eq!(table_checksums(&fresh), table_checksums(&first));
}

#[test]
fn an_output_that_was_moved_is_made_anew() {
    let folder = folder();
    let spec = cdnow_spec(folder.path(), &[("to: 10", "to: 3")]);
    let first = run(&Job::load(&spec).unwrap(), 2, &RunOptions::default()).unwrap();
    fs::rename(folder.path().join("out"), folder.path().join("moved")).unwrap();
    let text = fs::read_to_string(&spec).unwrap();
    fs::write(&spec, text.replace("output: out", "output: moved")).unwrap();
    let moved = run(&Job::load(&spec).unwrap(), 2, &RunOptions::default()).unwrap();
    assert_eq!(table_checksums(&moved), table_checksums(&first));
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_query_that_asks_the_clock_resumes_on_the_same_day_only() {
    let folder = folder();
    let resumed = |query: &str| {
        let spec = cdnow_spec(folder.path(), &[("to: 10", "to: 3"), ("DATE '1998-07-01'", query)]);
        let job = Job::load(&spec).unwrap();
        run(&job, 2, &RunOptions::default()).unwrap();
        let again = run(&job, 2, &RunOptions::default()).unwrap();
        again.stages.iter().filter(|stage| stage.resumed).count()
    };
    assert_eq!(resumed("CAST(now() AS DATE)"), 0);
    assert_eq!(resumed("CURRENT_DATE"), 10);
}

#[test]
fn an_output_among_the_sources_is_not_read() {
    let folder = folder();
    reshard(folder.path(), 2);
    let sections = "kmeans: {k: 2}\n";
    let run_again = || run(&features_job("./", sections, folder.path()), 2, &RunOptions::default()).unwrap();
    let first = run_again();
    assert_eq!(table_checksums(&run_again()), table_checksums(&first));
    assert_eq!(first.customers, 23_570);
}

/// `features.parquet` of the fixtures, its rows in another order, over `shards` files of uneven size.
fn reshard(folder: &Path, shards: usize) {
    let whole = read_parquet(&root().join("tests/parity/features.parquet"));
    let mut order: Vec<u32> = (0..whole.num_rows() as u32).collect();
    order.sort_by_key(|row| mix(u64::from(*row) + shards as u64));
    let mut start = 0;
    for shard in 0..shards {
        let end = if shard + 1 == shards { order.len() } else { start + (order.len() - start) / 3 };
        let rows = take_record_batch(&whole, &UInt32Array::from(order[start..end].to_vec())).unwrap();
        write_batch(&folder.join(format!("shard-{shard}.parquet")), &rows);
        start = end;
    }
}

#[test]
fn any_sharding_and_order_of_rows_gives_the_same_bytes() {
    let sections = "impute: {method: knn, neighbors: 5, weights: distance}\nscale: {method: robust, transform: log1p}\n\
                    kmeans: {k: {from: 2, to: 5}, select: silhouette, restarts: 2}\n";
    let mut tables = Vec::new();
    for shards in [1, 3, 7] {
        let folder = folder();
        reshard(folder.path(), shards);
        let outcome = run(&features_job("'*.parquet'", sections, folder.path()), 2, &RunOptions::default()).unwrap();
        tables.push(table_checksums(&outcome));
    }
    assert!(tables.iter().all(|other| *other == tables[0]), "{tables:#?}");
}

/// Whatever becomes of outliers, and however many threads there are.
#[test]
fn outliers_are_the_same_for_any_sharding() {
    for outliers in
        ["{forest: {contamination: 0.01}}", "{action: clip, factor: 1, space: raw}", "{action: drop, method: mad}"]
    {
        let sections = format!(
            "outliers: {outliers}\nkmeans: {{k: 3}}\nhierarchy: {{clusters: 3}}\nhdbscan: {{min_cluster_size: 100}}\n"
        );
        let mut tables = Vec::new();
        for (shards, threads) in [(1, 1), (5, 3)] {
            let folder = folder();
            reshard(folder.path(), shards);
            let job = features_job("'*.parquet'", &sections, folder.path());
            let outcome = run(&job, threads, &RunOptions::default()).unwrap();
            assert!(outcome.outliers > 100, "{outliers}: {}", outcome.outliers);
            tables.push(table_checksums(&outcome));
        }
        assert_eq!(tables[0], tables[1], "{outliers}");
    }
}

#[test]
fn a_damaged_artifact_is_named_and_made_anew() {
    let folder = folder();
    let spec = cdnow_spec(folder.path(), &[("to: 10", "to: 3")]);
    let job = Job::load(&spec).unwrap();
    let first = run(&job, 2, &RunOptions::default()).unwrap();
    let work = folder.path().join("out/_work");
    let artifact = |stage: &str| {
        let mut entries = fs::read_dir(work.join(stage)).unwrap().map(|entry| entry.unwrap().path());
        entries.find(|path| path.is_dir()).unwrap()
    };
    // One of the same size, as a disk that lost power leaves it.
    let part = artifact("extract").join("part-00002.parquet");
    let size = fs::metadata(&part).unwrap().len();
    fs::write(&part, vec![0; size as usize]).unwrap();
    fs::remove_dir_all(artifact("evaluate").join("assignments")).unwrap();
    fs::remove_file(folder.path().join("out/manifest.json")).unwrap();
    let said = segmenta(&["run", spec.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("/part-00002.parquet: is gone, or not what the stage extract wrote"), "{}", said.err);
    assert!(said.err.contains("not what the stage evaluate wrote"), "{}", said.err);
    // No cell is missing, so that imputation has the features of the stage before.
    for (stage, resumed) in [("extract", false), ("impute", false), ("scale", true), ("evaluate", false)] {
        let line = said.err.lines().find(|line| line.contains(&format!("stage=\"{stage}\""))).unwrap();
        assert!(line.contains(&format!("resumed={resumed}")), "{line}");
    }
    let again = run(&job, 2, &RunOptions::default()).unwrap();
    assert_eq!(table_checksums(&again), table_checksums(&first));
}

#[test]
fn more_clusters_than_distinct_points() {
    // The extra clusters stay empty and are left out of the segments.
    let folder = folder();
    let n = 60;
    let point = |i: i64| Some((i % 3) as f64);
    write_parquet(
        &folder.path().join("a.parquet"),
        &[
            ("customer_id", ids(0..n)),
            ("recency", floats((0..n).map(point))),
            ("frequency", floats((0..n).map(point))),
            ("monetary", floats((0..n).map(point))),
        ],
    );
    let job = features_job("a.parquet", "outliers: {method: none}\nkmeans: {k: 5}\n", folder.path());
    let outcome = run(&job, 2, &RunOptions::default()).unwrap();
    assert_eq!(outcome.profiled.segments.len(), 3);
    assert!(outcome.warnings.iter().any(|warning| warning.contains("stay empty")), "{:?}", outcome.warnings);
    let assignments = read_parquet(&folder.path().join("out/assignments"));
    assert_eq!(customers(&assignments).len(), 60);
    assert!(column(&assignments, "kmeans_distance").iter().all(|distance| *distance < 1e-12));
}
