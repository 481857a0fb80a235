//! Every kind of bad input: one error that names what is at fault, the right exit code, nothing half-published.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, StringArray};

use crate::support::{cdnow_spec, floats, folder, ids, json, root, segmenta, write_parquet};

/// Runs a job over `*.parquet` of a folder and expects it to fail.
fn fails(folder: &Path, sections: &str, code: i32, expected: &[&str]) {
    let spec = folder.join("job.yaml");
    let text = format!(
        "name: test\nsource:\n  tables: {{t: '*.parquet'}}\n  id: customer_id\n  features: [a, b]\noutput: \
         out\n{sections}"
    );
    fs::write(&spec, text).unwrap();
    fails_at(&spec, code, expected);
    assert!(!folder.join("out/manifest.json").exists(), "half-published");
    assert!(!folder.join("out/assignments").exists(), "half-published");
}

fn fails_at(spec: &Path, code: i32, expected: &[&str]) {
    let said = segmenta(&["run", spec.to_str().unwrap()]);
    assert_eq!(said.code, code, "{}\n{}", said.out, said.err);
    for part in expected {
        assert!(said.err.contains(part), "no `{part}` in:\n{}", said.err);
    }
    let errors = said.err.lines().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(errors, 1, "more than one error:\n{}", said.err);
    assert!(!said.err.contains("panicked") && !said.err.contains("segmenta-error"), "{}", said.err);
}

fn table(path: &Path, n: i64, a: impl Fn(i64) -> Option<f64>, b: impl Fn(i64) -> Option<f64>) {
    let columns: [(&str, ArrayRef); 3] =
        [("customer_id", ids(0..n)), ("a", floats((0..n).map(a))), ("b", floats((0..n).map(b)))];
    write_parquet(path, &columns);
}

#[test]
fn the_spec_itself() {
    let folder = folder();
    let spec = folder.path().join("job.yaml");
    fails_at(&spec, 2, &["job.yaml", "cannot be read"]);
    fs::write(&spec, "name: x\nsorce: {}\noutput: 7\nkmeans: {k: many, max_iteration: 3}\n").unwrap();
    let expected = [
        "job.yaml:2:1: sorce: unknown key; did you mean `source`?",
        "source: is missing",
        "job.yaml:4:13: kmeans.k: must be",
        "kmeans.max_iteration: unknown key; did you mean `max_iterations`?",
    ];
    fails_at(&spec, 2, &expected);
    let said = segmenta(&["check", spec.to_str().unwrap()]);
    assert_eq!(said.code, 2);
    for part in expected {
        assert!(said.err.contains(part), "no `{part}` in:\n{}", said.err);
    }
    let profile = "profile: {units: {c: USD, a: [x, y], b: a-unit-as-long-as-a-name}, as_of: today}\n";
    let expected = [
        "profile.units.c: is not one of source.features (a, b)",
        "profile.units.a: a feature has one unit",
        "profile.units.b: a unit is 1 to 16 characters",
        "profile.as_of: must be a day",
    ];
    fails(folder.path(), profile, 2, &expected);
    let scores = "name: x\nmodel: m.json\ninput: a.parquet\ntables: {}\nsql: SELECT 1\noutput: scores\n";
    fs::write(&spec, scores).unwrap();
    fails_at(&spec, 2, &["input: stands beside `tables`; keep one of them", "tables: must name at least one table"]);
    fs::write(&spec, "name: x\nmodel: m.json\nsql: SELECT 1\noutput: scores\n").unwrap();
    fails_at(&spec, 2, &["input: is missing", "sql: asks for `tables`"]);
}

#[test]
fn sources_that_are_not_there() {
    let folder = folder();
    fails(folder.path(), "", 3, &["source.tables.t", "*.parquet", "matches no file"]);
    let elsewhere = cdnow_spec(folder.path(), &[("data/cdnow/*.parquet", "ftp://host/orders.parquet")]);
    fails_at(&elsewhere, 2, &["no object store for the scheme `ftp`"]);
    let spec = folder.path().join("job.yaml");
    let text = "name: x\nsource: {tables: {a: one.parquet, b: s3, c: 'deep/*.parquet'}, sql: SELECT 1, id: i, features: \
                f}\noutput: out\n";
    fs::write(&spec, text).unwrap();
    // All of them at once.
    fails_at(&spec, 3, &["source.tables.a: one.parquet", "source.tables.b: s3", "source.tables.c: deep/*.parquet"]);
}

