//! The report, opened in Chromium; rules, and why a customer is where it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use arrow::array::AsArray;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use segmenta_algorithms::hashing::{mix, unit_interval};
use segmenta_engine::artifact::hex;
use segmenta_engine::runtime::{MemoryPlan, runtime_env};
use segmenta_pipeline::job::{Job, RunOptions};
use segmenta_report::explain::explain;
use segmenta_spec::JobSpec;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{
    self, cdnow_spec, column, floats, folder, ids, published_path, read_parquet, run, segmenta, write_parquet,
};

/// A browser: that of `SEGMENTA_CHROMIUM`, or one on the path. Where there is none, what needs it is left out.
fn chromium() -> Option<PathBuf> {
    if let Some(browser) = std::env::var_os("SEGMENTA_CHROMIUM") {
        return Some(browser.into());
    }
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    { found }.find(|browser| browser.is_file())
}

/// The page after its script has run, and what it said on the console.
fn open(browser: &Path, page: &Path) -> (String, Vec<String>) {
    let profile = folder();
    // A browser may fail to start on a busy machine; what it shows does not change.
    for _ in 0..3 {
        let output = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"])
            .args(["--enable-logging=stderr", "--v=0", "--window-size=1280,2000"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("file://{}", page.display()))
            .output()
            .unwrap();
        let dom = String::from_utf8_lossy(&output.stdout).into_owned();
        if dom.contains("</html>") {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return (dom, said.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect());
        }
    }
    panic!("{} does not open {}", browser.display(), page.display());
}

/// The values of an attribute, in the order of the page.
fn attributes<'a>(dom: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    dom.split(&start).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// What the page was made from.
fn data(page: &str) -> Value {
    let start = page.find("id=\"report-data\">").unwrap() + "id=\"report-data\">".len();
    let end = start + page[start..].find("</script>").unwrap();
    serde_json::from_str(&page[start..end]).unwrap()
}

/// Opens a report: everything is drawn, nothing goes wrong, and nothing is asked of the network.
pub(crate) fn assert_is_drawn(page: &Path) {
    let text = fs::read_to_string(page).unwrap();
    assert!(text.len() < 3_000_000, "{} bytes", text.len());
    assert!(text.contains("default-src 'none'"), "a policy lets nothing leave the page");
    let Some(browser) = chromium() else { return };
    let (dom, said) = open(&browser, page);
    assert_eq!(said, Vec::<String>::new());
    let root = &dom[..dom.find("<head").unwrap()];
    assert!(root.contains("data-ready=\"true\"") && !root.contains("data-failed"), "{root}");
    let figures = dom.matches("<figure").count();
    let marks: Vec<u64> = attributes(&dom, "data-marks").into_iter().map(|marks| marks.parse().unwrap()).collect();
    assert!(marks.len() == figures && marks.iter().all(|marks| *marks > 0), "{figures} figures, {marks:?}");
    let texts = attributes(&dom, "aria-label").into_iter().filter(|text| text.len() > 20).count();
    assert!(texts >= figures, "{texts} descriptions of {figures} figures");
}

/// A job over made-up customers whose features have these names.
fn job(path: &Path, features: &[&str], sections: &str) -> Job {
    let random =
        |i: i64, j: usize| (0..4).map(|k| unit_interval(mix(mix(i as u64) ^ (j as u64) << 8 ^ k))).sum::<f64>();
    let center = |i: i64, j: usize| [0.0, 9.0, 20.0, 34.0][(mix(i as u64) as usize + j) % 4];
    let cell = |i: i64, j: usize| {
        (!mix(i as u64 + 7 * j as u64).is_multiple_of(50)).then(|| center(i, j) + 2.0 * random(i, j))
    };
    let mut columns = vec![("customer_id", ids(0..3_000))];
    columns.extend(features.iter().enumerate().map(|(j, name)| (*name, floats((0..3_000).map(|i| cell(i, j))))));
    write_parquet(&path.join("a.parquet"), &columns);
    let names = serde_json::to_string(features).unwrap();
    let text = format!(
        "name: test\nsource:\n  tables: {{features: a.parquet}}\n  id: customer_id\n  features: {names}\noutput: out\n{sections}"
    );
    Job::new(JobSpec::parse(&text, "test.yaml").unwrap(), path)
}

const ALL: &str = "kmeans: {k: {from: 2, to: 5}}\nhierarchy: {clusters: 4}\nhdbscan: {min_cluster_size: 80}\n";

#[test]
fn the_page_shows_what_is_published() {
    let folder = folder();
    let meaning = "profile: {units: {monetary: EUR}, as_of: 2026-07-01}\n";
    let features = ["recency", "frequency", "monetary"];
    run(&job(folder.path(), &features, &format!("{ALL}{meaning}")), 2, &RunOptions::default()).unwrap();
    let out = folder.path().join("out");
    let page = out.join("report.html");
    assert_is_drawn(&page);
    let (shown, metrics) = (data(&fs::read_to_string(&page).unwrap()), support::json(&out.join("metrics.json")));
    for key in ["customers", "assigned", "rejected"] {
        assert_eq!(shown["rows"][key], metrics["rows"][key]);
    }
    assert_eq!(shown["choice"]["k"], metrics["kmeans"]["chosen_k"]);
    let inertia: Vec<&Value> =
        metrics["kmeans"]["candidates"].as_array().unwrap().iter().map(|candidate| &candidate["inertia"]).collect();
    assert_eq!(shown["elbow"]["inertia"].as_array().unwrap().iter().collect::<Vec<_>>(), inertia);
    assert_eq!(shown["noise"]["rows"], metrics["hdbscan"]["noise"]);
    assert_eq!((&shown["units"], &shown["as_of"]), (&json!([null, null, "EUR"]), &json!("2026-07-01")));
    assert_eq!((&shown["recency"], &shown["money"]["feature"]), (&json!(0), &json!("monetary")));
    // Segments of one name have one colour, whatever their number, and no two of a clustering have the same.
    let mut colors: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for clustering in &shown["clusterings"].as_array().unwrap()[..2] {
        let segments = clustering["segments"].as_array().unwrap();
        let own: BTreeSet<i64> = segments.iter().map(|segment| segment["color"].as_i64().unwrap()).collect();
        assert_eq!(own.len(), segments.len());
        for segment in segments {
            colors.entry(segment["name"].to_string()).or_default().insert(segment["color"].as_i64().unwrap());
        }
        let shares = segments.iter().map(|segment| segment["spent_share"].as_f64().unwrap()).sum::<f64>();
        assert!((shares - 1.0).abs() < 1e-9, "{shares}");
    }
    assert!(colors.values().all(|colors| colors.len() == 1), "{colors:?}");
    assert!(colors.values().any(|colors| colors.contains(&0)), "nobody is a VIP: {colors:?}");
    let agreements = |document: &Value| -> Vec<Value> {
        document["agreements"].as_array().unwrap().iter().map(|a| a["adjusted_rand_index"].clone()).collect()
    };
    assert_eq!(agreements(&shown), agreements(&metrics));
    let missing = |document: &Value, key: &str| -> Vec<Value> {
        document[key].as_array().unwrap().iter().map(|feature| feature["missing"].clone()).collect()
    };
    assert_eq!(missing(&shown["missing"], "features"), missing(&metrics, "features"));
    // Sizes and means of the table of segments, for each clustering.
    let segments = read_parquet(&out.join("segments.parquet"));
    let algorithms = segments.column_by_name("algorithm").unwrap().as_string::<i32>();
    for clustering in shown["clusterings"].as_array().unwrap() {
        for segment in clustering["segments"].as_array().unwrap() {
            let is_it = |i: &usize| {
                Some(algorithms.value(*i)) == clustering["algorithm"].as_str()
                    && Some(column(&segments, "cluster")[*i]) == segment["cluster"].as_f64()
            };
            let row = (0..segments.num_rows()).find(is_it).unwrap();
            assert_eq!(segment["size"].as_f64(), Some(column(&segments, "size")[row]));
            assert_eq!(segment["features"][2]["mean"].as_f64(), Some(column(&segments, "monetary_mean")[row]));
        }
    }
    // Made again from the published files alone, it is the same page.
    let before = fs::read(&page).unwrap();
    fs::remove_dir_all(out.join("_work")).unwrap();
    fs::remove_file(&page).unwrap();
    let said = segmenta(&["report", out.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(fs::read(&page).unwrap() == before);
    let other = folder.path().join("other.html");
    assert_eq!(segmenta(&["report", out.to_str().unwrap(), "--to", other.to_str().unwrap()]).code, 0);
    assert!(fs::read(&other).unwrap() == before);
}

#[test]
fn names_from_the_data_do_nothing() {
    let folder = folder();
    let hostile = [
        "<script>document.title='taken'</script>",
        "</script><img src=x onerror=\"document.title='taken'\">",
        "{{7*7}} 'a' \"b\" & <blink>",
    ];
    run(&job(folder.path(), &hostile, ALL), 2, &RunOptions::default()).unwrap();
    let page = folder.path().join("out/report.html");
    assert_is_drawn(&page);
    let text = fs::read_to_string(&page).unwrap();
    assert!(!text.contains("<img src=x") && !text.contains("<script>document"), "a name is in the page as it is");
    assert_eq!(data(&text)["features"][1], hostile[1]);
    if let Some(browser) = chromium() {
        let (dom, _) = open(&browser, &page);
        assert!(!dom.contains("<title>taken"));
        for taken in ["<blink", "49 'a'"] {
            let at = dom.find(taken);
            assert!(at.is_none(), "{taken}: {}", &dom[at.unwrap().saturating_sub(200)..][..300]);
        }
    }
}

#[test]
fn pages_of_little_and_of_much() {
    let folder = folder();
    run(&job(folder.path(), &["spend"], "kmeans: {k: 1}\n"), 2, &RunOptions::default()).unwrap();
    assert_is_drawn(&folder.path().join("out/report.html"));
    let folder = self::folder();
    let names: Vec<String> = (0..16).map(|j| format!("a feature with a long name, number {j}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let sections = "impute: {method: median}\noutliers: {method: none}\nkmeans: {k: 12}\nhierarchy: {clusters: 30}\nhdbscan: {min_cluster_size: 5, min_samples: 2}\n";
    run(&job(folder.path(), &names, sections), 2, &RunOptions::default()).unwrap();
    assert_is_drawn(&folder.path().join("out/report.html"));
}

#[test]
fn the_sample_stands_for_all_rows() {
    let folder = folder();
    let sections = "outliers: {method: none}\nkmeans: {k: 4}\nhdbscan: {min_cluster_size: 80}\n";
    run(&job(folder.path(), &["a", "b"], sections), 2, &RunOptions::default()).unwrap();
    let out = folder.path().join("out");
    let (sample, segments) = (read_parquet(&out.join("sample.parquet")), read_parquet(&out.join("segments.parquet")));
    let (weights, labels) = (column(&sample, "weight"), column(&sample, "kmeans_cluster"));
    let algorithms = segments.column_by_name("algorithm").unwrap().as_string::<i32>();
    for i in (0..segments.num_rows()).filter(|i| algorithms.value(*i) == "kmeans") {
        let (cluster, size) = (column(&segments, "cluster")[i], column(&segments, "size")[i]);
        let stands_for: f64 = weights.iter().zip(&labels).filter(|(_, l)| **l == cluster).map(|(w, _)| w).sum();
        assert!((stands_for - size).abs() < 1e-6 * size, "{cluster}: {stands_for}, {size}");
    }
    // All rows are drawn here, so that their silhouettes are those of the job.
    let silhouettes = column(&sample, "kmeans_silhouette");
    let mean = silhouettes.iter().sum::<f64>() / silhouettes.len() as f64;
    let metrics = support::json(&out.join("metrics.json"));
    assert!((mean - metrics["kmeans"]["candidates"][0]["silhouette"].as_f64().unwrap()).abs() < 1e-9);
}

#[test]
fn the_rules_are_a_query_that_is_as_good_as_they_say() {
    let folder = folder();
    run(&job(folder.path(), &["recency", "with \"quotes\"", "monetary"], ALL), 2, &RunOptions::default()).unwrap();
    let out = folder.path().join("out");
    let sql = fs::read_to_string(out.join("segments.sql")).unwrap();
    let metrics = support::json(&out.join("metrics.json"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for rules in metrics["rules"].as_array().unwrap() {
        let algorithm = rules["algorithm"].as_str().unwrap();
        let right: f64 = runtime.block_on(async {
            let context = SessionContext::new();
            let tables = out.join("assignments").display().to_string();
            context.register_parquet("features", tables, ParquetReadOptions::default()).await.unwrap();
            let query = format!(
                "SELECT AVG(CASE WHEN {algorithm}_rule = {algorithm}_cluster THEN 1.0 ELSE 0.0 END) AS right FROM ({sql}) AS ruled"
            );
            let batches = context.sql(&query).await.unwrap().collect().await.unwrap();
            column(&batches[0], "right")[0]
        });
        let fidelity = rules["fidelity"].as_f64().unwrap();
        assert!((right - fidelity).abs() < 1e-9, "{algorithm}: {right}, {fidelity}");
        assert!(fidelity > 0.9, "{algorithm}: {fidelity}");
    }
    let segments = read_parquet(&out.join("segments.parquet"));
    assert!(column(&segments, "rule_precision").iter().any(|precision| *precision > 0.9));
}

#[test]
fn a_customer_is_explained() {
    let folder = folder();
    let spec = cdnow_spec(folder.path(), &[("hdbscan:", "hierarchy: {clusters: 3}\nhdbscan:")]);
    assert_eq!(segmenta(&["run", spec.to_str().unwrap(), "--quiet"]).code, 0);
    let out = folder.path().join("out");
    let path = out.to_str().unwrap();
    let assigned = read_parquet(&out.join("assignments"));
    let metrics = support::json(&out.join("metrics.json"));
    for row in [0, 100, 20_000] {
        let id = column(&assigned, "customer_id")[row].to_string();
        let said = segmenta(&["explain", path, &id, "--json"]);
        assert_eq!(said.code, 0, "{}", said.err);
        let found: Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(found["features"][0]["value"].as_f64(), Some(column(&assigned, "recency")[row]));
        let nearest = &found["kmeans"]["distances"][0];
        assert_eq!(nearest["cluster"].as_f64(), Some(column(&assigned, "kmeans_cluster")[row]));
        assert!((nearest["distance"].as_f64().unwrap() - column(&assigned, "kmeans_distance")[row]).abs() < 1e-9);
        assert_eq!(found["hierarchy"]["cluster"].as_f64(), Some(column(&assigned, "hierarchy_cluster")[row]));
        let density = &found["hdbscan"];
        let path = density["path"].as_array().unwrap();
        let fitted = metrics["rows"]["assigned"].as_u64().unwrap() - metrics["rows"]["rejected"].as_u64().unwrap();
        assert_eq!(path[0]["size"], fitted, "the root holds everybody that was fitted");
        let own = path.iter().find(|node| node["cluster"] == density["cluster"]);
        assert!(own.is_some() || density["cluster"] == -1, "{density}");
    }
    let rejected = read_parquet(&out.join("rejected"));
    // What the outliers hold is not hidden.
    let sum = |table| -> f64 { column(table, "monetary").iter().sum() };
    let held = 100.0 * sum(&rejected) / sum(&assigned);
    let report = data(&fs::read_to_string(out.join("report.html")).unwrap());
    let headline = report["headline"].as_array().unwrap().iter().map(|text| text.as_str().unwrap());
    let said =
        { headline }.find_map(|text| text.split_once(" of all monetary")?.0.rsplit_once("with ").map(|(_, n)| n));
    let said: f64 = said.unwrap().split('\u{a0}').next().unwrap().parse().unwrap();
    assert!((said - held).abs() < 0.5, "{said}, {held}");
    let id = column(&rejected, "customer_id")[3].to_string();
    let said = segmenta(&["explain", path, &id]);
    assert!(
        said.code == 0
            && said.out.contains("it took no part in the fit, as an outlier: ")
            && said.out.contains("is in segment"),
        "{}{}",
        said.out,
        said.err
    );
    let refused = |arguments: &[&str], code: i32, why: &str| {
        let said = segmenta(&[&["explain"], arguments].concat());
        assert!(said.code == code && said.err.contains(why), "{}: {}", said.code, said.err);
    };
    refused(&[path, "987654321"], 3, "there is no customer with customer_id 987654321");
    refused(&[path, "anna"], 2, "anna: is none of the values of customer_id");
    refused(&[path, "1", "2"], 2, "a customer is identified by customer_id; 2 values were given");
    refused(&[folder.path().to_str().unwrap(), "1"], 3, "there is no manifest.json");
}

#[test]
fn where_nobody_is_set_aside_there_is_a_table_of_nobody() {
    for outliers in ["outliers: none\n", "outliers: {method: iqr, factor: 100}\n"] {
        let folder = folder();
        let values = floats((0..300).map(|i| Some(f64::from(i % 13))));
        write_parquet(&folder.path().join("a.parquet"), &[("id", ids(0..300)), ("spend", values)]);
        let source = "{tables: {a: a.parquet}, id: id, features: [spend]}";
        let text = format!("name: test\nsource: {source}\n{outliers}kmeans: {{k: 2}}\noutput: out\n");
        let job = Job::new(JobSpec::parse(&text, "test.yaml").unwrap(), folder.path());
        run(&job, 2, &RunOptions::default()).unwrap();
        let nobody = read_parquet(&folder.path().join("out/rejected"));
        let names: Vec<String> = nobody.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(nobody.num_rows(), 0);
        assert_eq!(names, ["id", "spend", "spend_imputed", "rule", "feature", "value", "fence_low", "fence_high"]);
    }
}

#[test]
fn every_customer_of_a_small_job_is_explained() {
    let folder = folder();
    let values = (0..300).map(|i| Some(if i % 60 == 7 { 900.0 + i as f64 } else { (i % 13) as f64 }));
    let columns = [("id", ids((0..300).map(|i| i - 150))), ("spend", floats(values))];
    write_parquet(&folder.path().join("a.parquet"), &columns);
    let text =
        "name: test\nsource:\n  tables: {a: a.parquet}\n  id: id\n  features: [spend]\nkmeans: {k: 2}\noutput: out\n";
    let job = Job::new(JobSpec::parse(text, "test.yaml").unwrap(), folder.path());
    run(&job, 2, &RunOptions::default()).unwrap();
    // Few are cut, so that some parts have no file.
    let out = folder.path().join("out");
    let rejected = read_parquet(&out.join("rejected"));
    assert!(rejected.num_rows() == 5 && fs::read_dir(out.join("rejected")).unwrap().count() < 8);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stores = runtime_env(MemoryPlan::new(1 << 30)).unwrap();
    for id in -150..150_i64 {
        let url = format!("file://{}/", out.display());
        let found = runtime.block_on(explain(&stores, &url, &[id.to_string()])).unwrap();
        assert_eq!(found.outlier.is_some(), (id + 150) % 60 == 7, "{id}");
    }
}

#[test]
fn a_model_that_was_tampered_with_is_refused() {
    let folder = folder();
    run(&job(folder.path(), &["recency", "frequency", "monetary"], ALL), 2, &RunOptions::default()).unwrap();
    let out = folder.path().join("out");
    let (file, manifest) = (published_path(&out, "model.json"), out.join("manifest.json"));
    let sound = support::json(&file);
    let published = fs::read_to_string(&manifest).unwrap();
    let checksum = |content: &[u8]| hex(&Sha256::digest(content));
    let before = checksum(&fs::read(&file).unwrap());
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut model = sound.clone();
        change(&mut model);
        let model = model.to_string();
        fs::write(&file, &model).unwrap();
        let said = segmenta(&["report", out.to_str().unwrap()]);
        assert!(said.code == 3 && said.err.contains("is not what was published"), "{}: {}", said.code, said.err);
        // By somebody who knows of the manifest, too.
        fs::write(&manifest, published.replace(&before, &checksum(model.as_bytes()))).unwrap();
        let said = segmenta(&["report", out.to_str().unwrap()]);
        assert!(said.code == 3 && said.err.contains("model.json: "), "{}: {}", said.code, said.err);
        fs::write(&manifest, &published).unwrap();
    };
    refused(&|model| model["hierarchy"]["dendrogram"]["linkage"][0][0] = 1e9.into());
    refused(&|model| model["hierarchy"]["dendrogram"]["points"] = 0.into());
    refused(&|model| model["hierarchy"]["dendrogram"]["leaves"] = Value::Array(vec![]));
    refused(&|model| model["hdbscan"]["condensed_tree"][1]["parent"] = 4_000_000_000_u32.into());
    refused(&|model| model["scale"] = "none".into());
    let path = |manifest: &str| manifest.replace("\"path\": \"documents/", "\"path\": \"../documents/");
    fs::write(&manifest, path(&published)).unwrap();
    let said = segmenta(&["report", out.to_str().unwrap()]);
    assert!(said.code == 3 && said.err.contains("is not below the output"), "{}: {}", said.code, said.err);
}
