//! The kernels against scikit-learn: fixtures and tolerances are described in `tests/parity/README.md`.

#![allow(clippy::unwrap_used)]

use ndarray::Array2;
use segmenta_algorithms::hdbscan::condensed_tree::{CondensedTree, Edge, sort_edges};
use segmenta_algorithms::hdbscan::core_distances::core_distances;
use segmenta_algorithms::hdbscan::membership::{Memberships, persistence};
use segmenta_algorithms::hdbscan::prediction::{CellPlaces, Clustering, Queries};
use segmenta_algorithms::hdbscan::selection::{SelectionMethod, SelectionOptions, select};
use segmenta_algorithms::hdbscan::spanning_tree::spanning_tree;
use segmenta_algorithms::hdbscan::validity::relative_validity;
use segmenta_algorithms::imputation::{Donors, KnnImputer, NeighborWeights};
use segmenta_algorithms::kmeans::{
    self, Assigner, Centers, FilterTree, Judge, Lloyd, Partial, Progress, accumulate_all, coordinate_quanta,
};
use segmenta_algorithms::metrics::{Labelling, SilhouetteReference, calinski_harabasz, davies_bouldin};
use segmenta_algorithms::outliers::IsolationForest;
use segmenta_algorithms::rows::{Rows, matrix, squared_distance};
use segmenta_algorithms::spatial_tree::SpatialTree;
use segmenta_algorithms::sums::Bounds;
use segmenta_algorithms::with_dimensions;
use serde_json::Value;

