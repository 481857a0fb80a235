//! What the preparation does feature by feature, and what it tells of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, RecordBatch};
use segmenta_algorithms::hashing::{mix, unit_interval};
use segmenta_engine::cluster::{Cluster, EmbeddedOptions};
use segmenta_engine::runtime::MemoryPlan;
use segmenta_pipeline::job::RunOptions;
use serde_json::Value;

use crate::support::{
    by_customer, column, features_job, floats, folder, ids, json, published_path, read_parquet, root, run, segmenta,
    table_checksums, write_parquet,
};

const FEATURES: [&str; 3] = ["recency", "frequency", "monetary"];

fn cdnow() -> String {
    root().join("tests/parity/features.parquet").display().to_string()
}

/// Runs over the CDNOW customers with some sections, and returns the folder that holds `out`.
fn prepared(sections: &str) -> tempfile::TempDir {
    let folder = folder();
    run(&features_job(&cdnow(), &format!("{sections}kmeans: {{k: 2}}\n"), folder.path()), 2, &RunOptions::default())
        .unwrap();
    folder
}

fn texts(batch: &RecordBatch, name: &str) -> Vec<String> {
    let column = batch.column_by_name(name).unwrap().as_string::<i32>();
    (0..column.len()).map(|i| if column.is_null(i) { String::new() } else { column.value(i).to_owned() }).collect()
}

fn quantile(mut values: Vec<f64>, q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let position = q * (values.len() - 1) as f64;
    let (low, t) = (position.floor() as usize, position.fract());
    let high = (low + 1).min(values.len() - 1);
    values[low] + (values[high] - values[low]) * t
}

fn assert_near(ours: f64, theirs: f64, tolerance: f64, what: &str) {
    assert!((ours - theirs).abs() <= tolerance * theirs.abs().max(1e-12), "{what}: {ours} is not {theirs}");
}

/// The values of a feature over the kept and the rejected rows, by customer.
fn all_values(out: &Path, feature: &str) -> BTreeMap<i64, f64> {
    let mut values = by_customer(&read_parquet(&out.join("assignments")), feature);
    values.extend(by_customer(&read_parquet(&out.join("rejected")), feature));
    values
}

/// Each column sets its own rows aside; of many columns they would add up to a third of the customers.
#[test]
fn fences_of_many_columns_do_not_add_up() {
    let folder = folder();
    let normal = |i: u64, j: u64| {
        let draw = |k: u64| unit_interval(mix(i * 1_000 + 2 * j + k)).max(1e-12);
        (-2.0 * draw(0).ln()).sqrt() * (std::f64::consts::TAU * draw(1)).cos()
    };
    let names: Vec<String> = (0..64).map(|j| format!("f{j}")).collect();
    let mut columns = vec![("customer", ids(0..3_000))];
    columns.extend((0..64).map(|j| (names[j].as_str(), floats((0..3_000).map(|i| Some(normal(i, j as u64)))))));
    write_parquet(&folder.path().join("t.parquet"), &columns);
    let run = |name: &str, outliers: &str| {
        let spec = folder.path().join(format!("{name}.yaml"));
        let text = format!(
            "name: {name}\nsource:\n  tables: {{t: t.parquet}}\n  id: customer\n  features: [{}]\n{outliers}kmeans: {{k: 2}}\n\
             output: {name}\n",
            names.join(", ")
        );
        fs::write(&spec, text).unwrap();
        let said = segmenta(&["run", spec.to_str().unwrap()]);
        assert_eq!(said.code, 0, "{}", said.err);
        let metrics = json(&folder.path().join(name).join("metrics.json"));
        let warnings = metrics["warnings"].to_string();
        (metrics["rows"]["rejected"].as_u64().unwrap(), warnings)
    };
    // By default no more than 5 %.
    let (set_aside, warnings) = run("default", "");
    assert!(set_aside > 0 && set_aside < 100 && !warnings.contains("outliers:"), "{set_aside} {warnings}");
    // The least factor that keeps the limit: of 3,000 rows 30 at most, and hardly fewer.
    let (set_aside, warnings) = run("limited", "outliers: {share_limit: 0.01}\n");
    assert!((27..=30).contains(&set_aside), "{set_aside}");
    assert!(warnings.contains("`share_limit` allows 1.0 %") && warnings.contains("to a factor of"), "{warnings}");
    let factor = json(&folder.path().join("limited/model.json"))["outliers"]["rules"][0]["iqr"]["factor"].clone();
    assert!(factor.as_f64().unwrap() > 2.2, "{factor}");
    let (set_aside, warnings) = run("given", "outliers: {factor: 1.5}\n");
    assert!(set_aside > 900, "{set_aside}");
    assert!(warnings.contains("raise `factor`"), "{warnings}");
}

