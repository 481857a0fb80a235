//! The examples, typed as a user types them.

use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};

use crate::support::{
    cdnow_spec, column, floats, folder, ids, json, read_parquet, root, segmenta, texts, write_parquet,
};

#[test]
fn the_main_job() {
    let folder = folder();
    let spec = cdnow_spec(folder.path(), &[]);
    let spec = spec.to_str().unwrap();
    let said = segmenta(&["run", spec]);
    assert_eq!(said.code, 0, "{}", said.err);
    for expected in ["VIP", "Infrequent", "recency", "23,570 customers", "k = 4: ", "published: "] {
        assert!(said.out.contains(expected), "no `{expected}` in:\n{}", said.out);
    }
    for stage in
        ["extract", "impute", "transform", "outliers", "scale", "kmeans", "hdbscan", "evaluate", "profile", "publish"]
    {
        let lines = said.err.lines().filter(|line| line.contains(&format!("stage=\"{stage}\""))).count();
        assert_eq!(lines, 1, "{stage}:\n{}", said.err);
    }

    let out = folder.path().join("out");
    let (kept, rejected) = (read_parquet(&out.join("assignments")), read_parquet(&out.join("rejected")));
    assert_eq!(kept.num_rows(), 23_570, "every customer is in a segment");
    let names: Vec<String> = kept.schema().fields().iter().map(|field| field.name().clone()).collect();
    let expected = "customer_id recency frequency monetary tenure recency_imputed frequency_imputed monetary_imputed \
                    outlier outlier_rule outlier_feature outlier_value outlier_fence_low outlier_fence_high \
                    kmeans_cluster kmeans_label kmeans_distance hdbscan_cluster hdbscan_probability hdbscan_outlier_score";
    assert_eq!(names.join(" "), expected);
    let (assigned_columns, ids) = (expected, column(&kept, "customer_id"));
    let names: Vec<String> = rejected.schema().fields().iter().map(|field| field.name().clone()).collect();
    let expected = "customer_id recency frequency monetary tenure recency_imputed frequency_imputed monetary_imputed rule \
                    feature value fence_low fence_high";
    assert_eq!(names.join(" "), expected);

    // The tables agree with each other and with the documents.
    let segments = read_parquet(&out.join("segments.parquet"));
    let clusters = column(&kept, "kmeans_cluster");
    let recency = column(&kept, "recency");
    let algorithms = segments.column_by_name("algorithm").unwrap().as_string::<i32>();
    let of_kmeans = algorithms.iter().take_while(|algorithm| *algorithm == Some("kmeans")).count();
    for (row, cluster) in column(&segments, "cluster")[..of_kmeans].iter().enumerate() {
        let of_cluster: Vec<f64> =
            clusters.iter().zip(&recency).filter(|(c, _)| *c == cluster).map(|(_, value)| *value).collect();
        assert_eq!(column(&segments, "size")[row], of_cluster.len() as f64);
        let (named, name) = (texts(&kept, "kmeans_label"), &texts(&segments, "label")[row]);
        assert!(name.is_some() && clusters.iter().zip(&named).all(|(c, named)| (c == cluster) == (named == name)));
        let mean = of_cluster.iter().sum::<f64>() / of_cluster.len() as f64;
        assert!((column(&segments, "recency_mean")[row] - mean).abs() < 1e-9);
        let mut sorted = of_cluster;
        sorted.sort_by(f64::total_cmp);
        let middle = (sorted.len() - 1) as f64 / 2.0;
        let median = f64::midpoint(sorted[middle.floor() as usize], sorted[middle.ceil() as usize]);
        assert!((column(&segments, "recency_p50")[row] - median).abs() < 1e-9);
    }
    let metrics = json(&out.join("metrics.json"));
    assert_eq!(metrics["rows"]["assigned"], kept.num_rows());
    assert_eq!(metrics["rows"]["rejected"], rejected.num_rows());
    assert_eq!(metrics["rows"]["outliers"], rejected.num_rows());
    let is_outlier = column(&kept, "outlier");
    assert_eq!(is_outlier.iter().sum::<f64>(), rejected.num_rows() as f64);
    // No fence takes the best away: the highest segment has nearly all of the customers who spent most, and most of the money.
    let spent = column(&kept, "monetary");
    let mut most: Vec<usize> = (0..spent.len()).collect();
    most.sort_by(|a, b| spent[*b].total_cmp(&spent[*a]));
    let names = texts(&kept, "kmeans_label");
    let vip = most[..236].iter().filter(|row| names[**row].as_deref() == Some("VIP")).count();
    assert!(vip >= 230, "{vip} of the 236 who spent most");
    let shares: Vec<f64> = column(&segments, "monetary_share")[..of_kmeans].to_vec();
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{shares:?}");
    assert!(shares.iter().any(|share| *share > 0.5), "{shares:?}");
    assert_eq!(metrics["kmeans"]["candidates"].as_array().unwrap().len(), 9);
    assert_eq!(metrics["kmeans"]["chosen_k"], 4);
    // The sweep shares its passes: the sample, one for each step of the slowest k, and the last assignment.
    let candidates = metrics["kmeans"]["candidates"].as_array().unwrap();
    let slowest = candidates.iter().map(|candidate| candidate["iterations"].as_u64().unwrap()).max().unwrap();
    assert_eq!(metrics["kmeans"]["passes"].as_u64().unwrap(), slowest + 2);
    let manifest = json(&out.join("manifest.json"));
    assert_eq!(manifest["inputs"].as_array().unwrap().len(), 4);
    for output in manifest["outputs"].as_array().unwrap() {
        let bytes = fs::metadata(out.join(output["path"].as_str().unwrap())).unwrap().len();
        assert_eq!(output["bytes"], bytes);
    }

    // What was set aside, in money: the sum of what each spent, exact in cents.
    let sum = |rows: &[f64]| rows.iter().sum::<f64>();
    let (all, aside) = (sum(&spent), sum(&column(&rejected, "monetary")));
    let share = format!(
        "outliers, set aside from the fit: {}, with {:.1} % of all monetary",
        rejected.num_rows(),
        100.0 * aside / all
    );
    assert!(said.out.contains(&share), "no `{share}` in:\n{}", said.out);

    // A second run has nothing left to do, and says so; a spreadsheet gets what is published.
    let again = segmenta(&["run", spec]);
    assert_eq!((again.code, &again.out), (0, &said.out));
    let csv = folder.path().join("customers.csv");
    let written = segmenta(&["run", spec, "--csv", csv.to_str().unwrap()]);
    assert!(written.out.contains("23,570 customers written to"), "{}", written.out);
    let text = fs::read_to_string(&csv).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (1 + kept.num_rows(), assigned_columns.replace(' ', ",").as_str()));
    let name = texts(&kept, "kmeans_label")[0].clone().unwrap();
    assert!(lines[1].starts_with(&format!("{},", ids[0])) && lines[1].contains(&name), "{}", lines[1]);
    assert_eq!(again.err.matches("resumed=true").count(), 10, "{}", again.err);
    let fresh = segmenta(&["run", spec, "--fresh"]);
    assert_eq!((fresh.code, &fresh.out), (0, &said.out));
    assert_eq!(fresh.err.matches("resumed=false").count(), 10, "{}", fresh.err);
}