#[test]
fn columns_that_do_not_fit() {
    let folder = folder();
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
    write_parquet(&folder.path().join("t.parquet"), &[("customer_id", ids(0..2)), ("a", text)]);
    let expected =
        ["there is no column `b`; the columns are: customer_id, a", "`a` is Utf8", "not a number", "CAST(\"a\" AS"];
    fails(folder.path(), "", 2, &expected);
    let said = segmenta(&["check", folder.path().join("job.yaml").to_str().unwrap()]);
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(said.err.contains("there is no column `b`"), "{}", said.err);

    let a = || floats([Some(1.0), Some(2.0)]);
    let t = folder.path().join("t.parquet");
    write_parquet(&t, &[("customer_id", a()), ("a", a()), ("b", a())]);
    fails(folder.path(), "", 2, &["source.id: `customer_id` is Float64", "cast it to one of these"]);
    write_parquet(&t, &[("customer_id", ids(0..2)), ("a", a()), ("b", a()), ("a", a())]);
    fails(folder.path(), "", 3, &["t.parquet: has two columns of the name `a`"]);
}

#[test]
fn queries_that_do_not_fit() {
    let here = folder();
    let spec = cdnow_spec(here.path(), &[("COUNT(*)  ", "COUNT(oder_id)")]);
    fails_at(&spec, 2, &["source.sql", "oder_id"]);
    let spec = cdnow_spec(here.path(), &[("SELECT customer_id", "SELEC customer_id")]);
    fails_at(&spec, 2, &["source.sql", "SELEC"]);
    let spec = cdnow_spec(here.path(), &[("FROM orders", "FROM orders WHERE amount < 0")]);
    fails_at(&spec, 3, &["the source gives no row"]);
    let spec = cdnow_spec(here.path(), &[("COUNT(*)  ", "1 / (COUNT(*) - 1)")]);
    fails_at(&spec, 1, &["stage extract: source.sql failed: a whole number or a decimal is divided by 0", "NULLIF"]);
    let spec = cdnow_spec(here.path(), &[("COUNT(*)  ", "random()")]);
    fails_at(&spec, 2, &["source.sql: random() gives other values each time"]);
    let spec = cdnow_spec(here.path(), &[("COUNT(*)  ", "COUNT(*) + CAST('many' AS INT)")]);
    fails_at(&spec, 2, &["source.sql: `CAST(", "many is no Int32"]);
    let spec = cdnow_spec(here.path(), &[("{orders: ", "{Orders: data/x.parquet, orders: ")]);
    fails_at(&spec, 2, &["source.tables.orders: is the same name in SQL as `Orders`"]);
    let text = "name: x\nsource: {tables: {t: t.parquet}, sql: DROP TABLE t, id: i, features: f}\noutput: out\n";
    table(&here.path().join("t.parquet"), 3, |_| None, |_| None);
    fs::write(here.path().join("job.yaml"), text).unwrap();
    fails_at(&here.path().join("job.yaml"), 2, &["source.sql", "not supported"]);
}

/// What lies in a table of a lake format is not loose Parquet, from wherever it is looked at.
#[test]
fn tables_of_a_lake() {
    for (books, format, remedy) in [
        ("_delta_log/00000000000000000000.json", "Delta", "delta_scan("),
        ("metadata/00000-8e2a.metadata.json", "Iceberg", "iceberg_scan("),
        (".hoodie/hoodie.properties", "Hudi", "format(\"hudi\")"),
    ] {
        let here = folder();
        let data = here.path().join("lake/t/data/month=3");
        fs::create_dir_all(&data).unwrap();
        table(&data.join("part-0.parquet"), 20, |_| None, |_| None);
        let location = |location: &str| {
            let text = format!(
                "name: x\nsource: {{tables: {{t: '{location}'}}, id: customer_id, features: [a]}}\noutput: out\n"
            );
            fs::write(here.path().join("job.yaml"), text).unwrap();
            here.path().join("job.yaml")
        };
        let locations = [
            "lake/t",
            "lake",
            "lake/t/data/month=3",
            "lake/t/data/month=3/part-0.parquet",
            "lake/t/**/*.parquet",
            "lake/*/data/*/*.parquet",
            "lake/t/data/month=3/*.parquet",
        ];
        for place in locations {
            let said = segmenta(&["check", location(place).to_str().unwrap()]);
            assert_eq!(said.code, 0, "{place}: {}", said.err);
        }
        let books = here.path().join("lake/t").join(books);
        fs::create_dir_all(books.parent().unwrap()).unwrap();
        fs::write(&books, "{}").unwrap();
        for place in locations {
            let job = location(place);
            fails_at(&job, 3, &["source.tables.t: file://", "lake/t: this is a", format, remedy]);
            let said = segmenta(&["check", job.to_str().unwrap()]);
            assert_eq!(said.code, 3, "{place}: {}", said.err);
        }
        // Beside the table, there is nothing to refuse.
        fs::create_dir_all(here.path().join("lake/other")).unwrap();
        table(&here.path().join("lake/other/part-0.parquet"), 20, |_| None, |_| None);
        let said = segmenta(&["check", location("lake/other").to_str().unwrap()]);
        assert_eq!(said.code, 0, "{}", said.err);
    }
}