/// What lakes have besides numbers: ids that are UUIDs, a flag as a feature, shards in folders of which some are wanted.
#[test]
fn uuids_flags_and_folders() {
    let folder = folder();
    let uuid = |i: u64| [mix(i).to_be_bytes(), mix(i ^ 7).to_be_bytes()].concat();
    for (name, rows) in [("2024", 0..100), ("2025", 100..200), ("2026", 200..300)] {
        let ids: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_iter(rows.clone().map(uuid)).unwrap());
        let flags: ArrayRef = Arc::new(rows.clone().map(|i| Some(i % 3 == 0)).collect::<BooleanArray>());
        let spent = floats(rows.map(|i| Some((i % 10) as f64)));
        fs::create_dir(folder.path().join(name)).unwrap();
        let columns = [("customer", ids), ("member", flags), ("spent", spent)];
        write_parquet(&folder.path().join(name).join("part.parquet"), &columns);
    }
    let spec = folder.path().join("job.yaml");
    let text = "name: test\nsource:\n  tables: {t: '202{4,6}/*.parquet'}\n  id: customer\n  features: [member, spent]\n\
                outliers: none\nkmeans: {k: 2}\noutput: out\n";
    fs::write(&spec, text).unwrap();
    let said = segmenta(&["run", spec.to_str().unwrap(), "--csv", folder.path().join("all.csv").to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    let found = read_parquet(&folder.path().join("out/assignments"));
    assert_eq!(found.num_rows(), 200);
    assert_eq!(column(&found, "member").iter().sum::<f64>(), 67.0);
    let found_ids = found.column_by_name("customer").unwrap().as_fixed_size_binary();
    let row = found_ids.iter().position(|id| id == Some(uuid(42).as_slice())).unwrap();
    assert_eq!((column(&found, "member")[row], column(&found, "spent")[row]), (1.0, 2.0));

    let digits: String = uuid(42).iter().map(|byte| format!("{byte:02x}")).collect();
    let hyphenated = format!("{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..]);
    let output = folder.path().join("out");
    for id in [&digits, &hyphenated] {
        let said = segmenta(&["explain", output.to_str().unwrap(), id]);
        assert!(said.code == 0 && said.out.contains(id.as_str()), "{}\n{}", said.out, said.err);
    }
    let said = segmenta(&["explain", output.to_str().unwrap(), "42"]);
    assert!(said.code != 0 && said.err.contains("bytes"), "{}", said.err);
    assert!(fs::read_to_string(folder.path().join("all.csv")).unwrap().contains(&digits));
}

#[test]
fn features_may_differ() {
    let folder = prepared(
        "impute: {method: median, features: {frequency: {method: constant, value: 2.5}, monetary: {method: mean}}}\n\
         outliers: {method: iqr, features: {frequency: {method: none}, monetary: {method: percentile, low: 0.02, high: \
         0.9}}}\n\
         scale: {method: standard, transform: none, features: {recency: {method: minmax}, monetary: {transform: signed_log1p}}}\n",
    );
    let out = folder.path().join("out");
    let raw = read_parquet(&root().join("tests/parity/features.parquet"));
    let model = json(&out.join("model.json"));
    let kept = read_parquet(&out.join("assignments"));
    for (j, feature) in FEATURES.iter().enumerate() {
        let known: Vec<f64> = column(&raw, feature).into_iter().filter(|value| !value.is_nan()).collect();
        let fill = match j {
            0 => quantile(known.clone(), 0.5),
            1 => 2.5,
            _ => known.iter().sum::<f64>() / known.len() as f64,
        };
        let values = all_values(&out, feature);
        assert_eq!(values.len(), 23_570);
        for (customer, value) in by_customer(&raw, feature).iter().filter(|(_, value)| value.is_nan()) {
            assert!(value.is_nan());
            assert_near(values[customer], fill, 1e-12, feature);
        }
        let filled: Vec<f64> = values.into_values().collect();
        let fence = &model["outliers"]["fences"][j];
        let bounds = match j {
            0 => {
                let (q1, q3) = (quantile(filled.clone(), 0.25), quantile(filled, 0.75));
                Some((q1 - 2.2 * (q3 - q1), q3 + 2.2 * (q3 - q1)))
            }
            1 => None,
            _ => Some((quantile(filled.clone(), 0.02), quantile(filled, 0.9))),
        };
        match bounds {
            Some((low, high)) => {
                assert_near(fence["low"].as_f64().unwrap(), low, 1e-9, feature);
                assert_near(fence["high"].as_f64().unwrap(), high, 1e-9, feature);
            }
            None => assert!(fence.is_null()),
        }
        let scaler = &model["scale"]["scalers"][j];
        let fitted = column(&kept, feature).into_iter().zip(column(&kept, "outlier"));
        let kept: Vec<f64> = fitted.filter(|(_, outlier)| *outlier == 0.0).map(|(value, _)| value).collect();
        let transformed: Vec<f64> = kept.iter().map(|x| if j == 2 { x.abs().ln_1p() } else { *x }).collect();
        let mean = transformed.iter().sum::<f64>() / transformed.len() as f64;
        let variance = transformed.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / transformed.len() as f64;
        let least = kept.iter().copied().fold(f64::INFINITY, f64::min);
        let (center, scale) = match j {
            0 => (least, kept.iter().copied().fold(f64::NEG_INFINITY, f64::max) - least),
            _ => (mean, variance.sqrt()),
        };
        assert_near(scaler["center"].as_f64().unwrap(), center, 1e-9, feature);
        assert_near(scaler["scale"].as_f64().unwrap(), scale, 1e-9, feature);
    }
    let rules = texts(&read_parquet(&out.join("rejected")), "rule");
    assert!(rules.iter().any(|rule| rule == "percentile") && !rules.iter().any(|rule| rule == "none"));
}

#[test]
fn yeo_johnson_is_as_likely_as_any() {
    let fixture = json(&root().join("tests/parity/power.json"));
    let folder = prepared("outliers: none\nscale: {method: standard, transform: yeo_johnson}\n");
    let model = json(&folder.path().join("out/model.json"));
    for (j, feature) in FEATURES.iter().enumerate() {
        let scaler = &model["scale"]["scalers"][j];
        let of = |key: &str| fixture[key][feature].as_f64().unwrap();
        let transform = &scaler["transform"]["yeo_johnson"];
        let (lambda, origin) = (transform["lambda"].as_f64().unwrap(), transform["origin"].as_f64().unwrap());
        // scipy's search for lambda stops at 1e-8 of its bracket.
        assert_near(lambda, of("lambda"), 1e-6, feature);
        // An origin shifts and multiplies what comes out.
        let factor = (1.0 + origin).powf(1.0 - lambda);
        let at_origin = (lambda * origin.ln_1p()).exp_m1() / lambda;
        // What that makes of values in the tens of thousands.
        let (center, scale) = (scaler["center"].as_f64().unwrap(), scaler["scale"].as_f64().unwrap());
        assert_near(center / factor + at_origin, of("center"), 1e-5, feature);
        assert_near(scale / factor, of("scale"), 1e-5, feature);
    }
}

#[test]
fn quantiles_of_a_sketch_are_near() {
    let fences = |quantiles: &str| {
        let folder = prepared(&format!(
            "outliers: {{method: mad, space: raw, {quantiles}features: {{monetary: {{method: iqr}}}}}}\n"
        ));
        json(&folder.path().join("out/model.json"))["outliers"]["fences"].clone()
    };
    let (exact, sketch) = (fences(""), fences("quantiles: sketch, "));
    for (j, feature) in FEATURES.iter().enumerate() {
        let of = |fences: &Value, end: &str| fences[j][end].as_f64().unwrap();
        let width = of(&exact, "high") - of(&exact, "low");
        for end in ["low", "high"] {
            assert!((of(&exact, end) - of(&sketch, end)).abs() <= 0.01 * width, "{feature}: {exact} {sketch}");
        }
    }
}

/// Customers along a line, and some off it by no more in any one feature than others are.
fn along_a_line(path: &Path) {
    let random = |i: i64, j: u64| unit_interval(mix(mix(i as u64) ^ j)) - 0.5;
    let x = |i: i64| if i < 40 { random(i, 1).signum() * (4.0 + random(i, 5)) } else { 10.0 * random(i, 1) };
    let y = |i: i64| if i < 40 { -x(i).signum() * (4.0 + random(i, 2)) } else { x(i) + 0.3 * random(i, 3) };
    let rows = 4_000;
    let columns = [
        ("customer_id", ids(0..rows)),
        ("recency", floats((0..rows).map(|i| Some(x(i))))),
        ("frequency", floats((0..rows).map(|i| Some(y(i))))),
        ("monetary", floats((0..rows).map(|i| (i % 50 != 7).then(|| random(i, 4))))),
    ];
    write_parquet(path, &columns);
}

#[test]
fn a_forest_cuts_what_no_feature_shows() {
    let folder = folder();
    along_a_line(&folder.path().join("a.parquet"));
    let sections = "outliers: {method: iqr, forest: {contamination: 0.02, trees: 200}}\nkmeans: {k: 2}\n";
    let job = features_job("a.parquet", sections, folder.path());
    let first = run(&job, 2, &RunOptions { partitions_per_shard: Some(1), ..RunOptions::default() }).unwrap();
    let out = folder.path().join("out");
    let rejected = read_parquet(&out.join("rejected"));
    let by_forest = texts(&rejected, "rule").iter().filter(|rule| *rule == "isolation_forest").count();
    assert!((70..=80).contains(&by_forest), "{by_forest} of 4,000 rows at 2 %");
    let planted = column(&rejected, "customer_id").iter().filter(|id| **id < 40.0).count();
    assert!(planted >= 25, "{planted} of 40 that are off the line");
    let threshold = json(&out.join("model.json"))["outliers"]["forest"]["threshold"].as_f64().unwrap();
    assert!(column(&rejected, "value").iter().all(|score| *score > threshold && *score <= 1.0));
    let again =
        run(&job, 4, &RunOptions { fresh: true, partitions_per_shard: Some(5), ..RunOptions::default() }).unwrap();
    assert_eq!(table_checksums(&first), table_checksums(&again));

    // New rows are judged by the same forest.
    let text = |path: &str| folder.path().join(path).display().to_string();
    let (model, input, scores) = (text("out/model.json"), text("a.parquet"), text("scores"));
    let said = segmenta(&["score", "--model", &model, "--input", &input, "--output", &scores]);
    assert_eq!(said.code, 0, "{}", said.err);
    let scored = read_parquet(Path::new(&scores).join("scores").as_path());
    let outside = texts(&scored, "outside").iter().filter(|feature| !feature.is_empty()).count();
    assert_eq!(outside, rejected.num_rows());
    fs::write(published_path(&folder.path().join("out"), "model/forest.json"), "{}").unwrap();
    let said = segmenta(&["score", "--model", &model, "--input", &input, "--output", &text("other")]);
    assert!(said.code == 3 && said.err.contains("is not the forest of this model"), "{}", said.err);
}

#[test]
fn the_quality_of_the_data_is_told() {
    let folder = prepared("impute: {donors: 2000}\n");
    let out = folder.path().join("out");
    let (quality, metrics) = (read_parquet(&out.join("quality.parquet")), json(&out.join("metrics.json")));
    assert_eq!(quality.num_rows(), 9);
    let raw = read_parquet(&root().join("tests/parity/features.parquet"));
    let number = |row: usize, name: &str| column(&quality, name)[row];
    for (j, feature) in FEATURES.iter().enumerate() {
        let (extracted, imputed, kept) = (3 * j, 3 * j + 1, 3 * j + 2);
        assert_eq!(texts(&quality, "step")[extracted..=kept], ["extracted", "imputed", "kept"]);
        assert_eq!(texts(&quality, "feature")[kept], *feature);
        let of = |key: &str| metrics["features"][j][key].as_f64().unwrap();
        assert_eq!(number(extracted, "missing"), of("missing"));
        assert_eq!(number(imputed, "imputed"), of("missing"));
        assert_eq!(number(kept, "cut"), of("cut_as_outlier"));
        let rows = |key: &str| metrics["rows"][key].as_f64().unwrap();
        assert_eq!(number(kept, "rows"), rows("customers") - rows("rejected"));
        let known: Vec<f64> = column(&raw, feature).into_iter().filter(|value| !value.is_nan()).collect();
        for (name, q) in [("min", 0.0), ("p05", 0.05), ("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
            assert_near(number(extracted, name), quantile(known.clone(), q), 1.0 / 256.0, &format!("{feature} {name}"));
        }
        let error = &metrics["features"][j]["imputation_error"];
        let (all, sample) = (error["all_rows"].as_f64().unwrap(), error["sample"].as_f64().unwrap());
        // Of heavy tails a thousand cells tell little more than that neighbours are no worse than the mean by far.
        assert!(all > 0.05 && all < 1.5 && sample > 0.05 && sample < 1.5 && all != sample, "{feature}: {error}");
    }
    let patterns = metrics["missing_patterns"].as_array().unwrap();
    assert_eq!(patterns[0]["missing"].as_array().unwrap().len(), 0);
    assert_eq!(patterns.iter().map(|pattern| pattern["rows"].as_u64().unwrap()).sum::<u64>(), 23_570);
    let both = patterns.iter().find(|pattern| pattern["missing"] == serde_json::json!(["recency", "frequency"]));
    assert_eq!(both.unwrap()["rows"], 79);
}

#[test]
fn donors_that_are_shared_out_give_the_same_bytes() {
    let rows = 150_000;
    let cell = |i: i64, j: u64| {
        let hash = mix(mix(i as u64) ^ j);
        (!hash.is_multiple_of(20)).then_some((hash >> 40 & 0xFFF) as f64)
    };
    let columns = [
        ("customer_id", ids(0..rows)),
        ("recency", floats((0..rows).map(|i| cell(i, 1)))),
        ("frequency", floats((0..rows).map(|i| cell(i, 2)))),
        ("monetary", floats((0..rows).map(|i| cell(i, 3)))),
    ];
    let tables = |memory: MemoryPlan| {
        let folder = folder();
        write_parquet(&folder.path().join("a.parquet"), &columns);
        let sections = "impute: {donors: all, weights: distance}\nkmeans: {k: 2}\n";
        let job = features_job("a.parquet", sections, folder.path());
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let cluster = Cluster::embedded(EmbeddedOptions { threads: 2, memory }).await.unwrap();
            let outcome = job.run(&cluster, &RunOptions::default(), &()).await.unwrap();
            let impute = outcome.stages.iter().find(|stage| stage.stage == "impute").unwrap().cost.passes;
            (table_checksums(&outcome), impute)
        })
    };
    let (whole, passes) = tables(MemoryPlan::new(2 << 30));
    let (shared, more_passes) = tables(MemoryPlan { pool: 32 << 20, store: 256 << 20 });
    assert_eq!(more_passes, passes + 1, "the donors were not shared out");
    assert_eq!(whole, shared);
}

#[test]
fn features_that_say_little() {
    let folder = folder();
    let rows = 400;
    let random = |i: i64, j: u64| unit_interval(mix(mix(i as u64) ^ j));
    // One value; every row misses something; some have nothing but a feature that no other row of theirs has.
    let columns = [
        ("customer_id", ids(0..rows)),
        ("recency", floats((0..rows).map(|i| (i % 3 != 0).then_some(5.0)))),
        ("frequency", floats((0..rows).map(|i| (i % 3 == 0).then(|| random(i, 1))))),
        ("monetary", floats((0..rows).map(|i| (i % 3 == 2).then(|| random(i, 2))))),
    ];
    write_parquet(&folder.path().join("a.parquet"), &columns);
    for sections in ["", "outliers: {method: none, forest: {}}\nscale: {method: robust, transform: yeo_johnson}\n"] {
        let job = features_job("a.parquet", &format!("{sections}kmeans: {{k: 2}}\n"), folder.path());
        run(&job, 2, &RunOptions::default()).unwrap();
        let out = folder.path().join("out");
        let metrics = json(&out.join("metrics.json"));
        let warnings = metrics["warnings"].to_string();
        assert!(warnings.contains("`recency` is the same for every row that was kept"), "{warnings}");
        let assigned = read_parquet(&out.join("assignments"));
        for feature in FEATURES {
            assert!(column(&assigned, feature).iter().all(|value| value.is_finite()));
        }
        assert!(column(&assigned, "kmeans_distance").iter().all(|value| value.is_finite()));
        // Rows that share no feature with a donor of `frequency` got its mean.
        let frequency = &metrics["features"][1];
        assert_eq!(frequency["imputed"], 266);
    }
}

/// Parquet's statistics leave NaN out: of a column of NaN and 1.0 they say that all is 1.0.
#[test]
fn nan_beside_one_value_is_missing() {
    let here = folder();
    let odd = |i: usize| i % 2 == 1;
    let b = |i: usize| Some(if odd(i) { 1.0 } else { f64::NAN });
    let columns = [
        ("customer_id", ids(0..100)),
        ("a", floats((0..100).map(|i| Some(unit_interval(mix(i)))))),
        ("b", floats((0..100).map(b))),
    ];
    write_parquet(&here.path().join("t.parquet"), &columns);
    let spec = "name: test\nsource: {tables: {t: t.parquet}, id: customer_id, features: [a, b]}\nimpute: {method: mean}\n\
                outliers: {method: none}\nkmeans: {k: 2}\noutput: out\n";
    fs::write(here.path().join("job.yaml"), spec).unwrap();
    let said = segmenta(&["run", here.path().join("job.yaml").to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("feature `b`: 50 NaN and 0 infinite cells are treated as missing"), "{}", said.err);
    let assignments = read_parquet(&here.path().join("out/assignments"));
    for (id, imputed) in by_customer(&assignments, "b_imputed") {
        assert_eq!(imputed == 1.0, !odd(id as usize), "{id}");
    }
}
