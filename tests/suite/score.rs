//! `segmenta score`: a published model labels new rows.

use std::collections::BTreeMap;
use std::fs;

use datafusion::arrow::array::AsArray;

use crate::support::{
    by_customer, cdnow_spec, column, floats, folder, ids, json, read_parquet, segmenta, write_parquet,
};

#[test]
fn a_model_labels_new_rows() {
    let folder = folder();
    // Some cells are missing, so that the model can fill cells.
    let gaps = "CASE WHEN customer_id % 50 = 0 THEN NULL ELSE COUNT(*) END    AS frequency";
    let spec = cdnow_spec(
        folder.path(),
        &[("to: 10", "to: 3"), ("COUNT(*)                                AS frequency", gaps)],
    );
    let said = segmenta(&["run", spec.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    let out = folder.path().join("out");
    let assigned = read_parquet(&out.join("assignments"));

    // The customers themselves, one without a recency and one far outside.
    let features = ["recency", "frequency", "monetary"];
    let mut columns: Vec<Vec<Option<f64>>> =
        features.iter().map(|name| column(&assigned, name).into_iter().map(Some).collect()).collect();
    let count = columns[0].len() as i64;
    for (column, value) in columns.iter_mut().zip([1.0, 1.0, 1e6]) {
        column.extend([Some(value), Some(2.0)]);
    }
    columns[0][count as usize + 1] = None;
    let mut table = vec![("customer_id", ids(0..count + 2))];
    table.extend(features.iter().zip(&columns).map(|(name, column)| (*name, floats(column.clone()))));
    write_parquet(&folder.path().join("new.parquet"), &table);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let score = |model: &str, input: &str, output: &str| {
        segmenta(&["score", "--model", &path(model), "--input", &path(input), "--output", &path(output)])
    };
    let said = score("out/model.json", "new.parquet", "scores");
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("customers scored") && said.out.contains("1 outside its fences"), "{}", said.out);
    assert!(said.err.contains("1 missing cells were filled"), "{}", said.err);

    let scores = read_parquet(&folder.path().join("scores/scores"));
    assert_eq!(scores.num_rows() as i64, count + 2);
    let by_id = |name: &str| -> BTreeMap<i64, f64> { by_customer(&scores, name) };
    let (clusters, distances) = (by_id("kmeans_cluster"), by_id("kmeans_distance"));
    let (labels, probabilities) = (by_id("hdbscan_cluster"), by_id("hdbscan_probability"));
    let known = |name: &str| column(&assigned, name);
    let mut same = 0;
    for (i, ((cluster, distance), label)) in
        (0..).zip(known("kmeans_cluster").iter().zip(known("kmeans_distance")).zip(known("hdbscan_cluster")))
    {
        assert_eq!((clusters[&i], distances[&i]), (*cluster, distance));
        same += i64::from(labels[&i] == label);
        assert!((0.0..=1.0).contains(&probabilities[&i]));
    }
    // A row at the edge of a cluster may be drawn to a neighbour.
    assert!(same * 100 >= count * 98, "{same} of {count} rows keep their density cluster");
    let outside = scores.column_by_name("outside").unwrap().as_string::<i32>();
    let named: Vec<&str> = outside.iter().flatten().collect();
    assert_eq!(named, ["monetary"]);
    assert_eq!(labels[&count], -1.0);
    let fill = json(&out.join("model.json"))["impute"]["fill"][0].as_f64().unwrap();
    assert_eq!(by_id("recency")[&(count + 1)], fill);
    let manifest = json(&folder.path().join("scores/manifest.json"));
    assert_eq!((manifest["rows"].as_i64(), manifest["outside"].as_i64()), (Some(count + 2), Some(1)));
    let noise = labels.values().filter(|label| **label < 0.0).count();
    assert_eq!(manifest["noise"].as_u64(), Some(noise as u64));

    // What can be wrong.
    fs::write(path("broken.json"), "{\"format\": 1}").unwrap();
    write_parquet(&folder.path().join("short.parquet"), &table[..3]);
    for (model, input, output, message, code) in [
        ("no.json", "new.parquet", "x", "there is no such model", 3),
        ("broken.json", "new.parquet", "x", "is not a model of this version", 3),
        ("out/model.json", "none.parquet", "x", "none.parquet", 3),
        ("out/model.json", "short.parquet", "x", "no column `monetary`", 2),
        ("out/model.json", "new.parquet", "scores", "holds files already", 2),
        ("out/model.json", "new.parquet", "out", "holds files already", 2),
    ] {
        let said = score(model, input, output);
        assert!(said.code == code && said.err.contains(message), "{} {}", said.code, said.err);
        assert!(!folder.path().join("x/manifest.json").exists());
    }
    fs::remove_file(out.join("model/tree/part-00000.parquet")).unwrap();
    let said = score("out/model.json", "new.parquet", "x");
    assert!(said.code == 3 && said.err.contains("model/tree/part-00000.parquet"), "{} {}", said.code, said.err);
    assert!(!folder.path().join("x/manifest.json").exists());
}
