//! Load tests: rows and workers, many jobs at once, what is written, what is refused, and what fails.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::report::assert_is_drawn;
use crate::support::{Said, column, folder, json, read_parquet, segmenta};

/// Cheap: K-Means alone.
const TEMPLATE: &str = "name: load
source:
  tables: {customers: \"${data}/*.parquet\"}
  id: customer_id
  features: [recency, frequency, monetary]
impute: {method: median}
kmeans: {k: 3}
output: \"${output}\"
";

fn loadtest(out: &Path, arguments: &[&str]) -> Said {
    let common = ["loadtest", out.to_str().unwrap(), "--memory-per-worker", "512MiB", "--shards", "2"];
    segmenta(&[&common[..], arguments].concat())
}

#[test]
fn rows_workers_and_jobs_at_once() {
    let here = folder();
    let out = here.path().join("out");
    let arguments = ["--rows", "2000", "--workers", "0,1", "--jobs", "3", "--json"];
    let said = loadtest(&out, &arguments);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let test: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(test, json(&out.join("loadtest.json")));

    let runs = test["runs"].as_array().unwrap();
    let workers: Vec<u64> = runs.iter().map(|run| run["workers"].as_u64().unwrap()).collect();
    assert_eq!(workers, [0, 1]);
    for run in runs {
        assert_eq!((&run["failure"], run["source_rows"].as_u64()), (&Value::Null, Some(2_000)), "{run}");
        let stages: Vec<&str> =
            run["stages"].as_array().unwrap().iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
        assert!(["extract", "kmeans", "hierarchy", "hdbscan"].iter().all(|stage| stages.contains(stage)), "{stages:?}");
        assert!(run["seconds"].as_f64().unwrap() > 0.1 && run["rows_per_second"].as_f64().unwrap() > 1.0);
    }
    if cfg!(target_os = "linux") {
        assert!(runs[1]["worker_peak_memory_bytes"].as_u64().unwrap() > 10 << 20, "{}", runs[1]);
        assert!(runs[0]["stages"][0]["peak_memory_bytes"].as_u64().unwrap() > 10 << 20, "{}", runs[0]);
    }
    assert_eq!(runs[0]["tables_sha256"], runs[1]["tables_sha256"]);
    assert_eq!((&test["scale"][0]["speed_up"], &test["scale"][0]["efficiency"]), (&1.0.into(), &1.0.into()));
    assert!(test["scale"][1]["speed_up"].as_f64().unwrap() > 0.0);

    let burst = &test["bursts"][0];
    assert_eq!((burst["failures"].as_u64(), burst["jobs"].as_array().unwrap().len()), (Some(0), 3), "{burst}");
    let at = |key: &str| burst["latency"][key].as_f64().unwrap();
    assert!(0.0 < at("min") && at("min") <= at("p50") && at("p50") <= at("p90") && at("p90") <= at("p99"), "{burst}");
    let rate = burst["jobs_per_hour"].as_f64().unwrap();
    assert!((rate * burst["seconds"].as_f64().unwrap() / 3600.0 - 3.0).abs() < 1e-6, "{burst}");
    assert_eq!(
        (&test["agreements"][0]["results"], &test["agreements"][0]["differing"]),
        (&5.into(), &Value::Array(vec![]))
    );
    assert!(test["hardware"]["cores"].as_u64().unwrap() > 0);

    let table = read_parquet(&out.join("loadtest.parquet"));
    let stages: usize = runs.iter().map(|run| run["stages"].as_array().unwrap().len()).sum();
    assert_eq!(table.num_rows(), stages);
    assert!(column(&table, "stage_seconds").iter().all(|seconds| *seconds >= 0.0));
    let page = out.join("loadtest.html");
    assert_is_drawn(&page);
    let page = fs::read_to_string(page).unwrap();
    for id in ["throughput", "speed-up", "efficiency", "stages", "latency"] {
        assert!(page.contains(&format!("id=\"{id}\"")), "no {id}");
    }
    // Data stay for the next load test, outputs do not.
    let data = out.join("work/data/customers-2000-in-2-seed-7");
    let made = |name: &str| fs::metadata(data.join(name)).unwrap().modified().unwrap();
    let before = made("customers-00000.parquet");
    assert_eq!(fs::read_dir(out.join("work/runs")).unwrap().count(), 1, "the folder of the jobs' outputs alone");
    let template = here.path().join("template.yaml");
    fs::write(&template, TEMPLATE).unwrap();
    let spec = template.to_str().unwrap();
    let said = loadtest(&out, &["--rows", "2000", "--workers", "0", "--repeat", "2", "--spec", spec, "--keep"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("all 2 results are the same tables") && said.out.contains("embedded"), "{}", said.out);
    assert_eq!(made("customers-00000.parquet"), before);
    assert!(out.join("work/runs/rows-2000-embedded-repeat-2/manifest.json").exists());
}

#[test]
fn a_run_that_fails_is_recorded_and_the_rest_goes_on() {
    let here = folder();
    let out = here.path().join("out");
    let template = here.path().join("template.yaml");
    // Only the first number of rows has the customers that it asks for.
    let sql = "  sql: \"SELECT customer_id, recency, frequency, monetary / CASE WHEN ${rows} > 1500 THEN 1 END AS monetary, \
               CAST(CASE WHEN ${rows} > 1500 THEN '1' ELSE 'none' END AS INT) AS wrong FROM customers\"\n";
    fs::write(&template, TEMPLATE.replace("  id:", &format!("{sql}  id:"))).unwrap();
    let arguments = ["--rows", "1000,2000", "--workers", "0,1", "--spec", template.to_str().unwrap()];
    let said = loadtest(&out, &arguments);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.err.contains("2 of 4 runs failed"), "{}", said.err);
    let test = json(&out.join("loadtest.json"));
    for run in test["runs"].as_array().unwrap() {
        let failed = run["rows"].as_u64() == Some(1_000);
        assert_eq!((run["failure"].is_string(), run["seconds"].is_null()), (failed, failed), "{run}");
    }
    assert_eq!(test["agreements"].as_array().unwrap().len(), 1);
    assert_is_drawn(&out.join("loadtest.html"));
}

#[test]
fn what_makes_no_load_test_is_refused() {
    let here = folder();
    let out = here.path().join("out");
    let refused = |arguments: &[&str], why: &str| {
        let said = loadtest(&out, arguments);
        assert!(said.code == 2 && said.err.contains(why), "{}: {}", said.code, said.err);
    };
    refused(&["--workers", "0", "--jobs", "3"], "--jobs needs a coordinator");
    refused(&["--repeat", "0"], "--repeat 0 measures nothing");
    refused(&["--rows", "0"], "rows is 0");
    refused(&["--rows", "many"], "--rows");
    refused(&["--spec", "nowhere.yaml"], "nowhere.yaml: cannot be read");
    refused(&["--workers", "5000"], "at most 1000");
    let template = here.path().join("template.yaml");
    fs::write(&template, TEMPLATE.replace("${output}", "out")).unwrap();
    refused(&["--spec", template.to_str().unwrap()], "has no ${output}");
    assert!(!out.exists());
}

/// Processes whose command line names a folder.
fn processes_of(folder: &Path) -> usize {
    let name = folder.to_str().unwrap().as_bytes();
    let lines = fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    lines.filter(|line| line.windows(name.len()).any(|window| window == name)).count()
}

#[test]
fn stopping_it_ends_its_processes() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let here = folder();
    let out = here.path().join("out");
    let arguments = ["loadtest", out.to_str().unwrap(), "--rows", "20000", "--workers", "2", "--repeat", "99"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_segmenta"))
        .args(arguments)
        .args(["--memory-per-worker", "512MiB"])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(120);
    // The coordinator's command line has the work folder too, and it runs a job by now.
    while !out.join("work/runs/rows-20000-workers-2-repeat-1/_work").exists() {
        assert!(Instant::now() < end && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(processes_of(&out) >= 2);
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(processes_of(&out), 0);
    assert!(json(&out.join("loadtest.json"))["runs"].as_array().unwrap().len() < 99);
}