/// Folders and globs alike pass over what engines leave beside the data.
#[test]
fn what_engines_leave_beside_the_data() {
    let here = folder();
    let place = here.path().join("t");
    for (file, rows) in [("month=1/p.parquet", 20), ("_temporary/0/p.parquet", 500), ("month=1/.hidden.parquet", 500)] {
        fs::create_dir_all(place.join(file).parent().unwrap()).unwrap();
        table(&place.join(file), rows, |_| None, |_| None);
    }
    fs::write(place.join("_SUCCESS"), "").unwrap();
    fs::write(place.join("month=1/folder"), "").unwrap();
    for location in ["t", "t/**/*.parquet", "t/**/*", "t/*/*"] {
        let text =
            format!("name: x\nsource: {{tables: {{t: '{location}'}}, id: customer_id, features: [a]}}\noutput: out\n");
        fs::write(here.path().join("job.yaml"), text).unwrap();
        let said = segmenta(&["check", "--json", here.path().join("job.yaml").to_str().unwrap()]);
        assert_eq!(said.code, 0, "{location}: {}", said.err);
        let plan: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let shards = plan["tables"][0]["shards"].as_array().unwrap();
        assert!(shards.len() == 1 && shards[0]["rows"] == 20, "{location}: {shards:?}");
    }
}

/// Robust scaling divides by what most values differ by, which may leave the rest too far away to be squared.
#[test]
fn values_that_are_too_large_once_scaled() {
    let here = folder();
    let x = |i: i64| Some(if i < 49 { 1e-100 * i as f64 } else { 1e90 });
    table(&here.path().join("t.parquet"), 50, x, |i| Some(i as f64));
    let spec = "name: x\nsource: {tables: {t: t.parquet}, id: customer_id, features: [a, b]}\noutliers: {method: none}\n\
                scale: {method: robust, transform: none}\nkmeans: {k: 2}\noutput: out\n";
    fs::write(here.path().join("job.yaml"), spec).unwrap();
    fails_at(&here.path().join("job.yaml"), 3, &["feature `a` goes up to", "once it is scaled", "outliers"]);
    assert!(!here.path().join("out/manifest.json").exists());
}

#[test]
fn shards_that_are_damaged() {
    let here = folder();
    for shard in 0..4 {
        let name = format!("orders-0{shard}.parquet");
        fs::copy(root().join("examples/data/cdnow").join(&name), here.path().join(&name)).unwrap();
    }
    let spec = cdnow_spec(here.path(), &[]);
    let text = fs::read_to_string(&spec).unwrap();
    let data = root().join("examples/data/cdnow").display().to_string();
    fs::write(&spec, text.replace(&data, &here.path().display().to_string())).unwrap();

    let whole = fs::read(here.path().join("orders-02.parquet")).unwrap();
    fs::write(here.path().join("orders-02.parquet"), &whole[..whole.len() / 2]).unwrap();
    fails_at(&spec, 3, &["orders-02.parquet", "not a whole Parquet file", "truncated"]);
    fs::write(here.path().join("orders-02.parquet"), "").unwrap();
    fails_at(&spec, 3, &["orders-02.parquet", "not a whole Parquet file"]);

    // The footer is whole, a page is not: found while scanning, and traced to its file.
    let mut damaged = whole;
    let middle = damaged.len() / 3;
    damaged[4..middle].fill(0xA5);
    fs::write(here.path().join("orders-02.parquet"), damaged).unwrap();
    fails_at(&spec, 3, &["orders-02.parquet", "corrupt"]);
    assert!(!here.path().join("out/manifest.json").exists());
}

