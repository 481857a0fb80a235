//! Generated customers: features, raw orders, skew, drift, stores, and what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use segmenta_algorithms::hashing::hash_bytes;
use serde_json::Value;

use crate::support::{by_customer, customers, folder, json, read_parquet, segmenta};

fn generate(arguments: &[&str]) -> Value {
    let said = segmenta(&[&["generate", "--json"], arguments].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    serde_json::from_str(&said.out).unwrap()
}

/// Name and content of each file.
fn files(folder: &Path) -> BTreeMap<String, u64> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    files.map(|file| (file.file_name().into_string().unwrap(), hash_bytes(&fs::read(file.path()).unwrap()))).collect()
}

/// Runs a spec over data that lie beside it, and returns its output.
fn run(folder: &Path, name: &str, source: &str, sections: &str) -> std::path::PathBuf {
    let spec = folder.join(format!("{name}.yaml"));
    fs::write(&spec, format!("name: {name}\nsource:\n{source}{sections}output: out-{name}\n")).unwrap();
    let said = segmenta(&["run", spec.to_str().unwrap(), "--quiet"]);
    assert_eq!(said.code, 0, "{}", said.err);
    folder.join(format!("out-{name}"))
}

const OF_FEATURES: &str = "  id: customer_id\n  features: [recency, frequency, monetary]\n";

const OF_ORDERS: &str = "  tables: {orders: orders/*.parquet}
  sql: |
    SELECT customer_id, DATE '2026-07-01' - MAX(order_date) AS recency, COUNT(*) AS frequency, SUM(amount) AS monetary
    FROM orders GROUP BY customer_id
  id: customer_id
  features: [recency, frequency, monetary]
";

#[test]
fn threads_and_the_way_to_write_change_no_byte() {
    let here = folder();
    for schema in ["features", "orders"] {
        let common = ["--schema", schema, "--rows", "3000", "--shards", "5", "--shard-skew", "1"];
        let place = |name: &str| here.path().join(format!("{schema}-{name}"));
        let (one, four, url) = (place("one"), place("four"), place("url"));
        let made = generate(&[&common[..], &["--threads", "1", one.to_str().unwrap()]].concat());
        assert_eq!((made["customers"].as_u64(), made["shards"].as_u64()), (Some(3_000), Some(5)));
        generate(&[&common[..], &["--threads", "4", four.to_str().unwrap()]].concat());
        generate(&[&common[..], &[&format!("file://{}", url.display())]].concat());
        let expected = files(&one);
        assert_eq!(expected.len(), 5);
        assert_eq!((&files(&four), &files(&url)), (&expected, &expected));
        let bytes: u64 = fs::read_dir(&one).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert_eq!(made["bytes"].as_u64(), Some(bytes));
        assert_eq!(made["rows"].as_u64(), Some(read_parquet(&one).num_rows() as u64));
    }
}

/// The query over raw orders gives the features of the same seed, and the program finds the behaviours in them.
#[test]
fn orders_add_up_to_features_and_can_be_segmented() {
    let here = folder();
    let (orders, features) = (here.path().join("orders"), here.path().join("features"));
    let rows = ["--rows", "4000", "--shards", "3"];
    generate(&[&rows[..], &["--schema", "orders", orders.to_str().unwrap()]].concat());
    generate(&[&rows[..], &[features.to_str().unwrap()]].concat());
    let sections = "outliers: {method: none}\nimpute: {method: median}\nkmeans: {k: 3}\n";
    let out = run(here.path(), "orders", OF_ORDERS, sections);
    let (given, found) = (read_parquet(&features), read_parquet(&out.join("assignments")));
    for feature in ["recency", "frequency", "monetary"] {
        let found = by_customer(&found, feature);
        let given = by_customer(&given, feature);
        assert_eq!(found.len(), given.len());
        let differ = given.iter().filter(|(id, value)| !value.is_nan() && found[id] != **value);
        assert_eq!(differ.collect::<Vec<_>>(), vec![], "{feature}");
    }
    let metrics = json(&out.join("metrics.json"));
    let missing: Vec<u64> =
        metrics["features"].as_array().unwrap().iter().map(|feature| feature["missing"].as_u64().unwrap()).collect();
    assert!(missing[0] > 100 && missing[1] == 0 && missing[2] > 100, "{missing:?}");

    let skewed = here.path().join("skewed");
    let made = generate(
        &[&rows[..], &["--schema", "orders", "--orders-per-customer", "8", "--skew", "0.8", skewed.to_str().unwrap()]]
            .concat(),
    );
    let mean = made["rows"].as_f64().unwrap() / 4_000.0;
    assert!((4.0..16.0).contains(&mean), "{mean} orders a customer");
    let mut counts = BTreeMap::<i64, usize>::new();
    customers(&read_parquet(&skewed)).into_iter().for_each(|id| *counts.entry(id).or_default() += 1);
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let top: usize = counts[..40].iter().sum();
    let share = top as f64 / made["rows"].as_f64().unwrap();
    assert!(counts.len() == 4_000 && share > 0.25, "the top hundredth has {share} of {}", made["rows"]);
}

