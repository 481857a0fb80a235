//! HDBSCAN through the engine.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, UInt32Array};
use segmenta_algorithms::hashing::mix;
use segmenta_pipeline::job::{Job, RunOptions};
use segmenta_pipeline::stages::hdbscan::DensityClustered;
use segmenta_spec::JobSpec;

use crate::support::{
    by_customer, cdnow_spec, column, features_job, floats, folder, ids, json, read_parquet, run, table_checksums,
    write_parquet,
};

#[test]
fn any_number_of_cells_and_threads_gives_the_same_bytes() {
    let mut tables = Vec::new();
    let mut cells = BTreeSet::new();
    for (cell_rows, threads) in [(1_000_000, 2), (6_000, 1), (640, 2), (640, 4)] {
        let folder = folder();
        let section = format!("resolution: auto, cell_rows: {cell_rows}");
        let spec = cdnow_spec(folder.path(), &[("to: 10", "to: 3"), ("resolution: auto", &section)]);
        let outcome = run(&Job::load(&spec).unwrap(), threads, &RunOptions::default()).unwrap();
        let mut density = outcome.density.clone().unwrap();
        cells.insert(density.cells);
        assert!(density.cells == 1 || density.rounds > 0);
        (density.cells, density.rounds, density.labels, density.model) = (0, 0, vec![], vec![]);
        // The points of the model are published cell by cell.
        let mut published = table_checksums(&outcome);
        published.retain(|(path, ..)| !path.starts_with("model/"));
        tables.push((published, format!("{density:?}")));
    }
    // Cells without a row are left out.
    assert!(cells.len() == 3 && cells.contains(&1) && cells.iter().any(|cells| *cells > 20), "{cells:?}");
    assert!(tables.iter().all(|other| *other == tables[0]), "{tables:#?}");
}

