//! Two runs against each other, and segments that keep their numbers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use segmenta_algorithms::hashing::{mix, unit_interval};
use serde_json::Value;

use crate::support::{by_customer, column, floats, folder, ids, json, read_parquet, segmenta, write_parquet};

/// Customers around five centers; those of `away` have moved to the next one, and everybody by `shift`.
fn customers(path: &Path, range: std::ops::Range<i64>, centers: usize, away: impl Fn(i64) -> bool, shift: f64) {
    let random = |i: i64, j: u64| (0..4).map(|k| unit_interval(mix(mix(i as u64) ^ (j << 8 | k)))).sum::<f64>();
    let at = [[0.0, 0.0], [40.0, 0.0], [0.0, 40.0], [40.0, 40.0], [80.0, 80.0]];
    let center = |i: i64| at[((mix(i as u64) as usize) % centers + usize::from(away(i))) % centers];
    let cell = |i: i64, j: usize| Some(100.0 + shift + center(i)[j] + 3.0 * random(i, j as u64));
    let columns = [
        ("customer_id", ids(range.clone())),
        ("visits", floats(range.clone().map(|i| cell(i, 0)))),
        ("spend", floats(range.map(|i| cell(i, 1)))),
    ];
    fs::create_dir_all(path).unwrap();
    write_parquet(&path.join("a.parquet"), &columns);
}