fn fixture(name: &str) -> Value {
    let path = format!("{}/../../tests/parity/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A JSON matrix; `null` is a missing cell.
fn rows_of(value: &Value) -> Array2<f64> {
    let rows = value.as_array().unwrap();
    let columns = rows[0].as_array().unwrap().len();
    let cells = rows.iter().flat_map(|row| row.as_array().unwrap()).map(|cell| cell.as_f64().unwrap_or(f64::NAN));
    matrix(cells.collect(), columns)
}

fn assert_close(ours: f64, theirs: f64, tolerance: f64, what: &str) {
    assert!((ours - theirs).abs() <= tolerance * theirs.abs().max(1.0), "{what}: {ours} is not {theirs}");
}

#[test]
fn knn_imputation_on_small_matrices() {
    let mut compared = 0;
    for fixture in ["knn_small.json", "knn_patterns.json"].map(fixture) {
        for case in fixture["cases"].as_array().unwrap() {
            compared += compare_imputation(case);
        }
    }
    assert!(compared > 10_000);
}

/// How many cells were compared.
fn compare_imputation(case: &Value) -> usize {
    let input = rows_of(&case["input"]);
    let d = input.ncols();
    let mut bounds = vec![Bounds::default(); d];
    for row in input.row_slices() {
        bounds.iter_mut().zip(row).for_each(|(bounds, cell)| bounds.include(*cell));
    }
    let means: Vec<f64> = (0..d)
        .map(|j| {
            let cells: Vec<f64> = input.row_slices().map(|row| row[j]).filter(|cell| !cell.is_nan()).collect();
            cells.iter().sum::<f64>() / cells.len() as f64
        })
        .collect();
    let mut compared = 0;
    for result in case["results"].as_array().unwrap() {
        let neighbors = result["n_neighbors"].as_u64().unwrap() as usize;
        let (weights, tolerance) = match result["weights"].as_str().unwrap() {
            "uniform" => (NeighborWeights::Uniform, 1e-12),
            // scikit-learn's own distances lose digits for near donors.
            _ => (NeighborWeights::Distance, 2e-9),
        };
        let mut donors = Donors::new(d);
        donors.extend(input.values());
        let imputer = KnnImputer::new(donors, neighbors, weights, &bounds, 2);
        let output = rows_of(&result["output"]);
        let mut filled = input.values().to_vec();
        imputer.impute(&mut filled, &means);
        for (ours, theirs) in filled.iter().zip(output.values()) {
            assert_close(*ours, *theirs, tolerance, &format!("{} {neighbors} {weights:?}", case["name"]));
            compared += 1;
        }
    }
    compared
}

#[test]
fn quality_scores_on_three_hundred_points() {
    let fixture = fixture("metrics_small.json");
    let points = rows_of(&fixture["points"]);
    let labels: Vec<u32> =
        fixture["labels"].as_array().unwrap().iter().map(|label| label.as_u64().unwrap() as u32).collect();
    let k = fixture["n_clusters"].as_u64().unwrap() as usize;
    let d = points.ncols();

    let labelling = Labelling { k, labels: labels.clone() };
    let reference = SilhouetteReference::new(&points, &vec![1.0; points.nrows()], &[labelling], &[]);
    let samples = fixture["silhouette_samples"].as_array().unwrap();
    let mut total = 0.0;
    for ((row, label), expected) in points.row_slices().zip(&labels).zip(samples) {
        let silhouette = reference.silhouettes(row, 1.0, 0, &[*label])[0].value;
        assert_close(silhouette, expected.as_f64().unwrap(), 1e-9, "silhouette of a row");
        total += silhouette;
    }
    let mean = total / points.nrows() as f64;
    assert_close(mean, fixture["silhouette"].as_f64().unwrap(), 1e-9, "silhouette");

    let mut means = matrix(vec![0.0; k * d], d);
    let mut counts = vec![0u64; k];
    for (row, label) in points.row_slices().zip(&labels) {
        counts[*label as usize] += 1;
        means.row_mut(*label as usize).iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    for (c, count) in counts.iter().enumerate() {
        means.row_mut(c).iter_mut().for_each(|sum| *sum /= *count as f64);
    }
    let (mut within, mut spreads) = (0.0, vec![0.0; k]);
    for (row, label) in points.row_slices().zip(&labels) {
        let squared = squared_distance(row, means.row_slice(*label as usize));
        within += squared;
        spreads[*label as usize] += squared.sqrt() / counts[*label as usize] as f64;
    }
    let score = calinski_harabasz(&means, &counts, within).unwrap();
    assert_close(score, fixture["calinski_harabasz"].as_f64().unwrap(), 1e-9, "Calinski-Harabasz");
    let score = davies_bouldin(&means, &counts, &spreads).unwrap();
    assert_close(score, fixture["davies_bouldin"].as_f64().unwrap(), 1e-9, "Davies-Bouldin");
}

/// Lloyd's algorithm by each kind of pass, from scikit-learn's start.
#[test]
fn kmeans_in_many_dimensions() {
    let fixture = fixture("kmeans_dimensions.json");
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let points = rows_of(&case["points"]);
        let (n, d) = (points.nrows(), points.ncols());
        let weights: Option<Vec<u32>> = case["weights"]
            .as_array()
            .map(|weights| weights.iter().map(|weight| weight.as_u64().unwrap() as u32).collect());
        let weights = weights.as_deref();
        let mut bounds = vec![Bounds::default(); d];
        points
            .row_slices()
            .for_each(|row| row.iter().zip(&mut bounds).for_each(|(value, bounds)| bounds.include(*value)));
        let tree_pass = |assigner: &Assigner, partial: &mut Partial| {
            with_dimensions!(d, D => {
                FilterTree::<D>::build(points.clone(), weights, &bounds).accumulate(assigner, true, partial);
            });
        };
        let sweep_pass = |assigner: &Assigner, partial: &mut Partial| {
            accumulate_all(&points, weights, std::iter::once((assigner, true, partial)));
        };
        for pass in [&tree_pass as &dyn Fn(&Assigner, &mut Partial), &sweep_pass] {
            let start = rows_of(&case["start"]).values().to_vec();
            let mut lloyd = Lloyd::new(start, d, case["tolerance"].as_f64().unwrap(), 300);
            let (assigner, partial) = loop {
                let assigner = Assigner::new(Centers::flat(lloyd.centroids().to_vec(), d), &bounds, 0);
                let mut partial = assigner.empty_partial();
                pass(&assigner, &mut partial);
                if lloyd.progress() != Progress::Running {
                    break (assigner, partial);
                }
                lloyd.step(&partial, &[], &coordinate_quanta(&bounds));
            };
            let what = format!("{d} dimensions, k = {}, weights: {}", lloyd.k(), weights.is_some());
            assert_eq!(lloyd.iterations() as u64, case["iterations"].as_u64().unwrap(), "{what}");
            for (ours, theirs) in lloyd.centroids().iter().zip(rows_of(&case["centers"]).values()) {
                assert_close(*ours, *theirs, 1e-9, &what);
            }
            assert_close(assigner.inertia(&partial), case["inertia"].as_f64().unwrap(), 1e-9, &what);
            let labels: Vec<u32> = points.row_slices().map(|row| assigner.centers().nearest(row).0 as u32).collect();
            let expected: Vec<u32> =
                case["labels"].as_array().unwrap().iter().map(|label| label.as_u64().unwrap() as u32).collect();
            assert_eq!(labels, expected, "{what}");

            let judge = Judge::new(&kmeans::Clustering::new(&assigner, &partial), &bounds);
            let total = partial.counts.iter().sum();
            let squared: i128 = judge.judge(&points, weights).squared_silhouettes.iter().sum();
            let squared = Judge::silhouette_quantum().mean(squared, total);
            assert_close(squared, case["silhouette_squared"].as_f64().unwrap(), 1e-9, &what);
            let weight: Vec<f64> = (0..n).map(|i| weights.map_or(1.0, |weights| f64::from(weights[i]))).collect();
            let labelling = Labelling { k: lloyd.k(), labels: labels.clone() };
            let reference = SilhouetteReference::new(&points, &weight, &[labelling], &[]);
            let rows = points.row_slices().zip(&labels).zip(&weight);
            let terms =
                rows.map(|((row, label), weight)| weight * reference.silhouettes(row, 1.0, 0, &[*label])[0].value);
            assert_close(terms.sum::<f64>() / total as f64, case["silhouette"].as_f64().unwrap(), 1e-9, &what);
        }
    }
}

/// HDBSCAN over all of its steps, with brute-force cells of one, against scikit-learn and the hdbscan package.
#[test]
fn hdbscan_on_small_data() {
    let mut compared = 0;
    for set in fixture("hdbscan.json").as_array().unwrap() {
        let d = set["dimensions"].as_u64().unwrap() as usize;
        let all = rows_of(&set["points"]);
        for case in set["cases"].as_array().unwrap() {
            let rows = case["rows"].as_u64().unwrap() as usize;
            let points = matrix(all.values()[..rows * d].to_vec(), d);
            segmenta_algorithms::with_dimensions!(d, D => hdbscan_case::<D>(&points, case));
            compared += 1;
        }
    }
    assert_eq!(compared, 28);
}

/// Where a point falls out of the condensed tree.
#[derive(Clone, Copy)]
struct ModelPoint {
    squared_core: f64,
    cluster: u32,
    height: f64,
}

/// New rows, labelled as the hdbscan package does; `names` translates our labels.
fn predicted<const D: usize>(
    points: &Array2<f64>,
    model: &[ModelPoint],
    clustering: &Clustering,
    names: &std::collections::BTreeMap<i32, i32>,
    expected: &Value,
) {
    let new = rows_of(&expected["points"]);
    let mut queries = Queries::<D>::new(&new, clustering.min_samples);
    // Two cells.
    let n = points.nrows();
    let cells: Vec<_> = [0..n / 3, n / 3..n]
        .into_iter()
        .map(|range| {
            let rows = points.slice_axis(ndarray::Axis(0), ndarray::Slice::from(range.clone())).to_owned();
            let (tree, order) = SpatialTree::<D>::build(&rows, 1);
            let model: Vec<ModelPoint> = order.iter().map(|i| model[range.start + *i as usize]).collect();
            (range.start as u32, tree, model)
        })
        .collect();
    for (first, tree, _) in &cells {
        queries.search(*first, tree);
    }
    for (first, _, model) in &cells {
        let squared_core: Vec<f64> = model.iter().map(|point| point.squared_core).collect();
        let cluster: Vec<u32> = model.iter().map(|point| point.cluster).collect();
        let height: Vec<f64> = model.iter().map(|point| point.height).collect();
        let places = CellPlaces { weights: None, squared_core: &squared_core, cluster: &cluster, height: &height };
        queries.look_up(*first, &places);
    }
    for (i, found) in queries.memberships(clustering).iter().enumerate() {
        let label = if found.label < 0 { -1 } else { names[&found.label] };
        assert_eq!(i64::from(label), expected["labels"][i].as_i64().unwrap(), "new row {i}");
        assert_close(
            found.probability,
            expected["probabilities"][i].as_f64().unwrap(),
            1e-6,
            "a new row's probability",
        );
    }
    assert_eq!(new.nrows(), 60);
}

fn hdbscan_case<const D: usize>(points: &Array2<f64>, case: &Value) {
    let n = points.nrows();
    let what = format!("{} columns, {}", points.ncols(), case["options"]);
    let floats = |name: &str| -> Vec<f64> {
        case[name].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let option = |name: &str| &case["options"][name];
    let options = SelectionOptions {
        method: match option("cluster_selection_method").as_str().unwrap() {
            "eom" => SelectionMethod::Eom,
            _ => SelectionMethod::Leaf,
        },
        cluster_selection_epsilon: option("cluster_selection_epsilon").as_f64().unwrap_or_default(),
        max_cluster_size: option("max_cluster_size").as_u64(),
        allow_single_cluster: option("allow_single_cluster").as_bool().unwrap_or_default(),
    };
    let (tree, order) = SpatialTree::<D>::build(points, 1);
    let ids: Vec<u64> = order.iter().map(|i| u64::from(*i)).collect();
    let core = core_distances(&tree, None, case["min_samples"].as_u64().unwrap() as usize, 1);
    let mut edges: Vec<Edge> = spanning_tree(&tree, &core, &ids, 1)
        .iter()
        .map(|edge| Edge { distance: edge.squared_reach.sqrt(), a: order[edge.a as usize], b: order[edge.b as usize] })
        .collect();
    sort_edges(&mut edges);
    let weight: f64 = edges.iter().map(|edge| edge.distance).sum();
    let expected = case["spanning_weight"].as_f64().unwrap();
    assert!((weight - expected).abs() <= 1e-9 * expected, "{what}: {weight} is not {expected}");

    let condensed = CondensedTree::new(n, &edges, None, case["min_cluster_size"].as_u64().unwrap(), &mut |_| {});
    let selected = select(&condensed.clusters, &options);
    let numbers: Vec<i32> = (0..selected.clusters.len() as i32).collect();
    let memberships = Memberships::new(&condensed.clusters, &selected, &numbers, &options);
    let found: Vec<_> =
        condensed.point_cluster.iter().zip(&condensed.point_height).map(|(c, h)| memberships.of(*c, *h)).collect();
    // Labels up to their names.
    let theirs: Vec<i32> = floats("labels").iter().map(|label| *label as i32).collect();
    let mut names = std::collections::BTreeMap::new();
    for (ours, theirs) in found.iter().zip(&theirs) {
        assert_eq!(*names.entry(ours.label).or_insert(*theirs), *theirs, "{what}: labels");
    }
    let distinct: std::collections::BTreeSet<i32> = names.values().copied().collect();
    assert_eq!(distinct.len(), names.len(), "{what}: labels");
    assert_eq!(names.get(&-1).copied().unwrap_or(-1), -1, "{what}: noise");
    for (i, (probability, score)) in floats("probabilities").iter().zip(floats("outlier_scores")).enumerate() {
        assert!((found[i].probability - probability).abs() <= 1e-6, "{what}: probability {i}");
        assert!((found[i].outlier_score - score).abs() <= 1e-6, "{what}: outlier score {i}");
    }
    let mut sizes = vec![0; numbers.len()];
    found.iter().filter(|m| m.label >= 0).for_each(|m| sizes[m.label as usize] += 1);
    let largest = condensed.point_height.iter().fold(0.0, |largest, height| f64::max(largest, 1.0 / height));
    let expected = floats("persistence");
    for (label, cluster) in selected.clusters.iter().enumerate() {
        let ours = persistence(selected.stability[*cluster as usize], sizes[label], largest);
        let theirs = expected[names[&(label as i32)] as usize];
        assert_close(ours, theirs, 1e-6, &format!("{what}: persistence of {label}"));
    }
    if !case["predicted"].is_null() {
        let mut model = vec![ModelPoint { squared_core: 0.0, cluster: 0, height: 0.0 }; n];
        for (place, row) in order.iter().enumerate() {
            let i = *row as usize;
            let (cluster, height) = (condensed.point_cluster[i], condensed.point_height[i]);
            model[i] = ModelPoint { squared_core: core.squared_core[place], cluster, height };
        }
        let min_samples = case["min_samples"].as_u64().unwrap();
        let clustering =
            Clustering { clusters: condensed.clusters.clone(), memberships: memberships.clone(), min_samples };
        predicted::<D>(points, &model, &clustering, &names, &case["predicted"]);
    }
    let labels: Vec<i32> = found.iter().map(|m| m.label).collect();
    let validity = relative_validity(&edges, &labels, None, &sizes, n as u64);
    assert_close(validity.unwrap(), case["validity"].as_f64().unwrap(), 1e-9, &format!("{what}: validity"));
}

#[test]
fn an_isolation_forest_tells_outliers_as_well() {
    let fixture = fixture("isolation_forest.json");
    let rows = rows_of(&fixture["rows"]);
    let theirs = rows_of(&Value::Array(vec![fixture["score"].clone()]));
    let trees = fixture["trees"].as_u64().unwrap() as usize;
    let forest = IsolationForest::grow(rows.values(), 3, trees, fixture["rows_per_tree"].as_u64().unwrap() as usize, 1);
    let ours = forest.scores(rows.values());
    // Another forest of scikit-learn's correlates this much with the mean of eight; our scores are as near.
    let least = fixture["spearman_least"].as_f64().unwrap() - 0.01;
    let (a, b) = (ranks(&ours), ranks(theirs.row_slice(0)));
    let mean = (ours.len() - 1) as f64 / 2.0;
    let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum::<f64>();
    let spearman = product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt();
    assert!(spearman >= least, "{spearman}");
    assert!(ours.iter().zip(theirs.row_slice(0)).all(|(a, b)| (a - b).abs() < 0.05));
    let outlier: Vec<bool> =
        fixture["outlier"].as_array().unwrap().iter().map(|flag| flag.as_u64() == Some(1)).collect();
    let outliers = outlier.iter().filter(|flag| **flag).count() as f64;
    let sum: f64 = a.iter().zip(&outlier).filter(|(_, flag)| **flag).map(|(rank, _)| rank + 1.0).sum();
    let auc = (sum - outliers * (outliers + 1.0) / 2.0) / (outliers * (ours.len() as f64 - outliers));
    let aucs = fixture["auc"].as_array().unwrap().iter().map(|auc| auc.as_f64().unwrap());
    let least = aucs.fold(f64::INFINITY, f64::min) - 0.01;
    assert!(auc >= least, "{auc}");
}

/// Ranks from 0; ties as they come.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    order.iter().enumerate().for_each(|(rank, row)| ranks[*row] = rank as f64);
    ranks
}