#[test]
fn values_that_are_too_long() {
    let folder = folder();
    let long = "x".repeat(20 << 20);
    let names: ArrayRef = Arc::new(StringArray::from_iter_values((0..20).map(|i| format!("{i}{long}"))));
    let columns: [(&str, ArrayRef); 4] = [
        ("customer_id", ids(0..20)),
        ("name", names),
        ("a", floats((0..20).map(|i| Some(f64::from(i))))),
        ("b", floats((0..20).map(|i| Some(f64::from(i % 3))))),
    ];
    write_parquet(&folder.path().join("t.parquet"), &columns);
    let spec = folder.path().join("job.yaml");
    let of = |columns: &str| {
        let sql = format!("SELECT {columns}, sum(a) AS a, sum(b) AS b FROM t GROUP BY ALL");
        let source = format!("{{tables: {{t: t.parquet}}, sql: '{sql}', id: id, features: [a, b]}}");
        fs::write(&spec, format!("name: test\nsource: {source}\noutput: out\n")).unwrap();
    };
    of("name AS id");
    fails_at(&spec, 3, &["t.parquet", "the values of `name` are", "shorten them"]);
    // Where they are not read they do no harm.
    of("customer_id AS id");
    let said = segmenta(&["check", spec.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
}

#[test]
fn shards_that_disagree() {
    let here = folder();
    table(&here.path().join("t-0.parquet"), 3, |_| Some(1.0), |_| Some(1.0));
    let narrow: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    write_parquet(
        &here.path().join("t-1.parquet"),
        &[("customer_id", ids(5..7)), ("a", narrow), ("b", floats([Some(1.0), None]))],
    );
    fails(here.path(), "", 3, &["t-0.parquet", "t-1.parquet", "`a` is Float64 in the first and Int32 in the second"]);
}

#[test]
fn ids_that_are_not_unique() {
    let here = folder();
    table(&here.path().join("t-0.parquet"), 30, |i| Some(i as f64), |_| Some(1.0));
    table(&here.path().join("t-1.parquet"), 1, |i| Some(i as f64), |_| Some(1.0));
    fails(here.path(), "", 3, &["duplicate id: customer_id = 0", "GROUP BY customer_id"]);
    let null: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
    fs::remove_file(here.path().join("t-0.parquet")).unwrap();
    write_parquet(
        &here.path().join("t-1.parquet"),
        &[("customer_id", null), ("a", floats([Some(1.0), None])), ("b", floats([Some(1.0), None]))],
    );
    fails(here.path(), "", 3, &["id column `customer_id`", "WHERE customer_id IS NOT NULL"]);
}

#[test]
fn features_that_are_not_there() {
    let here = folder();
    table(&here.path().join("t.parquet"), 30, |i| Some(i as f64), |_| None);
    fails(here.path(), "", 3, &["no row has a value of `b`"]);
    table(&here.path().join("t.parquet"), 30, |i| Some(i as f64), |i| (i > 3).then_some(i as f64));
    fails(here.path(), "impute: {method: none}\n", 3, &["4 of `b`", "choose a method"]);
    table(&here.path().join("t.parquet"), 30, |i| Some(i as f64 * 1e150), |i| Some(i as f64));
    fails(here.path(), "", 3, &["feature `a` goes up to 2.9e151", "scale it in source.sql"]);
}

#[test]
fn cells_that_are_not_finite_are_missing_and_counted() {
    let here = folder();
    let value = |i: i64| match i {
        3 | 4 => f64::NAN,
        5 => f64::INFINITY,
        6 => f64::NEG_INFINITY,
        _ => (i % 10) as f64,
    };
    table(&here.path().join("t.parquet"), 50, |i| Some(value(i)), |i| (i != 9).then_some((i % 7) as f64));
    let spec = here.path().join("job.yaml");
    let text = "name: test\nsource: {tables: {t: t.parquet}, id: customer_id, features: [a, b]}\noutput: out\nkmeans: \
                {k: 2}\n";
    fs::write(&spec, text).unwrap();
    let said = segmenta(&["run", spec.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("feature `a`: 2 NaN and 2 infinite cells are treated as missing"), "{}", said.err);
    let metrics = json(&here.path().join("out/metrics.json"));
    let a = &metrics["features"][0];
    assert_eq!((&a["nan"], &a["infinite"], &a["missing"], &a["imputed"]), (&2.into(), &2.into(), &4.into(), &4.into()));
    assert_eq!(metrics["features"][1]["imputed"], 1);
    assert_eq!(metrics["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn values_that_do_not_fit_the_settings() {
    let here = folder();
    table(&here.path().join("t.parquet"), 7, |i| Some(i as f64), |i| Some(i as f64 - 3.0));
    fails(here.path(), "kmeans: {k: 8}\n", 2, &["kmeans.k: 7 rows cannot make 8 clusters", "at most 7"]);
    // That is known without running anything.
    let said = segmenta(&["check", here.path().join("job.yaml").to_str().unwrap()]);
    assert!(said.code == 2 && said.err.contains("7 rows cannot make 8 clusters"), "{}", said.err);
    let said = segmenta(&["clean", here.path().join("nowhere").to_str().unwrap()]);
    assert!(said.code == 3 && said.err.contains("there is no such folder"), "{}", said.err);
    fails(here.path(), "kmeans: {k: 2}\nscale: {transform: log1p}\n", 2, &["log1p", "`b` goes down to -3"]);
}

#[test]
fn outputs_that_are_not_ours() {
    let here = folder();
    let spec = cdnow_spec(here.path(), &[("{from: 2, to: 10}", "2")]);
    assert_eq!(segmenta(&["run", spec.to_str().unwrap()]).code, 0);
    let before = fs::read(here.path().join("out/manifest.json")).unwrap();
    let text = fs::read_to_string(&spec).unwrap();
    fs::write(&spec, text.replace("name: cdnow", "name: other")).unwrap();
    fails_at(&spec, 2, &["output", "already holds the results of the job `cdnow`"]);
    assert_eq!(fs::read(here.path().join("out/manifest.json")).unwrap(), before);

    // A folder of someone's files.
    fs::write(&spec, text.replace("output: out", "output: mine")).unwrap();
    fs::create_dir(here.path().join("mine")).unwrap();
    fs::write(here.path().join("mine/letter.txt"), "dear").unwrap();
    fails_at(&spec, 2, &["output", "holds files that are not a job's", "letter.txt"]);

    // Below a file there can be no folder.
    fs::write(&spec, text.replace("output: out", "output: job.yaml/out")).unwrap();
    fails_at(&spec, 1, &["job.yaml/out", "cannot be"]);
}

/// Who may write to an output is not to have files read that only the process can read.
#[test]
fn a_stage_that_names_files_of_others() {
    let here = folder();
    let spec = cdnow_spec(here.path(), &[("to: 10", "to: 3")]);
    assert_eq!(segmenta(&["run", spec.to_str().unwrap()]).code, 0);
    let secret = here.path().join("secret.parquet");
    fs::write(&secret, "theirs").unwrap();
    let manifest = here.path().join("out/_work/evaluate/manifest.json");
    let mut content = json(&manifest);
    content["output"]["assignments"][0]["url"] = format!("file://{}", secret.display()).into();
    fs::write(&manifest, content.to_string()).unwrap();
    fs::remove_file(here.path().join("out/manifest.json")).unwrap();
    for command in ["check", "run"] {
        let said = segmenta(&[command, spec.to_str().unwrap()]);
        assert_eq!(said.code, 3, "{} {}", said.out, said.err);
        assert!(said.err.contains("_work/evaluate/manifest.json: names file://"), "{}", said.err);
    }
    assert!(!here.path().join("out/manifest.json").exists());
}

/// Every write beyond a limit fails, as on a full disk.
#[cfg(unix)]
#[test]
fn a_disk_that_is_full() {
    let here = folder();
    let spec = cdnow_spec(here.path(), &[]);
    let script = format!("trap '' XFSZ; ulimit -f 60; exec {} run {}", env!("CARGO_BIN_EXE_segmenta"), spec.display());
    let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(!err.contains("panicked"), "{err}");
    assert!(!here.path().join("out/manifest.json").exists());
}
