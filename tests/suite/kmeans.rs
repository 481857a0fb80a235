//! K-Means in all its variants, and what is said about it.

use std::path::Path;

use segmenta_engine::cluster::{Cluster, EmbeddedOptions};
use segmenta_engine::runtime::MemoryPlan;
use segmenta_pipeline::job::{Job, RunOptions};
use segmenta_spec::JobSpec;
use serde_json::Value;

use crate::support::{
    by_customer, cdnow_spec, column, features_job, floats, folder, ids, json, numbers, read_parquet, root, run,
    segmenta, table_checksums, write_parquet,
};

/// The candidates of `metrics.json`, but for nothing: they have no times.
fn candidates(out: &Path) -> Vec<Value> {
    json(&out.join("metrics.json"))["kmeans"]["candidates"].as_array().unwrap().clone()
}

fn features() -> String {
    format!("'{}'", root().join("tests/parity/features/*.parquet").display())
}

#[test]
fn every_variant_is_the_same_for_any_partitioning() {
    for settings in [
        "start: kmeans||, restarts: 2, select: gap",
        "algorithm: minibatch, batch_rows: 3000, select: davies_bouldin",
        "algorithm: bisecting, restarts: 2, select: calinski_harabasz",
    ] {
        let sections =
            format!("kmeans: {{k: {{from: 2, to: 6}}, seed: 3, {settings}}}\nevaluate: {{silhouette_rows: 900}}\n");
        let mut found = Vec::new();
        for (per_shard, threads) in [(1, 1), (3, 4)] {
            let folder = folder();
            let job = features_job(&features(), &sections, folder.path());
            let options = RunOptions { partitions_per_shard: Some(per_shard), ..RunOptions::default() };
            let tables = table_checksums(&run(&job, threads, &options).unwrap());
            found.push((tables, candidates(&folder.path().join("out"))));
        }
        assert_eq!(found[0], found[1], "{settings}");
    }
}

/// Each variant comes near to what Lloyd's finds.
#[test]
fn variants_find_clusters_as_good() {
    let inertias = |settings: &str| -> Vec<f64> {
        let folder = folder();
        let sections = format!("kmeans: {{k: {{from: 2, to: 6}}, {settings}}}\n");
        run(&features_job(&features(), &sections, folder.path()), 2, &RunOptions::default()).unwrap();
        candidates(&folder.path().join("out")).iter().map(|c| c["inertia"].as_f64().unwrap()).collect()
    };
    let lloyd = inertias("seed: 1");
    for (settings, worst) in
        [("start: kmeans||", 1.01), ("algorithm: minibatch, batch_rows: 2000", 1.03), ("algorithm: bisecting", 1.3)]
    {
        for (ours, best) in inertias(settings).iter().zip(&lloyd) {
            assert!(*ours <= best * worst && *ours >= best * 0.999, "{settings}: {ours} beside {best}");
        }
    }
}

#[test]
fn another_way_to_cluster_is_another_result() {
    let folder = folder();
    let mut inertias = Vec::new();
    for settings in
        ["seed: 1", "algorithm: bisecting", "algorithm: minibatch", "algorithm: minibatch, batch_rows: 2000"]
    {
        let sections = format!("kmeans: {{k: 6, {settings}}}\n");
        let outcome = run(&features_job(&features(), &sections, folder.path()), 2, &RunOptions::default()).unwrap();
        let done_again: Vec<&str> = outcome.stages.iter().filter(|s| !s.resumed).map(|s| s.stage.as_str()).collect();
        assert!(done_again.contains(&"kmeans"), "{settings}: {done_again:?}");
        inertias.push(candidates(&folder.path().join("out"))[0]["inertia"].as_f64().unwrap());
    }
    for (i, inertia) in inertias.iter().enumerate() {
        assert!(!inertias[..i].contains(inertia), "{inertias:?}");
    }
}