#[test]
fn generated_customers() {
    let folder = folder();
    let data = folder.path().join("data");
    let said = segmenta(&["generate", "--rows", "20000", "--shards", "4", data.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    let said = segmenta(&["generate", "--rows", "10", data.to_str().unwrap()]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("--overwrite"), "{}", said.err);

    let text = fs::read_to_string(root().join("examples/customers.yaml")).unwrap();
    let text = text.replace("../runs/data/customers", "data").replace("../runs/customers", "out");
    let spec = folder.path().join("customers.yaml");
    fs::write(&spec, text).unwrap();
    let said = segmenta(&["run", spec.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    let metrics = json(&folder.path().join("out/metrics.json"));
    for feature in metrics["features"].as_array().unwrap() {
        assert_eq!(feature["imputed"], feature["missing"]);
        assert!(feature["missing"].as_u64().unwrap() > 500, "{feature}");
        assert!(feature["cut_as_outlier"].as_u64().unwrap() > 5, "{feature}");
    }
    for label in ["VIP", "Regular", "Infrequent"] {
        assert!(said.out.contains(label), "{}", said.out);
    }
}

#[test]
fn features_without_a_role_get_no_label() {
    let folder = folder();
    let spec = cdnow_spec(
        folder.path(),
        &[
            ("AS recency", "AS days"),
            ("AS frequency", "AS orders"),
            ("AS monetary", "AS spend"),
            ("[recency, frequency, monetary]", "[days, orders, spend]"),
            ("{from: 2, to: 10}", "3"),
            ("{recency: days, frequency: orders, monetary: USD}", "{spend: USD}"),
            (", tenure: tenure", ""),
        ],
    );
    let said = segmenta(&["run", spec.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("spend") && !said.out.contains("VIP"), "{}", said.out);
    let segments = read_parquet(&folder.path().join("out/segments.parquet"));
    assert_eq!(segments.column_by_name("label").unwrap().null_count(), segments.num_rows());

    let text = fs::read_to_string(&spec).unwrap();
    fs::write(&spec, text.replace("{units: ", "{recency: days, monetary: spend, units: ")).unwrap();
    let said = segmenta(&["run", spec.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    // Only the labels had to be made.
    assert_eq!(said.err.matches("resumed=true").count(), 8, "{}", said.err);
    let segments = read_parquet(&folder.path().join("out/segments.parquet"));
    // Neither the noise nor the clusters of HDBSCAN are named.
    assert_eq!(segments.column_by_name("label").unwrap().null_count(), segments.num_rows() - 3);
}

#[test]
fn check_prints_the_plan() {
    let spec = root().join("examples/cdnow.yaml");
    let said = segmenta(&["check", spec.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    for expected in
        ["4 shards, 69,659 rows", "order_date Date32", "1. extract", "k = 2..10, all in each pass", "10. publish"]
    {
        assert!(said.out.contains(expected), "no `{expected}` in:\n{}", said.out);
    }
}

#[test]
fn ids_of_text_and_several_columns_in_a_folder_with_an_awkward_name() {
    let folder = folder();
    let data = folder.path().join("my data, 100%3A [new]");
    fs::create_dir(&data).unwrap();
    let n = 40;
    for shop in ["north", "south"] {
        let shops: ArrayRef = Arc::new(StringArray::from(vec![shop; n]));
        let names: ArrayRef = Arc::new((0..n).map(|i| Some(format!("kunde {i}"))).collect::<StringArray>());
        let spend = floats((0..n).map(|i| Some((i % 4 * 100 + i) as f64)));
        write_parquet(
            &data.join(format!("{shop}.parquet")),
            &[("Shop", shops), ("name", names), ("Total Spend", spend)],
        );
    }
    let spec = folder.path().join("job.yaml");
    let source =
        "source: {tables: {t: 'my data, 100%3A [[]new]/*.parquet'}, id: [Shop, name], features: Total Spend}\n";
    fs::write(&spec, format!("name: shops\n{source}kmeans: {{k: 4}}\noutput: 'out put'\n")).unwrap();
    let said = segmenta(&["run", spec.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    let assignments = read_parquet(&folder.path().join("out put/assignments"));
    assert_eq!(assignments.num_rows(), 2 * n);
    assert_eq!(assignments.schema().field(0).name(), "Shop");
    // The folder itself is a location too, and so is one file of it.
    let text = fs::read_to_string(&spec).unwrap();
    for location in ["my data, 100%3A [new]", "my data, 100%3A [new]/south.parquet"] {
        let rows = if location.ends_with("parquet") { n } else { 2 * n };
        fs::write(&spec, text.replace("my data, 100%3A [[]new]/*.parquet", location)).unwrap();
        let said = segmenta(&["check", spec.to_str().unwrap()]);
        assert!(said.out.contains(&format!("{rows} rows")), "{location}: {}{}", said.out, said.err);
    }
}

#[test]
fn with_little_memory_the_tables_are_the_same() {
    let published = |arguments: &[&str]| {
        let folder = folder();
        let spec = cdnow_spec(folder.path(), &[]);
        let said = segmenta(&[&["run", spec.to_str().unwrap()], arguments].concat());
        assert_eq!(said.code, 0, "{}", said.err);
        let manifest = json(&folder.path().join("out/manifest.json"));
        let tables = manifest["outputs"].as_array().unwrap().iter().filter(|output| !output["rows"].is_null());
        tables.map(|output| (output["name"].to_string(), output["sha256"].to_string())).collect::<Vec<_>>()
    };
    assert_eq!(published(&["--memory", "300MiB"]), published(&[]));
}

/// A shop that everybody comes to every week or every month, with a tenure that is no feature and words of its own.
#[test]
fn customers_who_come_all_the_time_are_not_given_up() {
    let folder = folder();
    // Days between two orders, by kind of customer.
    let intervals = [3.0, 7.0, 28.0];
    let of = |i: i64| intervals[(i % 3) as usize];
    // How long ago the last order was, spread evenly over two intervals.
    let silence = |i: i64| of(i) * (i / 3 % 20) as f64 / 10.0;
    let columns = [
        ("id", ids(0..900)),
        ("recency", floats((0..900).map(|i| Some(silence(i))))),
        ("frequency", floats((0..900).map(|i| Some(((365.0 - silence(i)) / of(i)).round() + 1.0)))),
        ("monetary", floats((0..900).map(|i| Some(3_000.0 / of(i) + (i % 7) as f64)))),
        ("tenure", floats((0..900).map(|i| (i % 50 != 0).then_some(365.0)))),
    ];
    write_parquet(&folder.path().join("t.parquet"), &columns);
    let spec = folder.path().join("job.yaml");
    let text = "name: weekly\nsource: {tables: {t: t.parquet}, id: id, features: [recency, frequency, monetary]}\n\
                kmeans: {k: 3}\nprofile:\n  tenure: tenure\n  labels:\n    VIP: {name: Stammkunden, action: Zum Empfang einladen.}\n    \
                Infrequent: {name: Seltene}\noutput: out\n";
    fs::write(&spec, text).unwrap();
    let said = segmenta(&["run", spec.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("Stammkunden: Zum Empfang einladen."), "{}", said.out);
    let out = folder.path().join("out");
    let segments = read_parquet(&out.join("segments.parquet"));
    let known = |name: &str| texts(&segments, name).into_iter().flatten().collect::<Vec<_>>();
    let (kinds, names) = (known("label_kind"), known("label"));
    assert_eq!(kinds.len(), 3);
    assert!(
        kinds.iter().all(|kind| !["At risk", "Hibernating", "Lost", "Lapsed"].contains(&kind.as_str())),
        "{kinds:?}"
    );
    let own = |kind: &str| names[kinds.iter().position(|known| known == kind).unwrap()].clone();
    assert_eq!((own("VIP"), own("Infrequent")), ("Stammkunden".to_owned(), "Seltene".to_owned()));
    let assigned = read_parquet(&out.join("assignments"));
    let labelled = texts(&assigned, "kmeans_label");
    assert_eq!(labelled.iter().filter(|name| name.as_deref() == Some("Stammkunden")).count(), 300);
    assert_eq!(assigned.column_by_name("tenure").unwrap().null_count(), 18);

    // The same table a year later: nobody has come since, and whoever came most is missed most.
    let later = text.replace(
        "{tables: {t: t.parquet}, id: id",
        "{tables: {t: t.parquet}, sql: 'SELECT id, recency + 365 AS recency, frequency, monetary, tenure + 365 AS tenure FROM t', id: id",
    );
    fs::write(&spec, later.replace("output: out", "output: later")).unwrap();
    let said = segmenta(&["run", spec.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    let kinds = texts(&read_parquet(&folder.path().join("later/segments.parquet")), "label_kind");
    assert!(kinds.contains(&Some("At risk".to_owned())), "{kinds:?}");
    assert!(!kinds.contains(&Some("VIP".to_owned())), "{kinds:?}");

    for (from, to, why) in [
        ("Infrequent:", "Rare:", "is no label"),
        ("{name: Seltene}", "{name: Stammkunden}", "has the same name as `VIP`"),
        ("{name: Seltene}", "{}", "needs a `name`, an `action` or both"),
        ("tenure: tenure", "tenure: id", "`id` is an id or a weight"),
        ("tenure: tenure", "tenure: age", "there is no column `age`"),
    ] {
        fs::write(&spec, text.replace(from, to)).unwrap();
        let said = segmenta(&["check", spec.to_str().unwrap()]);
        assert!(said.code != 0 && said.err.contains(why), "{to}: {}", said.err);
    }
}
