//! `segmenta score`: a published model labels new rows.

use std::collections::BTreeMap;
use std::fs;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Float64Type;
use serde_json::Value;

use crate::support::{
    by_customer, cdnow_spec, column, floats, folder, ids, json, read_parquet, root, segmenta, write_parquet,
};

#[test]
fn a_model_labels_new_rows() {
    let folder = folder();
    // Some cells are missing, so that the model can fill cells.
    let gaps = "CASE WHEN customer_id % 50 = 0 THEN NULL ELSE COUNT(*) END    AS frequency";
    let spec = cdnow_spec(
        folder.path(),
        &[
            ("to: 10", "to: 3"),
            ("COUNT(*)                                AS frequency", gaps),
            ("{method: iqr}", "{method: iqr, factor: 1.5, action: drop}"),
            ("{method: standard}", "{method: standard, transform: none}"),
        ],
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
    // The gap is filled from the five nearest of the customers that the job looked among.
    let expected = mean_of_nearest(&read_parquet(&out.join("model/donors")), 2.0, 2.0);
    assert!((by_id("recency")[&(count + 1)] - expected).abs() < 1e-9, "{expected}");
    let manifest = json(&folder.path().join("scores/manifest.json"));
    assert_eq!(manifest["filled_cells"], 1);
    // They are the customers of then, but without those that were cut, nearly all of them for what they spent and how often.
    let drift = |manifest: &Value| -> Vec<(f64, String)> {
        let features = manifest["drift"]["features"].as_array().unwrap().iter();
        features.map(|f| (f["stability_index"].as_f64().unwrap(), f["drift"].as_str().unwrap().to_owned())).collect()
    };
    let before = drift(&manifest);
    assert!(before[0].1 == "stable" && before[0].0 < 0.1 && before[2].1 == "large", "{before:?}");
    let frequency = &manifest["drift"]["features"][1];
    let missing = ["missing_before", "missing_now"].map(|key| frequency[key].as_f64().unwrap());
    assert!((0.019..0.021).contains(&missing[0]) && missing[1] == 0.0, "{frequency}");
    assert_eq!(manifest["drift"]["segments"]["drift"], "stable");
    assert!(manifest["drift"]["segments"]["stability_index"].as_f64().unwrap() < 1e-6);
    assert!(said.out.contains("drift (population stability index): recency 0."), "{}", said.out);
    assert_eq!((manifest["rows"].as_i64(), manifest["outside"].as_i64()), (Some(count + 2), Some(1)));
    let noise = labels.values().filter(|label| **label < 0.0).count();
    assert_eq!(manifest["noise"].as_u64(), Some(noise as u64));

    // The same once more is done already; where a file of it is gone, it is not.
    let published = fs::read(path("scores/manifest.json")).unwrap();
    assert_eq!(score("out/model.json", "new.parquet", "scores").code, 0);
    assert_eq!(fs::read(path("scores/manifest.json")).unwrap(), published);

    // Customers who all came back this month are others than those of then.
    let recent = (0..count).map(|i| Some((i % 30) as f64));
    let mut shifted = table.clone();
    shifted[1].1 = floats(recent.chain([Some(1.0), None]));
    write_parquet(&folder.path().join("shifted.parquet"), &shifted);
    let said = score("out/model.json", "shifted.parquet", "shifted");
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("`recency` (") && said.err.contains("run the job anew"), "{}", said.err);
    let manifest = json(&folder.path().join("shifted/manifest.json"));
    let after = drift(&manifest);
    assert!(after[0].1 == "large" && after[1..] == before[1..], "{after:?}");
    assert_eq!(manifest["drift"]["segments"]["drift"], "large");

    // Raw orders, by the query of the job: its own customers have its own segments.
    let orders = root().join("examples/data/cdnow/*.parquet").display().to_string();
    let given = format!("orders={orders}");
    let by_query = |more: &[&str]| {
        let arguments = ["score", "--model", &path("out"), "--output", &path("by-query")];
        segmenta(&[&arguments, more].concat())
    };
    for (more, message) in [
        (["--table", "orders"], "--table orders: is not a name and a location"),
        (["--table", "sales=x.parquet"], "reads orders, and sales is given"),
    ] {
        let said = by_query(&more);
        assert!(said.code == 2 && said.err.contains(message), "{} {}", said.code, said.err);
    }
    let said = by_query(&["--table", &given, "--csv", &path("scores.csv")]);
    assert_eq!(said.code, 0, "{}", said.err);
    let scores = read_parquet(&folder.path().join("by-query/scores"));
    assert_eq!((scores.num_rows(), fs::read_to_string(path("scores.csv")).unwrap().lines().count()), (23_570, 23_571));
    let (then, now) = (by_customer(&assigned, "kmeans_cluster"), by_customer(&scores, "kmeans_cluster"));
    assert!(then.iter().all(|(id, cluster)| now[id] == *cluster));
    let share = json(&folder.path().join("by-query/manifest.json"))["outside_share"].clone();
    assert!(share["feature"] == "monetary" && (0.5..0.6).contains(&share["share"].as_f64().unwrap()), "{share}");
    assert!(said.out.contains("outside its fences, with 5"), "{}", said.out);

    // What can be wrong.
    fs::write(path("broken.json"), "{\"format\": 1}").unwrap();
    let text = fs::read_to_string(out.join("model.json")).unwrap();
    for (name, from, to) in [
        ("leads-away.json", "\"model/donors/", "\"model/../../elsewhere/"),
        ("many-neighbors.json", "\"neighbors\": 5", "\"neighbors\": 5000000000000"),
        ("no-samples.json", "\"min_samples\": 10", "\"min_samples\": 0"),
    ] {
        assert!(text.contains(from), "{from}");
        fs::write(out.join(name), text.replace(from, to)).unwrap();
    }
    write_parquet(&folder.path().join("short.parquet"), &table[..3]);
    for (model, input, output, message, code) in [
        ("no.json", "new.parquet", "x", "there is no such model", 3),
        ("broken.json", "new.parquet", "x", "is not a model of this version", 3),
        ("out/leads-away.json", "new.parquet", "x", "do not fit together", 3),
        ("out/many-neighbors.json", "new.parquet", "x", "do not fit together", 3),
        ("out/no-samples.json", "new.parquet", "x", "do not fit together", 3),
        ("out/model.json", "none.parquet", "x", "none.parquet", 3),
        ("out/model.json", "short.parquet", "x", "no column `monetary`", 2),
        ("out/model.json", "shifted.parquet", "scores", "holds files already", 2),
        ("out/model.json", "new.parquet", "out", "holds files already", 2),
    ] {
        let said = score(model, input, output);
        assert!(said.code == code && said.err.contains(message), "{} {}", said.code, said.err);
        assert!(!folder.path().join("x/manifest.json").exists());
    }
    let tree = fs::read_dir(out.join("model/tree")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&tree).unwrap();
    let said = score("out/model.json", "new.parquet", "x");
    assert!(said.code == 3 && said.err.contains("model/tree/part-00000-1-"), "{} {}", said.code, said.err);
    assert!(!folder.path().join("x/manifest.json").exists());
}