#[test]
fn a_weight_is_so_many_customers() {
    let folder = folder();
    let n = 300_i64;
    let feature = |seed: i64| {
        move |i: i64| Some(((i * 7919 + seed * 104_729) % 1009) as f64 + 3000.0 * ((i % 3) as f64) * seed as f64)
    };
    let weight = |i: i64| i % 4 + 1;
    let rows: Vec<i64> = (0..n).collect();
    let repeated: Vec<i64> = rows.iter().flat_map(|i| std::iter::repeat_n(*i, weight(*i) as usize)).collect();
    for (name, rows) in [("weighted", &rows), ("repeated", &repeated)] {
        write_parquet(
            &folder.path().join(format!("{name}.parquet")),
            &[
                ("customer_id", ids(0..rows.len() as i64)),
                ("recency", floats(rows.iter().copied().map(feature(1)))),
                ("frequency", floats(rows.iter().copied().map(feature(2)))),
                ("monetary", floats(rows.iter().copied().map(feature(3)))),
                ("customers", floats(rows.iter().map(|i| Some(weight(*i) as f64)))),
            ],
        );
    }
    let of = |name: &str, weight: &str| {
        let text = format!(
            "name: {name}\nsource:\n  tables: {{t: {name}.parquet}}\n  id: customer_id\n  features: [recency, frequency, \
             monetary]\n{weight}outliers: {{method: none}}\nscale: {{method: none}}\nkmeans: {{start: [[0, 0, 0], [3000, 6000, \
             9000], [7000, 9000, 9999]]}}\noutput: {name}\n"
        );
        let job = Job::new(JobSpec::parse(&text, "test.yaml").unwrap(), folder.path());
        run(&job, 2, &RunOptions::default()).unwrap();
        let out = folder.path().join(name);
        let model = json(&out.join("model.json"));
        (candidates(&out).remove(0), numbers(&model["kmeans"]["clusters"][0]["centroid_scaled"]))
    };
    let (weighted, centroid) = of("weighted", "  weight: customers\n");
    let (repeated, same) = of("repeated", "");
    assert_eq!(centroid, same);
    for key in ["inertia", "sizes", "silhouette_squared", "silhouette_simplified_by_cluster", "davies_bouldin"] {
        assert_eq!(weighted[key], repeated[key], "{key}");
    }
    for key in ["silhouette", "calinski_harabasz"] {
        let (one, other) = (weighted[key].as_f64().unwrap(), repeated[key].as_f64().unwrap());
        assert!((one - other).abs() < 1e-9 * other.abs(), "{key}: {one} {other}");
    }
}