#[test]
fn what_is_published_of_density() {
    let folder = folder();
    // As scikit-learn was given them: see below.
    let raw = [
        ("to: 10", "to: 3"),
        ("{method: iqr}", "{method: iqr, factor: 1.5, action: drop}"),
        ("{method: standard}", "{method: standard, transform: none}"),
    ];
    let spec = cdnow_spec(folder.path(), &raw);
    let outcome = run(&Job::load(&spec).unwrap(), 2, &RunOptions::default()).unwrap();
    let assignments = read_parquet(&folder.path().join("out/assignments"));
    let labels = column(&assignments, "hdbscan_cluster");
    let probabilities = column(&assignments, "hdbscan_probability");
    let scores = column(&assignments, "hdbscan_outlier_score");
    let metrics = json(&folder.path().join("out/metrics.json"));
    let density = &metrics["hdbscan"];
    for cluster in density["clusters"].as_array().unwrap() {
        let rows = labels.iter().filter(|label| **label == cluster["cluster"].as_f64().unwrap()).count();
        assert_eq!(rows as u64, cluster["size"].as_u64().unwrap());
    }
    assert_eq!(labels.iter().filter(|label| **label < 0.0).count() as u64, density["noise"].as_u64().unwrap());
    // The clusters and the noise have their rows in the table of segments.
    let segments = read_parquet(&folder.path().join("out/segments.parquet"));
    let (clusters, sizes) = (column(&segments, "cluster"), column(&segments, "size"));
    let (means, spread) = (column(&segments, "recency_mean"), column(&segments, "recency_p50"));
    let recency = column(&assignments, "recency");
    let algorithms = segments.column_by_name("algorithm").unwrap().as_string::<i32>();
    let of_density: Vec<usize> = (0..clusters.len()).filter(|i| algorithms.value(*i) == "hdbscan").collect();
    assert_eq!(of_density.iter().map(|i| clusters[*i]).collect::<Vec<_>>(), [-1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    for i in of_density {
        let mut rows: Vec<f64> =
            labels.iter().zip(&recency).filter(|(label, _)| **label == clusters[i]).map(|(_, value)| *value).collect();
        rows.sort_by(f64::total_cmp);
        assert_eq!(rows.len() as f64, sizes[i]);
        assert!((rows.iter().sum::<f64>() / rows.len() as f64 - means[i]).abs() < 1e-9);
        assert!((rows[(rows.len() - 1) / 2] + rows[rows.len() / 2]) / 2.0 - spread[i] < 1e-9);
    }
    for ((label, probability), score) in labels.iter().zip(&probabilities).zip(&scores) {
        assert!((*label < 0.0) == (*probability == 0.0), "{label} {probability}");
        assert!((0.0..=1.0).contains(probability) && (0.0..=1.0).contains(score));
    }
    // What scikit-learn 1.9.1 finds in the same rows with min_cluster_size 250 and min_samples 10.
    let sizes: Vec<u64> = outcome.density.unwrap().clusters.iter().map(|cluster| cluster.size).collect();
    assert_eq!(sizes, [11_875, 4_012, 2_094, 1_275, 797, 415]);
    assert_eq!(density["min_cluster_size"], 250);
    let model = json(&folder.path().join("out/model.json"));
    assert!(model["hdbscan"]["condensed_tree"].as_array().unwrap().len() > 6);
}

#[test]
fn a_grid_states_its_bound_and_fits_its_budget() {
    let folder = folder();
    let section = "resolution: auto, budget: 3000, cell_rows: 5000";
    let spec = cdnow_spec(folder.path(), &[("to: 10", "to: 3"), ("resolution: auto", section)]);
    let density = run(&Job::load(&spec).unwrap(), 2, &RunOptions::default()).unwrap().density.unwrap();
    assert!(density.points <= 3_000 && density.points > 1_000, "{}", density.points);
    assert!(density.resolution > 0.0 && density.bound == density.resolution * 3f64.sqrt());
    assert!(density.measured_bound > 0.0 && density.measured_bound <= density.bound * (1.0 + 1e-12));
    assert_eq!(density.clusters.iter().map(|cluster| cluster.size).sum::<u64>() + density.noise, density.rows);
}

#[test]
fn odd_data() {
    let job = |values: &dyn Fn(i64) -> f64, section: &str| {
        let folder = folder();
        let column = || floats((0..400).map(|i| Some(values(i))));
        let columns =
            [("customer_id", ids(0..400)), ("recency", column()), ("frequency", column()), ("monetary", column())];
        write_parquet(&folder.path().join("a.parquet"), &columns);
        let sections = format!("outliers: {{method: none}}\nkmeans: {{k: 1}}\nhdbscan: {section}\n");
        run(&features_job("a.parquet", &sections, folder.path()), 2, &RunOptions::default())
    };
    // All points equal: one point of weight 400, which is the root.
    let same = job(&|_| 1.0, "{min_cluster_size: 5}").unwrap();
    let density = same.density.unwrap();
    assert_eq!((density.points, density.clusters.len(), density.noise), (1, 0, 400));
    assert!(same.warnings.iter().any(|warning| warning.contains("every row is noise")), "{:?}", same.warnings);
    let single = job(&|_| 1.0, "{min_cluster_size: 5, allow_single_cluster: true}").unwrap().density.unwrap();
    assert_eq!((single.clusters.len(), single.noise), (1, 0));
    // Two places, far heavier than a cluster needs to be: infinitely dense.
    let two = job(&|i| (i % 2) as f64, "{min_cluster_size: 5}").unwrap().density.unwrap();
    assert_eq!(two.clusters.iter().map(|cluster| cluster.size).collect::<Vec<_>>(), [200, 200]);
    // Single linkage, in effect in one dimension: the gap in the middle is the only one.
    let line = |i: i64| if i < 150 { i as f64 } else { i as f64 + 50.0 };
    let linked = job(&line, "{min_cluster_size: 100, min_samples: 1}").unwrap().density.unwrap();
    assert_eq!(linked.clusters.iter().map(|cluster| cluster.size).collect::<Vec<_>>(), [250, 150]);
    for (section, key) in [
        ("{min_samples: 401}", "hdbscan.min_samples: 401"),
        ("{min_cluster_size: [5, 401]}", "hdbscan.min_cluster_size: 401"),
    ] {
        let error = job(&line, section).unwrap_err();
        assert!(error.message.contains(key) && error.message.contains("400 rows"), "{}", error.message);
    }
}

/// Which blob every tenth row is in: no two are of one size.
const BLOB: [u64; 10] = [0, 0, 0, 0, 1, 1, 1, 2, 2, 3];

/// Blobs with noise around them, `d` features.
fn blobs(rows: i64, d: u64) -> Vec<Vec<f64>> {
    let unit = |key: u64| mix(key) as f64 / u64::MAX as f64;
    let value = |i: u64, j: u64| {
        let key = (i * d + j) * 4;
        if i.is_multiple_of(20) {
            return 12.0 * unit(key);
        }
        let center = 12.0 * unit(BLOB[(i % 10) as usize] * d + j + (1 << 40));
        center + unit(key) + unit(key + 1) + unit(key + 2) - 1.5
    };
    (0..d).map(|j| (0..rows as u64).map(|i| value(i, j)).collect()).collect()
}

/// Writes a job over columns `f0`, `f1`, ... beside its data.
fn job_over(folder: &Path, columns: &[Vec<f64>], extra: &[(&str, ArrayRef)], source: &str, sections: &str) -> Job {
    let names: Vec<String> = (0..columns.len()).map(|j| format!("f{j}")).collect();
    let mut table = vec![("customer_id", ids(0..columns[0].len() as i64))];
    for (name, column) in names.iter().zip(columns) {
        table.push((name, floats(column.iter().map(|value| Some(*value)))));
    }
    table.extend(extra.iter().map(|(name, column)| (*name, Arc::clone(column))));
    write_parquet(&folder.join("a.parquet"), &table);
    let text = format!(
        "name: test\nsource:\n  tables: {{t: a.parquet}}\n  id: customer_id\n  features: [{}]\n{source}\
         outliers: {{method: none}}\nscale: {{method: none}}\nkmeans: {{k: 2}}\n{sections}output: out\n",
        names.join(", ")
    );
    Job::new(JobSpec::parse(&text, "test.yaml").unwrap(), folder)
}

#[test]
fn the_graph_of_neighbors_is_near_to_the_exact_one() {
    // A kd-tree finds the neighbours in 3 columns, NN-descent in 16.
    for (d, rows, least_recall) in [(3, 6_000, 0.999), (16, 6_000, 0.95)] {
        let columns = blobs(rows, d);
        let found = |section: &str, threads: usize| {
            let folder = folder();
            let sections = format!("hdbscan: {{min_cluster_size: 200, cell_rows: 2000{section}}}\n");
            let job = job_over(folder.path(), &columns, &[], "", &sections);
            let outcome = run(&job, threads, &RunOptions::default()).unwrap();
            let labels = by_customer(&read_parquet(&folder.path().join("out/assignments")), "hdbscan_cluster");
            (outcome.density.clone().unwrap(), labels, table_checksums(&outcome))
        };
        let (exact, exact_labels, _) = found("", 2);
        let (near, labels, bytes) = found(", graph: knn", 1);
        let graph = near.graph.clone().unwrap();
        assert!(near.cells > 1 && graph.recall >= least_recall && graph.recall <= 1.0, "{graph:?}");
        assert!(graph.recall_points > 300 && graph.neighbors == 15);
        assert_eq!((exact.clusters.len(), near.clusters.len()), (4, 4));
        let differing = labels.iter().filter(|(id, label)| exact_labels[*id] != **label).count();
        assert!(differing <= rows as usize / 100, "{differing} of {rows} labels differ in {d} columns");
        // No tree is shorter than the minimum.
        assert!(near.spanning_weight >= exact.spanning_weight * (1.0 - 1e-12));
        assert!(near.spanning_weight <= exact.spanning_weight * 1.01);
        assert_eq!(bytes, found(", graph: knn", 4).2);
    }
}

#[test]
fn components_of_the_graph_of_neighbors_are_joined() {
    let far = |i: i64| (i % 3) as f64 * 1e6 + mix(i as u64) as f64 / u64::MAX as f64;
    let columns = vec![(0..900).map(far).collect(), (0..900).map(|i| mix(i) as f64 / u64::MAX as f64).collect()];
    let spanned = |section: &str| {
        let folder = folder();
        let sections = format!("hdbscan: {{min_cluster_size: 50{section}}}\n");
        run(&job_over(folder.path(), &columns, &[], "", &sections), 2, &RunOptions::default()).unwrap().density.unwrap()
    };
    let (exact, near) = (spanned(""), spanned(", cell_rows: 300, graph: knn, neighbors: 20"));
    assert!(near.graph.as_ref().unwrap().components >= 3);
    let sizes = |density: &DensityClustered| density.clusters.iter().map(|c| c.size).collect::<Vec<_>>();
    assert_eq!(sizes(&exact), sizes(&near));
    assert!((near.spanning_weight / exact.spanning_weight - 1.0).abs() < 1e-6);
}

/// `blobs` well apart, of as many points each.
fn far_apart(blobs: u64, points: u64, d: u64) -> Vec<Vec<f64>> {
    let unit = |key: u64| mix(key) as f64 / u64::MAX as f64;
    let value = |i: u64, j: u64| {
        let center = 1_000.0 * unit(i % blobs * d + j + (1 << 40));
        let key = (i * d + j) * 4;
        center + unit(key) + unit(key + 1) + unit(key + 2)
    };
    (0..d).map(|j| (0..blobs * points).map(|i| value(i, j)).collect()).collect()
}

/// Components may lie in one cell: there are edges between them within it.
#[test]
fn separated_blobs_are_joined_within_a_cell() {
    for (points, d) in [(100, 2), (100, 8), (2_000, 2), (2_000, 3), (1_000, 8), (1_000, 14)] {
        let columns = far_apart(3, points, d);
        let spanned = |section: &str| {
            let folder = folder();
            let sections = format!("hdbscan: {{min_cluster_size: 50{section}}}\n");
            let job = job_over(folder.path(), &columns, &[], "", &sections);
            run(&job, 2, &RunOptions::default()).unwrap().density.unwrap()
        };
        let (exact, near) = (spanned(""), spanned(", graph: knn"));
        let sizes = |density: &DensityClustered| density.clusters.iter().map(|c| c.size).collect::<Vec<_>>();
        assert!(near.cells == 1 && near.graph.as_ref().unwrap().components >= 3, "{points} in {d}: {near:?}");
        assert_eq!(sizes(&near), sizes(&exact), "{points} in {d}");
        assert!((near.spanning_weight / exact.spanning_weight - 1.0).abs() < 1e-3, "{points} in {d}");
        // Each round joins every component to another.
        assert!(near.rounds <= near.graph.unwrap().components.ilog2() as usize + 1);
    }
}

/// The shortest edge out of a component may stay in its cell, or leave it.
#[test]
fn components_are_joined_by_their_shortest_edges() {
    let columns = far_apart(200, 40, 2);
    let spanned = |section: &str| {
        let folder = folder();
        let sections = format!("hdbscan: {{min_cluster_size: 20, cell_rows: 1000{section}}}\n");
        run(&job_over(folder.path(), &columns, &[], "", &sections), 2, &RunOptions::default()).unwrap().density.unwrap()
    };
    let (exact, near) = (spanned(""), spanned(", graph: knn"));
    let graph = near.graph.unwrap();
    assert!(near.cells > 4 && graph.components >= 150 && graph.recall > 0.999, "{graph:?}");
    assert!(near.rounds <= graph.components.ilog2() as usize + 1);
    let ratio = near.spanning_weight / exact.spanning_weight;
    assert!((1.0 - 1e-12..1.0 + 1e-3).contains(&ratio), "{ratio}");
}

#[test]
fn a_weight_is_so_many_rows() {
    let columns = blobs(500, 3);
    let weights: Vec<u32> = (0..500).map(|i| 1 + (mix(i) % 4) as u32).collect();
    let repeated: Vec<Vec<f64>> = columns
        .iter()
        .map(|column| column.iter().zip(&weights).flat_map(|(value, w)| vec![*value; *w as usize]).collect())
        .collect();
    for section in ["cell_rows: 200", "cell_rows: 200, resolution: 0.5"] {
        let sections = format!("hdbscan: {{min_cluster_size: 30, {section}}}\n");
        let (one, many) = (folder(), folder());
        let column: ArrayRef = Arc::new(UInt32Array::from(weights.clone()));
        let weighted = job_over(one.path(), &columns, &[("orders", column)], "  weight: orders\n", &sections);
        let weighted = run(&weighted, 2, &RunOptions::default()).unwrap().density.unwrap();
        let rows = run(&job_over(many.path(), &repeated, &[], "", &sections), 2, &RunOptions::default()).unwrap();
        let rows = rows.density.unwrap();
        assert_eq!((weighted.rows, weighted.weight), (500, rows.rows));
        assert_eq!((weighted.tree, weighted.noise, weighted.points), (rows.tree, rows.noise, rows.points));
        assert!((weighted.spanning_weight / rows.spanning_weight - 1.0).abs() < 1e-12);
        let labels = column_of(one.path(), "hdbscan_cluster");
        let expected: Vec<f64> = labels.iter().zip(&weights).flat_map(|(label, w)| vec![*label; *w as usize]).collect();
        assert_eq!(column_of(many.path(), "hdbscan_cluster"), expected);
    }
    for bad in [Some(0.0), Some(1.5), None, Some(-3.0), Some(f64::NAN), Some(1e10)] {
        let folder = folder();
        let column = floats((0..500).map(|i| if i == 77 { bad } else { Some(1.0 + (i % 3) as f64) }));
        let job = job_over(folder.path(), &columns, &[("orders", column)], "  weight: orders\n", "");
        let error = run(&job, 2, &RunOptions::default()).unwrap_err().message;
        assert!(error.contains("`orders`") && error.contains("customer_id = 77"), "{error}");
    }
}

/// A column of the assignments, by customer.
fn column_of(folder: &Path, name: &str) -> Vec<f64> {
    by_customer(&read_parquet(&folder.join("out/assignments")), name).into_values().collect()
}

#[test]
fn a_budget_that_no_grid_fits() {
    // The corners of a cube around 0 are in cells of their own, whatever the side of the grid.
    let corner = |i: u64, j: u64| if mix(i) >> j & 1 == 1 { 1.0 } else { -1.0 };
    let columns: Vec<Vec<f64>> = (0..12).map(|j| (0..5_000).map(|i| corner(i, j)).collect()).collect();
    let folder = folder();
    let job = job_over(folder.path(), &columns, &[], "", "hdbscan: {budget: 1000}\n");
    let error = run(&job, 2, &RunOptions::default()).unwrap_err().message;
    assert!(error.contains("hdbscan.budget") && error.contains("1000 cells"), "{error}");
    assert!(!folder.path().join("out/manifest.json").exists());
}