/// The mean recency of the five donors that are nearest in frequency and monetary value, of those that have a recency.
fn mean_of_nearest(donors: &RecordBatch, frequency: f64, monetary: f64) -> f64 {
    let cells = |name: &str| -> Vec<Option<f64>> {
        donors.column_by_name(name).unwrap().as_primitive::<Float64Type>().iter().collect()
    };
    let (recency, frequencies, monetaries) = (cells("recency"), cells("frequency"), cells("monetary"));
    let mut nearest: Vec<(f64, f64)> = Vec::new();
    for i in 0..donors.num_rows() {
        let terms = [frequencies[i].map(|f| (f - frequency).powi(2)), monetaries[i].map(|m| (m - monetary).powi(2))];
        let shared: Vec<f64> = terms.into_iter().flatten().collect();
        if let (Some(value), false) = (recency[i], shared.is_empty()) {
            let distance = 3.0 / shared.len() as f64 * shared.iter().sum::<f64>();
            nearest.push((distance, value));
        }
    }
    nearest.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Donors at the fifth distance share the places that are left.
    let last = nearest[4].0;
    let of = |keep: &dyn Fn(f64) -> bool| -> Vec<f64> {
        nearest.iter().filter(|(distance, _)| keep(*distance)).map(|(_, value)| *value).collect()
    };
    let (nearer, tied) = (of(&|distance| distance < last), of(&|distance| distance == last));
    let left = 5.0 - nearer.len() as f64;
    (nearer.iter().sum::<f64>() + left * tied.iter().sum::<f64>() / tied.len() as f64) / 5.0
}