/// Two periods, as `compare` sees them.
#[test]
fn drift_is_what_compare_measures() {
    let here = folder();
    for period in ["1", "2"] {
        let data = here.path().join(period);
        let share = ["--missing-share", "0", "--outlier-share", "0", "--background-share", "0"];
        let drift = ["--rows", "20000", "--shards", "2", "--drift", "0.1", "--period", period, data.to_str().unwrap()];
        generate(&[&share[..], &drift].concat());
    }
    let out = ["1", "2"].map(|period| {
        let source = format!("  tables: {{customers: {period}/*.parquet}}\n{OF_FEATURES}");
        run(here.path(), &format!("p{period}"), &source, "outliers: {method: none}\nkmeans: {k: 3}\n")
    });
    let said = segmenta(&["compare", out[0].to_str().unwrap(), out[1].to_str().unwrap(), "--json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let found: Value = serde_json::from_str(&said.out).unwrap();
    let (appeared, gone) = (found["appeared"].as_u64().unwrap(), found["gone"].as_u64().unwrap());
    assert!(appeared == gone && (900..1_100).contains(&gone), "{appeared} appeared, {gone} left");
    let stayed = found["clusterings"][0]["stayed"].as_f64().unwrap();
    assert!((stayed - 0.9).abs() < 0.01, "{stayed} stayed");
    let spend = |out: &Path| by_customer(&read_parquet(&out.join("assignments")), "monetary");
    let (then, now) = (spend(&out[0]), spend(&out[1]));
    let grown = then.iter().filter_map(|(id, then)| Some(now.get(id)? / then));
    let (grown, others): (Vec<f64>, Vec<f64>) = grown.partition(|ratio| (ratio - 1.1).abs() < 0.002);
    let share = others.len() as f64 / (grown.len() + others.len()) as f64;
    assert!((share - 0.1).abs() < 0.01, "{share} have moved");
}

#[test]
fn what_is_refused() {
    let here = folder();
    let out = here.path().join("data");
    let refused = |arguments: &[&str], why: &str| {
        let said = segmenta(&[&["generate", out.to_str().unwrap()], arguments].concat());
        assert!(said.code == 2 && said.err.contains(why), "{}: {}", said.code, said.err);
    };
    refused(&["--rows", "0"], "rows is 0: ask for 1 to");
    refused(&["--rows", "10", "--shards", "11"], "shards is 11: ask for 1 to 10");
    refused(&["--skew", "0.5"], "it goes with the schema `orders`");
    refused(&["--schema", "orders", "--skew", "1"], "skew is 1: ask for 0 to 0.95");
    refused(&["--schema", "orders", "--orders-per-customer", "0"], "orders_per_customer is 0: ask for 1 to 1000000");
    refused(&["--shard-skew=-1"], "shard_skew is -1: ask for 0 to 4");
    refused(&["--period", "0"], "period is 0: ask for 1 to 1000");
    refused(&["--drift", "2"], "drift is 2: a share is a number from 0 to 1");
    refused(&["--schema", "baskets"], "possible values: features, orders");
    refused(&["--threads", "0"], "--threads");
    assert!(!out.exists());
    for (place, why) in [("https://host/data", "a web server cannot be written to"), ("ftp://host/data", "`ftp`")] {
        let said = segmenta(&["generate", place]);
        assert!(said.code == 2 && said.err.contains(why), "{}: {}", said.code, said.err);
    }
    generate(&["--rows", "10", "--shards", "2", out.to_str().unwrap()]);
    refused(&["--rows", "10", "--shards", "1"], "already holds 2 shards");
    generate(&["--rows", "10", "--shards", "1", "--overwrite", out.to_str().unwrap()]);
    assert_eq!(files(&out).len(), 1);
}