/// Runs a job over the customers of a week, and says where it has published.
fn week(folder: &Path, name: &str, k: usize, more: &str) -> String {
    let spec = format!(
        "name: {name}\nsource:\n  tables: {{customers: {name}}}\n  id: customer_id\n  features: [visits, spend]\noutliers: \
         {{method: none}}\nkmeans: {{k: {k}, seed: {k}}}\n{more}output: out-{name}\n"
    );
    let path = folder.join(format!("{name}.yaml"));
    fs::write(&path, spec).unwrap();
    let said = segmenta(&["run", path.to_str().unwrap(), "--quiet"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(said.err, "", "--quiet says nothing of progress");
    folder.join(format!("out-{name}")).display().to_string()
}

fn compare(old: &str, new: &str) -> Value {
    let said = segmenta(&["compare", old, new, "--json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    serde_json::from_str(&said.out).unwrap()
}

#[test]
fn a_run_against_itself_has_not_changed() {
    let folder = folder();
    customers(&folder.path().join("a"), 0..1_000, 4, |_| false, 0.0);
    let a = week(folder.path(), "a", 4, "hierarchy: {clusters: 4}\nhdbscan: {min_cluster_size: 50}\n");
    let found = compare(&a, &a);
    assert_eq!((&found["common"], &found["appeared"], &found["gone"]), (&1_000.into(), &0.into(), &0.into()));
    let clusterings = found["clusterings"].as_array().unwrap();
    assert_eq!(clusterings.len(), 3);
    for clustering in clusterings {
        assert_eq!((&clustering["stayed"], &clustering["adjusted_rand_index"]), (&1.0.into(), &1.0.into()));
        let pairs = clustering["segments"].as_array().unwrap();
        assert!(pairs.len() == 4 && pairs.iter().all(|pair| pair["old"] == pair["new"] && pair["score"] == 1.0));
    }
    assert!(found["features"].as_array().unwrap().iter().all(|feature| feature["stability_index"] == 0.0));
}

#[test]
fn who_moved_and_what_drifted_is_counted() {
    let folder = folder();
    customers(&folder.path().join("a"), 0..2_000, 4, |_| false, 0.0);
    // A tenth has moved on, 200 are gone, 300 are new.
    customers(&folder.path().join("b"), 200..2_300, 4, |i| i % 10 == 0, 0.0);
    let (a, b) = (week(folder.path(), "a", 4, ""), week(folder.path(), "b", 4, ""));
    let found = compare(&a, &b);
    assert_eq!((&found["common"], &found["appeared"], &found["gone"]), (&1_800.into(), &300.into(), &200.into()));
    let kmeans = &found["clusterings"][0];
    assert_eq!(kmeans["stayed"], 0.9);
    // By hand, from the two tables.
    let of = |out: &str| by_customer(&read_parquet(&Path::new(out).join("assignments")), "kmeans_cluster");
    let (then, now) = (of(&a), of(&b));
    let mut expected: BTreeMap<(i64, i64), u64> = BTreeMap::new();
    for (id, before) in &then {
        if let Some(after) = now.get(id) {
            *expected.entry((*before as i64, *after as i64)).or_default() += 1;
        }
    }
    let label = |place: &Value| place["segment"].as_i64();
    let moves = kmeans["moves"].as_array().unwrap().iter();
    let moves: BTreeMap<(i64, i64), u64> = moves
        .filter_map(|m| Some(((label(&m["from"])?, label(&m["to"])?), m["customers"].as_u64().unwrap())))
        .collect();
    assert_eq!(moves, expected);
    let words = segmenta(&["compare", &a, &b]).out;
    assert!(words.contains("1,800 customers are in both, 300 appeared, 200 are gone"), "{words}");
    assert!(words.contains("90.0 % stayed in their segment"), "{words}");

    // Without a customer in common it is the means that tell which segments are the same, and with a shift that features drifted.
    customers(&folder.path().join("c"), 5_000..7_000, 4, |_| false, 0.0);
    let c = week(folder.path(), "c", 4, "");
    let found = compare(&a, &c);
    assert_eq!((&found["common"], &found["clusterings"][0]["stayed"]), (&0.into(), &Value::Null));
    let pairs = found["clusterings"][0]["segments"].as_array().unwrap();
    assert!(pairs.len() == 4 && pairs.iter().all(|pair| pair["score"].as_f64().unwrap() > 0.9), "{pairs:?}");
    customers(&folder.path().join("d"), 0..2_000, 4, |_| false, 25.0);
    let d = week(folder.path(), "d", 4, "");
    let found = compare(&a, &d);
    assert!(found["features"].as_array().unwrap().iter().all(|feature| feature["drift"] == "large"));
}

#[test]
fn segments_keep_their_numbers_from_week_to_week() {
    let folder = folder();
    customers(&folder.path().join("a"), 0..1_000, 4, |_| false, 0.0);
    customers(&folder.path().join("b"), 0..1_500, 5, |_| false, 0.0);
    customers(&folder.path().join("c"), 3_000..4_000, 4, |_| false, 1.0);
    let a = week(folder.path(), "a", 4, "");
    let b = week(folder.path(), "b", 5, &format!("previous: {a}\n"));
    let c = week(folder.path(), "c", 4, &format!("previous: {b}\n"));
    // Where each segment lies, by its number.
    let places = |out: &str| -> BTreeMap<i64, (i64, i64)> {
        let model = json(&Path::new(out).join("model.json"));
        let clusters = model["kmeans"]["clusters"].as_array().unwrap().iter();
        let near = |value: &Value| (value.as_f64().unwrap() / 40.0).round() as i64;
        clusters.map(|c| (c["cluster"].as_i64().unwrap(), (near(&c["centroid"][0]), near(&c["centroid"][1])))).collect()
    };
    let (in_a, in_b, in_c) = (places(&a), places(&b), places(&c));
    assert_eq!(in_b.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert!(in_a.iter().all(|(number, place)| in_b[number] == *place), "{in_a:?} {in_b:?}");
    assert_eq!(in_c, in_a, "the fifth is gone, the others are where they were");
    // The tables have the same numbers as the model, and so have scores.
    for (out, places) in [(&b, &in_b), (&c, &in_c)] {
        let assigned = read_parquet(&Path::new(out).join("assignments"));
        let clusters = column(&assigned, "kmeans_cluster");
        let (visits, spend) = (column(&assigned, "visits"), column(&assigned, "spend"));
        for i in 0..assigned.num_rows() {
            let near = ((visits[i] / 40.0).round() as i64, (spend[i] / 40.0).round() as i64);
            assert_eq!(places[&(clusters[i] as i64)], near);
        }
        let segments = read_parquet(&Path::new(out).join("segments.parquet"));
        assert_eq!(column(&segments, "cluster"), places.keys().map(|n| *n as f64).collect::<Vec<_>>());
        let scores = folder.path().join(format!("scores-{}", out.len() + places.len()));
        let model = format!("{out}/model.json");
        let input = folder.path().join("a/a.parquet");
        let said = segmenta(&[
            "score",
            "--model",
            &model,
            "--input",
            input.to_str().unwrap(),
            "--output",
            scores.to_str().unwrap(),
        ]);
        assert_eq!(said.code, 0, "{}", said.err);
        let scored = by_customer(&read_parquet(&scores.join("scores")), "kmeans_cluster");
        let own = by_customer(&read_parquet(&Path::new(&a).join("assignments")), "kmeans_cluster");
        assert_eq!(scored, own, "the customers of the first week are in the segments of these numbers");
    }
}

#[test]
fn a_previous_run_that_is_none() {
    let folder = folder();
    customers(&folder.path().join("a"), 0..300, 4, |_| false, 0.0);
    let a = week(folder.path(), "a", 4, "");
    let refused = |previous: &str, features: &str, why: &str| {
        let spec = format!(
            "name: z\nsource:\n  tables: {{customers: a}}\n  id: customer_id\n  features: {features}\nprevious: {previous}\noutput: out-z\n"
        );
        let path = folder.path().join("z.yaml");
        fs::write(&path, spec).unwrap();
        for command in ["check", "run"] {
            let said = segmenta(&[command, path.to_str().unwrap()]);
            assert!(said.code == 2 && said.err.contains(why), "{command}: {}: {}", said.code, said.err);
        }
        assert!(!folder.path().join("out-z").exists(), "nothing is written");
    };
    refused("nowhere", "[visits, spend]", "there is no model; name the output of an earlier run");
    refused("out-z", "[visits, spend]", "is where this job publishes");
    refused(&a, "[spend]", "its features are visits, spend, not spend");
    for arguments in [["compare", &a, "nowhere"], ["compare", "nowhere", &a]] {
        let said = segmenta(&arguments);
        assert!(said.code == 3 && said.err.contains("there is no manifest.json"), "{}", said.err);
    }
}