#[test]
fn every_rule_is_reported_for_every_k() {
    let folder = folder();
    let spec = cdnow_spec(folder.path(), &[("select: elbow", "select: gap"), ("hdbscan:", "# hdbscan:")]);
    let said = segmenta(&["run", spec.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    let metrics = json(&folder.path().join("out/metrics.json"));
    let kmeans = &metrics["kmeans"];
    assert_eq!(kmeans["selected_by"], "gap");
    let rules: Vec<&str> =
        kmeans["choices"].as_array().unwrap().iter().map(|choice| choice["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["elbow", "silhouette", "calinski_harabasz", "davies_bouldin", "gap"]);
    assert_eq!(kmeans["choices"][4]["k"], kmeans["chosen_k"]);
    let why = kmeans["why"].as_str().unwrap();
    assert!(why.starts_with("the gap statistic takes"), "{why}");
    assert!(said.out.contains(why), "{}", said.out);
    for candidate in kmeans["candidates"].as_array().unwrap() {
        for key in [
            "inertia",
            "elbow_prominence",
            "silhouette",
            "silhouette_squared",
            "silhouette_simplified",
            "calinski_harabasz",
            "davies_bouldin",
            "gap",
            "gap_error",
        ] {
            assert!(candidate[key].is_f64(), "{key} of k = {}", candidate["k"]);
        }
        for key in ["silhouette_by_cluster", "silhouette_squared_by_cluster", "silhouette_simplified_by_cluster"] {
            assert_eq!(numbers(&candidate[key]).len() as u64, candidate["k"].as_u64().unwrap());
        }
    }
}

#[test]
fn a_stratified_sample_comes_near_to_all_rows() {
    let of = |rows: usize| {
        let folder = folder();
        let sections = format!("kmeans: {{k: {{from: 2, to: 8}}}}\nevaluate: {{silhouette_rows: {rows}}}\n");
        let outcome = run(&features_job(&features(), &sections, folder.path()), 2, &RunOptions::default()).unwrap();
        (outcome.evaluated.silhouette_rows, outcome.evaluated.measures)
    };
    let (rows, sampled) = of(3_000);
    let (_, exact) = of(100_000);
    assert!((2_500..3_500).contains(&rows), "{rows}");
    for (sampled, exact) in sampled.iter().zip(&exact) {
        let (mean, error) = (sampled.silhouette.unwrap(), sampled.silhouette_error.unwrap());
        assert!(error > 0.0 && error < 0.01 && exact.silhouette_error == Some(0.0));
        assert!((mean - exact.silhouette.unwrap()).abs() < 4.0 * error, "k = {}: {mean} +- {error}", exact.k);
        for (one, other) in sampled.silhouette_by_cluster.iter().zip(&exact.silhouette_by_cluster) {
            assert!((one.unwrap() - other.unwrap()).abs() < 0.06, "k = {}: {one:?} {other:?}", exact.k);
        }
    }
}

#[test]
fn a_store_for_a_tenth_of_the_points_changes_nothing() {
    let mut found = Vec::new();
    for store in [1 << 30, 20_475 * 24 / 10] {
        let folder = folder();
        let job = features_job(&features(), "kmeans: {k: {from: 2, to: 6}, start: kmeans||}\n", folder.path());
        let (outcome, store) = tokio::runtime::Runtime::new().unwrap().block_on(async {
            let memory = MemoryPlan { pool: 1 << 30, store };
            let cluster = Cluster::embedded(EmbeddedOptions { threads: 2, memory }).await.unwrap();
            let outcome = job.run(&cluster, &RunOptions::default(), &()).await.unwrap();
            (outcome, cluster.store_statistics())
        });
        found.push((table_checksums(&outcome), store));
    }
    assert_eq!(found[0].0, found[1].0);
    let (large, small) = (found[0].1, found[1].1);
    assert!(small.bytes <= 20_475 * 24 / 10 && small.loaded_bytes > 2 * large.loaded_bytes, "{small:?} {large:?}");
    assert!(large.hits > large.misses && large.hit_bytes > large.loaded_bytes, "{large:?}");
}

#[test]
fn a_bisecting_model_sends_new_rows_down_its_tree() {
    let folder = folder();
    let spec = cdnow_spec(
        folder.path(),
        &[("select: elbow", "select: elbow, algorithm: bisecting"), ("hdbscan:", "# hdbscan:")],
    );
    assert_eq!(segmenta(&["run", spec.to_str().unwrap()]).code, 0);
    let out = folder.path().join("out");
    let model = json(&out.join("model.json"));
    let k = model["kmeans"]["k"].as_u64().unwrap() as usize;
    assert_eq!(model["kmeans"]["splits"].as_array().unwrap().len(), k - 1);
    let assigned = read_parquet(&out.join("assignments"));
    let columns = ["recency", "frequency", "monetary"].map(|name| column(&assigned, name));
    let customers: Vec<i64> = by_customer(&assigned, "recency").keys().copied().collect();
    assert_eq!(customers.len(), assigned.num_rows());
    let order = column(&assigned, "customer_id");
    let mut table = vec![("customer_id", ids(order.iter().map(|id| *id as i64)))];
    for (name, values) in ["recency", "frequency", "monetary"].into_iter().zip(columns) {
        table.push((name, floats(values.into_iter().map(Some))));
    }
    write_parquet(&folder.path().join("new.parquet"), &table);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let said = segmenta(&[
        "score",
        "--model",
        &path("out/model.json"),
        "--input",
        &path("new.parquet"),
        "--output",
        &path("scores"),
    ]);
    assert_eq!(said.code, 0, "{}", said.err);
    let scores = read_parquet(&folder.path().join("scores/scores"));
    assert_eq!(by_customer(&scores, "kmeans_cluster"), by_customer(&assigned, "kmeans_cluster"));
    assert_eq!(by_customer(&scores, "kmeans_distance"), by_customer(&assigned, "kmeans_distance"));
}
