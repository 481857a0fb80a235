//! From YAML to [`JobSpec`]: keys, defaults and limits.

use std::collections::BTreeMap;

use marked_yaml::Node;
use segmenta_algorithms::hdbscan::selection::{SelectionMethod, SelectionOptions};
use segmenta_algorithms::hierarchy::Linkage;
use segmenta_algorithms::imputation::{MAX_FEATURES, NeighborWeights};

use crate::depth::with_large_stack;

use super::reader::{Errors, Section, SpecError, SpecErrors, integer, number};
use super::{
    CutRule, Donors, Evaluate, FeatureScale, Fill, Forest, ForestThreshold, Graph, Hdbscan, Hierarchy, Impute, JobSpec,
    KMeans, KMeansAlgorithm, MAX_GAP_SWEEP, MinClusterSize, OutlierRule, Outliers, Profile, Quantiles, Resolution,
    Scale, ScaleMethod, ScoreSpec, Select, Source, Spec, Start, Table, TransformMethod,
};

const MAX_K: u64 = 1_000;
/// Coordinates of all centroids of a sweep: they travel with every plan, which has a limit of 64 MiB.
const MAX_SWEEP: usize = 2_000_000;
/// Rows of a batch of mini-batch K-Means.
const BATCH_ROWS: u64 = 65_536;
/// Columns that the output adds.
const OUTPUT_COLUMNS: &[&str] = &[
    "kmeans_cluster",
    "kmeans_distance",
    "kmeans_label",
    "hierarchy_cluster",
    "hierarchy_label",
    "hdbscan_cluster",
    "hdbscan_probability",
    "hdbscan_outlier_score",
    "rule",
    "feature",
    "value",
    "fence_low",
    "fence_high",
];
/// The points that HDBSCAN keeps in the coordinator's memory unless the spec says otherwise.
const POINT_BUDGET: u64 = 20_000_000;
/// Largest absolute value of a constant, as of a feature.
const LARGEST_CONSTANT: f64 = 1e140;
/// Rows that the trees of an isolation forest are grown on, together: the forest travels with every plan.
const MAX_FOREST: usize = 262_144;
/// Characters of a unit.
const LONGEST_UNIT: usize = 16;
/// Neighbours of `graph: knn`, unless `min_samples` needs more.
const NEIGHBORS: u64 = 15;

pub(super) fn spec(text: &str, origin: &str) -> Result<Spec, SpecErrors> {
    with_large_stack(|| read(text, origin)).unwrap_or_else(|message| {
        Err(SpecErrors(vec![SpecError { origin: origin.to_owned(), line: 1, column: 1, key: String::new(), message }]))
    })
}

fn read(text: &str, origin: &str) -> Result<Spec, SpecErrors> {
    let errors = Errors::new(origin);
    let Some(node) = errors.load(text) else { return Err(errors.finish()) };
    let top = Section::top(&errors, &node);
    let spec = if top.has("model") { Spec::Score(score(top)) } else { Spec::Job(Box::new(job(top))) };
    if errors.none() { Ok(spec) } else { Err(errors.finish()) }
}

/// Of a document that scores, where one that segments is wanted.
pub(super) fn not_a_job(origin: &str) -> SpecErrors {
    let message = "this spec scores rows by a model; here one is wanted that segments (source, kmeans, …)".to_owned();
    SpecErrors(vec![SpecError { origin: origin.to_owned(), line: 1, column: 1, key: "model".to_owned(), message }])
}

fn score(mut top: Section<'_>) -> ScoreSpec {
    let name = name(&mut top);
    let model = top.text("model").unwrap_or_default();
    if top.has("tables") == top.has("input") {
        let what = if top.has("input") { "stands beside `tables`; keep one of them" } else { "is missing" };
        top.wrong(
            "input",
            format!(
                "{what}: `input` is Parquet with the columns of the model (a path, glob, folder or URL, or a list of such), \
                 `tables` are those that the model's query reads"
            ),
        );
    }
    let input = match top.node("input") {
        Some(node) => top.texts("input", node),
        None => vec![],
    };
    let has_tables = top.has("tables");
    let tables = tables(&top.section("tables"));
    if has_tables && tables.is_empty() {
        top.wrong("tables", "must name at least one table, for example {orders: data/*.parquet}");
    }
    let sql = top.text("sql");
    if sql.is_some() && !has_tables {
        top.wrong("sql", "asks for `tables`, which it reads");
    }
    top.required("output", "the folder to write to");
    let output = top.text("output").unwrap_or_default();
    top.finish();
    ScoreSpec { name, model, input, tables, sql, output }
}

fn job(mut top: Section<'_>) -> JobSpec {
    let name = name(&mut top);
    top.required("source", "where the customers come from: {tables, sql, id, features}");
    let source = source(top.section("source"));
    let spec = JobSpec {
        name,
        impute: impute(top.section_or_method("impute"), &source.features),
        outliers: outliers(top.section_or_method("outliers"), &source.features),
        scale: scale(top.section_or_method("scale"), &source.features),
        kmeans: kmeans(top.section("kmeans"), source.features.len()),
        hierarchy: top.node("hierarchy").is_some().then(|| hierarchy(top.section("hierarchy"), source.features.len())),
        hdbscan: top.node("hdbscan").is_some().then(|| hdbscan(top.section("hdbscan"))),
        evaluate: evaluate(top.section("evaluate")),
        profile: profile(top.section("profile"), &source.features),
        source,
        previous: top.text("previous"),
        output: {
            top.required("output", "the folder to publish under");
            top.text("output").unwrap_or_default()
        },
    };
    top.finish();
    spec
}

fn name(top: &mut Section<'_>) -> String {
    top.required("name", "a name for the job");
    let name = top.text("name").unwrap_or_default();
    let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) && name.len() <= 100;
    if !fits {
        top.wrong("name", "must be at most 100 letters, digits, `.`, `_` or `-`");
    }
    name
}

/// Names and locations of tables.
fn tables(listed: &Section<'_>) -> Vec<Table> {
    let mut tables = Vec::new();
    for (name, node) in listed.entries() {
        let identifier = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !identifier {
            listed.wrong(name, "a table is named by letters, digits and `_`, and does not start with a digit");
        }
        // In SQL a name that is not quoted is one in lower case.
        if let Some(other) = tables.iter().find(|table: &&Table| table.name.eq_ignore_ascii_case(name)) {
            listed.wrong(name, format!("is the same name in SQL as `{}`; name one of them otherwise", other.name));
        }
        tables.push(Table { name: name.to_owned(), locations: listed.texts(name, node) });
    }
    tables
}

fn source(mut section: Section<'_>) -> Source {
    section.required("tables", "a mapping of table names to locations, for example {orders: data/*.parquet}");
    let tables = tables(&section.section("tables"));
    if tables.is_empty() && section.has("tables") {
        section.wrong("tables", "must name at least one table, for example {orders: data/*.parquet}");
    }
    let sql = section.text("sql");
    if tables.len() > 1 && !section.has("sql") {
        section
            .wrong("sql", format!("is missing: with {} tables, a query has to say how they become one", tables.len()));
    }
    let id = match section.required("id", "the column, or columns, that identify a customer") {
        Some(node) => section.texts("id", node),
        None => vec![],
    };
    let features = match section.required("features", "the columns to segment by") {
        Some(node) => section.texts("features", node),
        None => vec![],
    };
    if features.len() > MAX_FEATURES {
        section.wrong("features", format!("{} features; at most {MAX_FEATURES} are supported", features.len()));
    }
    let weight = section.text("weight");
    let weights: Vec<String> = weight.iter().cloned().collect();
    for (key, names) in [("id", &id), ("features", &features), ("weight", &weights)] {
        for (i, name) in names.iter().enumerate() {
            if names[..i].contains(name) || (key == "features" && id.contains(name)) {
                section.wrong(key, format!("`{name}` is listed twice"));
            }
            let taken = OUTPUT_COLUMNS.contains(&name.as_str())
                || features.iter().any(|feature| *name == format!("{feature}_imputed"));
            if taken || name.starts_with("__") {
                section.wrong(key, format!("`{name}` is a name that the output uses; rename it in source.sql"));
            }
        }
    }
    if let Some(name) = weight.as_ref().filter(|name| id.contains(name) || features.contains(name)) {
        section.wrong("weight", format!("`{name}` is an id or a feature already; a weight is neither"));
    }
    section.finish();
    Source { tables, sql, id, features, weight }
}

/// The settings of each feature: `own` reads those of the key `features`, starting from what holds for all.
fn by_feature<T: Copy>(
    section: &mut Section<'_>,
    features: &[String],
    all: T,
    own: impl Fn(&mut Section<'_>, T) -> T,
) -> Vec<T> {
    let listed = section.section("features");
    let mut settings = vec![all; features.len()];
    for (name, node) in listed.entries() {
        let Some(j) = features.iter().position(|feature| feature == name) else {
            listed.wrong(name, format!("is not one of source.features ({})", features.join(", ")));
            continue;
        };
        let mut of_feature = listed.within_or_method(name, Some(node));
        settings[j] = own(&mut of_feature, all);
        of_feature.finish();
    }
    settings
}

fn impute(mut section: Section<'_>, features: &[String]) -> Impute {
    let all = fill(&mut section, Fill::Knn);
    let fills = by_feature(&mut section, features, all, fill);
    let neighbors = section.integer("neighbors", 5, 1, 1_000) as usize;
    let weights = [("uniform", NeighborWeights::Uniform), ("distance", NeighborWeights::Distance)];
    let weights = section.choice("weights", &weights, NeighborWeights::Uniform);
    let donors = match section.node("donors") {
        None => Donors::AtMost(200_000),
        Some(Node::Scalar(scalar)) if scalar.as_str() == "all" => Donors::All,
        Some(node) => match integer(node) {
            Some(rows) if rows > 0 => Donors::AtMost(rows),
            _ => {
                section.wrong("donors", "must be `all`, or the largest number of donor rows");
                Donors::All
            }
        },
    };
    if !fills.contains(&Fill::Knn) && all != Fill::Knn {
        unused(&section, &["neighbors", "weights", "donors"], "only `method: knn` uses it; remove it");
    }
    section.finish();
    Impute { fills, neighbors, weights, donors }
}

fn fill(section: &mut Section<'_>, all: Fill) -> Fill {
    const METHODS: [&str; 5] = ["knn", "mean", "median", "constant", "none"];
    let inherited = match all {
        Fill::Knn => "knn",
        Fill::Mean => "mean",
        Fill::Median => "median",
        Fill::Constant(_) => "constant",
        Fill::None => "none",
    };
    let method = section.choice("method", &METHODS.map(|method| (method, method)), inherited);
    if method != "constant" {
        unused(section, &["value"], "only `method: constant` uses it; remove it");
        // So that the key is known.
        section.node("value");
    }
    match method {
        "mean" => Fill::Mean,
        "median" => Fill::Median,
        "none" => Fill::None,
        "constant" => {
            if !matches!(all, Fill::Constant(_)) {
                section.required("value", "what missing cells are filled with");
            }
            let value = if let Fill::Constant(value) = all { value } else { 0.0 };
            let limits = |value: f64| value.abs() <= LARGEST_CONSTANT;
            Fill::Constant(section.number("value", value, limits, "of up to 1e140"))
        }
        _ => Fill::Knn,
    }
}

fn unused(section: &Section<'_>, keys: &[&str], why: &str) {
    for key in keys {
        if section.has(key) {
            section.wrong(key, why);
        }
    }
}

fn outliers(mut section: Section<'_>, features: &[String]) -> Outliers {
    let all = outlier_rule(&mut section, OutlierRule::Iqr { factor: 1.5 });
    let rules = by_feature(&mut section, features, all, outlier_rule);
    let choices = [("exact", Quantiles::Exact), ("sketch", Quantiles::Sketch)];
    let quantiles = section.choice("quantiles", &choices, Quantiles::Exact);
    let needs_quantiles = |rule: &OutlierRule| !matches!(rule, OutlierRule::None | OutlierRule::Zscore { .. });
    if !rules.iter().any(needs_quantiles) && !needs_quantiles(&all) {
        unused(&section, &["quantiles"], "only the methods iqr, mad and percentile use it; remove it");
    }
    let forest = section.node("forest").is_some().then(|| forest(section.section("forest")));
    section.finish();
    Outliers { rules, quantiles, forest }
}

fn outlier_rule(section: &mut Section<'_>, all: OutlierRule) -> OutlierRule {
    const METHODS: [&str; 5] = ["iqr", "zscore", "mad", "percentile", "none"];
    let method = section.choice("method", &METHODS.map(|method| (method, method)), all.name());
    let factor = match (method, all) {
        ("iqr", OutlierRule::Iqr { factor })
        | ("zscore", OutlierRule::Zscore { factor })
        | ("mad", OutlierRule::Mad { factor }) => factor,
        ("iqr", _) => 1.5,
        ("zscore", _) => 3.0,
        _ => 3.5,
    };
    let factor = section.number("factor", factor, |value| value > 0.0, "above 0");
    let (low, high) = match all {
        OutlierRule::Percentile { low, high } => (low, high),
        _ => (0.01, 0.99),
    };
    let is_share = |value: f64| (0.0..=1.0).contains(&value);
    let low = section.number("low", low, is_share, "from 0 to 1");
    let high = section.number("high", high, is_share, "from 0 to 1");
    if method == "percentile" && low >= high {
        section.wrong(if section.has("low") { "low" } else { "high" }, format!("{low} is not below {high}"));
    }
    if method != "percentile" {
        unused(section, &["low", "high"], "only `method: percentile` uses it; remove it");
    }
    if matches!(method, "percentile" | "none") {
        unused(section, &["factor"], &format!("`method: {method}` does not use it; remove it"));
    }
    match method {
        "iqr" => OutlierRule::Iqr { factor },
        "zscore" => OutlierRule::Zscore { factor },
        "mad" => OutlierRule::Mad { factor },
        "percentile" => OutlierRule::Percentile { low, high },
        _ => OutlierRule::None,
    }
}

fn forest(mut section: Section<'_>) -> Forest {
    let contamination =
        section.number("contamination", 0.01, |share| share > 0.0 && share <= 0.5, "above 0, up to 0.5");
    let score = section.number("score", 0.6, |score| score > 0.0 && score < 1.0, "between 0 and 1");
    if section.has("contamination") && section.has("score") {
        section.wrong("score", "`contamination` says already who is cut; remove one");
    }
    let threshold = if section.has("score") {
        ForestThreshold::Score(score)
    } else {
        ForestThreshold::Contamination(contamination)
    };
    let trees = section.integer("trees", 100, 1, 1_000) as usize;
    let rows = section.integer("rows", 256, 2, 65_536) as usize;
    if trees * rows > MAX_FOREST {
        section.wrong(
            "trees",
            format!("{trees} trees of {rows} rows are more than {MAX_FOREST} rows; grow fewer, or smaller ones"),
        );
    }
    let seed = section.integer("seed", 0, 0, u64::MAX);
    section.finish();
    Forest { threshold, trees, rows, seed }
}

fn scale(mut section: Section<'_>, features: &[String]) -> Scale {
    let all = FeatureScale { method: ScaleMethod::Standard, transform: TransformMethod::None };
    let all = feature_scale(&mut section, all);
    let features = by_feature(&mut section, features, all, feature_scale);
    section.finish();
    Scale { features }
}

fn feature_scale(section: &mut Section<'_>, all: FeatureScale) -> FeatureScale {
    let methods = [
        ("standard", ScaleMethod::Standard),
        ("robust", ScaleMethod::Robust),
        ("minmax", ScaleMethod::Minmax),
        ("none", ScaleMethod::None),
    ];
    let method = section.choice("method", &methods, all.method);
    let transforms = [
        ("none", TransformMethod::None),
        ("log1p", TransformMethod::Log1p),
        ("signed_log1p", TransformMethod::SignedLog1p),
        ("yeo_johnson", TransformMethod::YeoJohnson),
    ];
    FeatureScale { method, transform: section.choice("transform", &transforms, all.transform) }
}

fn kmeans(mut section: Section<'_>, features: usize) -> KMeans {
    let given = section.node("start").and_then(Node::as_sequence).map(|rows| rows.len());
    let k: Vec<usize> = match section.node("k") {
        None => given.map_or_else(|| (2..=10).collect(), |k| vec![k]),
        Some(Node::Mapping(_)) => {
            let mut range = section.section("k");
            let from = range.integer("from", 2, 2, MAX_K);
            let to = range.integer("to", 10, 2, MAX_K);
            if to < from {
                range.wrong("to", format!("must be at least `from`, which is {from}"));
            }
            range.finish();
            (from as usize..=to as usize).collect()
        }
        Some(node) => match integer(node) {
            Some(k) if (1..=MAX_K).contains(&k) => vec![k as usize],
            _ => {
                section.wrong("k", format!("must be a whole number from 1 to {MAX_K}, or a range {{from: 2, to: 10}}"));
                vec![]
            }
        },
    };
    let select = section.choice("select", &Select::ALL.map(|rule| (rule.name(), rule)), Select::Elbow);
    let algorithm = kmeans_algorithm(&mut section);
    if algorithm == KMeansAlgorithm::Bisecting && k.contains(&1) {
        section.wrong("k", "`algorithm: bisecting` makes two clusters or more");
    }
    let seed = section.integer("seed", 0, 0, u64::MAX);
    let restarts = section.integer("restarts", 1, 1, 100) as usize;
    let max_iterations = section.integer("max_iterations", 300, 1, 1_000_000) as usize;
    let tolerance = section.number("tolerance", 1e-4, |value| value >= 0.0, "of at least 0");
    let start = match section.node("start") {
        None => Start::KmeansPlusPlus,
        Some(_) if algorithm == KMeansAlgorithm::Bisecting => {
            section.wrong("start", "`algorithm: bisecting` starts each split by itself; remove it");
            Start::KmeansPlusPlus
        }
        Some(Node::Scalar(scalar)) if scalar.as_str() == "kmeans++" => Start::KmeansPlusPlus,
        Some(Node::Scalar(scalar)) if scalar.as_str() == "kmeans||" => Start::KmeansParallel,
        Some(node) => match centroids(node, features) {
            Some(rows) if k.len() == 1 && rows.len() == k[0] => {
                if restarts > 1 {
                    section.wrong("restarts", "given centroids are one start; remove it");
                }
                Start::Centroids(rows)
            }
            Some(rows) => {
                let message = format!("{} centroids are given: set `k: {}`", rows.len(), rows.len());
                section.wrong("start", message);
                Start::KmeansPlusPlus
            }
            None => {
                let message = format!(
                    "must be `kmeans++`, `kmeans||`, or a list of centroids of {features} numbers each (scaled features)"
                );
                section.wrong("start", message);
                Start::KmeansPlusPlus
            }
        },
    };
    let values = k.iter().sum::<usize>() * restarts * features;
    if values > MAX_SWEEP {
        section.wrong(
            "k",
            format!(
                "the sweep has {values} coordinates of centroids, more than {MAX_SWEEP}; try fewer k, or fewer restarts"
            ),
        );
    }
    let values = k.iter().sum::<usize>() * features;
    if select == Select::Gap && values > MAX_GAP_SWEEP {
        section.wrong(
            "select",
            format!(
                "the gap statistic of a sweep of {values} coordinates of centroids takes too long, more than {MAX_GAP_SWEEP}; \
                 try fewer k, or choose another rule"
            ),
        );
    }
    section.finish();
    KMeans { k, select, algorithm, seed, restarts, max_iterations, tolerance, start }
}

fn kmeans_algorithm(section: &mut Section<'_>) -> KMeansAlgorithm {
    let minibatch = KMeansAlgorithm::Minibatch { batch_rows: BATCH_ROWS };
    let algorithms =
        [("lloyd", KMeansAlgorithm::Lloyd), ("minibatch", minibatch), ("bisecting", KMeansAlgorithm::Bisecting)];
    let algorithm = section.choice("algorithm", &algorithms, KMeansAlgorithm::Lloyd);
    let batch_rows = section.integer("batch_rows", BATCH_ROWS, 1_000, u64::MAX);
    if algorithm == minibatch {
        unused(
            section,
            &["tolerance"],
            "`algorithm: minibatch` stops when the batches' inertia does not fall; remove it",
        );
        return KMeansAlgorithm::Minibatch { batch_rows };
    }
    unused(section, &["batch_rows"], "only `algorithm: minibatch` uses it; remove it");
    algorithm
}

fn centroids(node: &Node, features: usize) -> Option<Vec<Vec<f64>>> {
    let rows = node.as_sequence()?.iter().map(|row| {
        let row: Option<Vec<f64>> = row.as_sequence()?.iter().map(number).collect();
        row.filter(|row| row.len() == features)
    });
    rows.collect()
}

fn hierarchy(mut section: Section<'_>, features: usize) -> Hierarchy {
    let linkages = [
        ("ward", Linkage::Ward),
        ("average", Linkage::Average),
        ("complete", Linkage::Complete),
        ("single", Linkage::Single),
    ];
    let linkage = section.choice("linkage", &linkages, Linkage::Ward);
    let clusters = section.integer("clusters", 3, 1, MAX_K) as usize;
    let height = section.number("height", 1.0, |height| height > 0.0, "above 0");
    if section.has("clusters") && section.has("height") {
        section.wrong("height", "`clusters` says already where the dendrogram is cut; remove one");
    }
    let cut = if section.has("height") { CutRule::Height(height) } else { CutRule::Clusters(clusters) };
    // What is linked travels to every worker, and that of a plan has its limits.
    let most = (MAX_SWEEP / features.max(1)) as u64;
    let budget = section.integer("budget", (linkage.exact_points(features) as u64).min(most), 2, most) as usize;
    let default = (linkage.micro_clusters(features) as u64).min(budget as u64);
    let micro_clusters = section.integer("micro_clusters", default, 2, most.min(100_000)) as usize;
    let seed = section.integer("seed", 0, 0, u64::MAX);
    section.finish();
    Hierarchy { linkage, cut, budget, micro_clusters, seed }
}

fn hdbscan(mut section: Section<'_>) -> Hdbscan {
    let size = |node: &Node| integer(node).filter(|size| *size >= 2);
    let min_cluster_size = match section.node("min_cluster_size") {
        None => MinClusterSize::Auto,
        Some(Node::Scalar(scalar)) if scalar.as_str() == "auto" => MinClusterSize::Auto,
        Some(node) => {
            let sizes: Option<Vec<u64>> = match node.as_sequence() {
                Some(nodes) => nodes.iter().map(size).collect(),
                None => size(node).map(|size| vec![size]),
            };
            match sizes {
                Some(mut sizes) if !sizes.is_empty() => {
                    sizes.sort_unstable();
                    sizes.dedup();
                    MinClusterSize::OneOf(sizes)
                }
                _ => {
                    section
                        .wrong("min_cluster_size", "must be a whole number of at least 2, a list of such, or `auto`");
                    MinClusterSize::Auto
                }
            }
        }
    };
    let min_samples = section.integer("min_samples", 10, 1, 1_000);
    let budget = section.integer("budget", POINT_BUDGET, 1_000, u64::from(u32::MAX) - 1);
    let resolution = match section.node("resolution") {
        None => Resolution::Auto { budget },
        Some(Node::Scalar(scalar)) if scalar.as_str() == "auto" => Resolution::Auto { budget },
        Some(node) => match number(node).filter(|side| *side >= 0.0 && side.is_finite()) {
            Some(side) => {
                unused(&section, &["budget"], "only `resolution: auto` uses it; remove it");
                Resolution::Side(side)
            }
            None => {
                section.wrong("resolution", "must be `auto`, 0 to keep every distinct point, or the side of a grid");
                Resolution::Auto { budget }
            }
        },
    };
    let methods = [("eom", SelectionMethod::Eom), ("leaf", SelectionMethod::Leaf)];
    let method = section.choice("selection", &methods, SelectionMethod::Eom);
    let cluster_selection_epsilon =
        section.number("cluster_selection_epsilon", 0.0, |value| value >= 0.0, "of at least 0");
    let max_cluster_size = section.has("max_cluster_size").then(|| section.integer("max_cluster_size", 2, 2, u64::MAX));
    let choices = [("true", true), ("false", false)];
    let allow_single_cluster = section.choice("allow_single_cluster", &choices, false);
    let cell_rows = section.integer("cell_rows", 256 * 1024, 100, 100_000_000);
    if method == SelectionMethod::Leaf {
        unused(&section, &["max_cluster_size"], "`selection: leaf` does not use it; remove it");
    }
    let graph = if section.choice("graph", &[("exact", false), ("knn", true)], false) {
        let least = min_samples.saturating_sub(1).max(1);
        Graph::Knn { neighbors: section.integer("neighbors", least.max(NEIGHBORS), least, 1_000) as usize }
    } else {
        unused(&section, &["neighbors"], "only `graph: knn` uses it; remove it");
        Graph::Exact
    };
    section.finish();
    let selection = SelectionOptions { method, cluster_selection_epsilon, max_cluster_size, allow_single_cluster };
    Hdbscan { min_cluster_size, min_samples, resolution, graph, selection, cell_rows }
}

fn evaluate(mut section: Section<'_>) -> Evaluate {
    let silhouette_rows = section.integer("silhouette_rows", 25_000, 100, 200_000);
    section.finish();
    Evaluate { silhouette_rows }
}

fn profile(mut section: Section<'_>, features: &[String]) -> Profile {
    let mut role = |key: &'static str| {
        let named = section.text(key);
        match named {
            Some(feature) if features.contains(&feature) => Some(feature),
            Some(feature) => {
                section.wrong(key, format!("`{feature}` is not one of source.features ({})", features.join(", ")));
                None
            }
            None => features.iter().find(|feature| *feature == key).cloned(),
        }
    };
    let (recency, frequency, monetary) = (role("recency"), role("frequency"), role("monetary"));
    let listed = section.section("units");
    let mut units = BTreeMap::new();
    for (feature, node) in listed.entries() {
        if !features.iter().any(|name| name == feature) {
            listed.wrong(feature, format!("is not one of source.features ({})", features.join(", ")));
        }
        if let [unit] = listed.texts(feature, node).as_slice() {
            if unit.is_empty() || unit.chars().count() > LONGEST_UNIT || unit.chars().any(char::is_control) {
                listed.wrong(feature, format!("a unit is 1 to {LONGEST_UNIT} characters, for example USD or days"));
            }
            units.insert(feature.to_owned(), unit.clone());
        } else {
            listed.wrong(feature, "a feature has one unit, for example USD or days");
        }
    }
    let as_of = section.text("as_of");
    if as_of.as_ref().is_some_and(|day| chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").is_err()) {
        section.wrong("as_of", "must be a day, for example 2026-11-27");
    }
    section.finish();
    Profile { recency, frequency, monetary, units, as_of }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "\
name: cdnow
source:
  tables: {orders: data/cdnow/*.parquet}
  sql: SELECT 1
  id: customer_id
  features: [recency, frequency, monetary]
impute:    {method: knn, neighbors: 5, weights: uniform}
outliers:  {method: iqr, factor: 1.5}
scale:     {method: standard, transform: log1p}
kmeans:    {k: {from: 2, to: 6}, select: silhouette, seed: 7, tolerance: 1e-3}
output: runs/cdnow
";

    fn errors(text: &str) -> Vec<(usize, String, String)> {
        let errors = JobSpec::parse(text, "job.yaml").unwrap_err();
        errors.0.into_iter().map(|e| (e.line, e.key, e.message)).collect()
    }

    #[test]
    fn a_whole_spec() {
        let spec = JobSpec::parse(WHOLE, "job.yaml").unwrap();
        assert_eq!(spec.kmeans.k, vec![2, 3, 4, 5, 6]);
        assert_eq!((spec.kmeans.seed, spec.kmeans.tolerance, spec.kmeans.select), (7, 1e-3, Select::Silhouette));
        let scale = FeatureScale { method: ScaleMethod::Standard, transform: TransformMethod::Log1p };
        assert_eq!(spec.scale.features, [scale; 3]);
        assert_eq!(spec.profile.monetary.as_deref(), Some("monetary"));
        assert_eq!(spec.source.tables[0].locations, vec!["data/cdnow/*.parquet"]);
    }

    #[test]
    fn a_spec_that_scores() {
        let text = "name: scores\nmodel: runs/model.json\ninput: new/*.parquet\noutput: runs/scores\n";
        let Ok(Spec::Score(spec)) = Spec::parse(text, "job.yaml") else { panic!("not a score") };
        assert_eq!((spec.name.as_str(), spec.model.as_str()), ("scores", "runs/model.json"));
        assert_eq!(spec.input, ["new/*.parquet"]);
        let list = text.replace("new/*.parquet", "[a, s3://b/c]");
        assert!(matches!(Spec::parse(&list, "job.yaml"), Ok(Spec::Score(spec)) if spec.input == ["a", "s3://b/c"]));
        assert!(errors(text)[0].2.contains("scores rows by a model"));
        for (wrong, key) in [("inptu: x", "inptu"), ("input: []", "input"), ("input: {a: b}", "input")] {
            let found = Spec::parse(&text.replace("input: new/*.parquet", wrong), "job.yaml").unwrap_err();
            assert!(found.0.iter().any(|error| error.key == key), "{wrong}: {found}");
        }
        assert!(matches!(Spec::parse(WHOLE, "job.yaml"), Ok(Spec::Job(_))));
    }

    #[test]
    fn json_and_defaults() {
        let json = r#"{"name": "a", "source": {"tables": {"t": ["x", "y"]}, "id": ["a", "b"], "features": ["f"]}, "output": "o"}"#;
        let spec = JobSpec::parse(json, "job.json").unwrap();
        assert_eq!(spec.impute.donors, Donors::AtMost(200_000));
        assert_eq!((spec.outliers.rules, spec.kmeans.k.len()), (vec![OutlierRule::Iqr { factor: 1.5 }], 9));
        assert_eq!(spec.profile, Profile::default());
        let mad = json.replace("\"output\"", "\"outliers\": {\"method\": \"mad\"}, \"output\"");
        let spec = JobSpec::parse(&mad, "job.json").unwrap();
        assert_eq!(spec.outliers.rules, [OutlierRule::Mad { factor: 3.5 }]);
    }

    #[test]
    fn features_may_differ() {
        let text = WHOLE
            .replace("weights: uniform}", "features: {frequency: {method: constant, value: -1}, recency: {method: median}}}")
            .replace(
                "factor: 1.5}",
                "factor: 2, quantiles: sketch, forest: {contamination: 0.02, trees: 50}, features: {recency: {factor: 3}, \
                 monetary: {method: percentile, high: 0.9}, frequency: {method: none}}}",
            )
            .replace("transform: log1p}", "features: {monetary: {transform: yeo_johnson}, recency: {method: minmax}}}");
        let spec = JobSpec::parse(&text, "job.yaml").unwrap();
        assert_eq!(spec.impute.fills, [Fill::Median, Fill::Constant(-1.0), Fill::Knn]);
        assert_eq!(
            spec.outliers.rules,
            [OutlierRule::Iqr { factor: 3.0 }, OutlierRule::None, OutlierRule::Percentile { low: 0.01, high: 0.9 }]
        );
        assert_eq!(spec.outliers.quantiles, Quantiles::Sketch);
        let forest = Forest { threshold: ForestThreshold::Contamination(0.02), trees: 50, rows: 256, seed: 0 };
        assert_eq!(spec.outliers.forest, Some(forest));
        let scale = |method, transform| FeatureScale { method, transform };
        assert_eq!(
            spec.scale.features,
            [
                scale(ScaleMethod::Minmax, TransformMethod::None),
                scale(ScaleMethod::Standard, TransformMethod::None),
                scale(ScaleMethod::Standard, TransformMethod::YeoJohnson)
            ]
        );
        for (from, to, message) in [
            ("factor: 1.5", "features: {recencie: {factor: 2}}", "not one of source.features"),
            ("factor: 1.5", "features: {recency: {high: 0.9}}", "only `method: percentile`"),
            ("factor: 1.5", "features: {recency: {method: percentile, low: 0.99}}", "is not below"),
            ("factor: 1.5", "features: {recency: {method: percentile, low: 2}}", "from 0 to 1"),
            ("factor: 1.5", "features: {recency: 3}", "must be one of iqr"),
            ("factor: 1.5", "features: {recency: [3]}", "must be a mapping"),
            ("factor: 1.5", "forest: {contamination: 0.1, score: 0.7}", "remove one"),
            ("factor: 1.5", "forest: {contamination: 0.9}", "up to 0.5"),
            ("factor: 1.5", "forest: {trees: 1000, rows: 60000}", "more than 262144 rows"),
            ("weights: uniform", "features: {recency: {method: constant}}", "is missing"),
            ("weights: uniform", "value: 3", "only `method: constant`"),
            ("transform: log1p", "transform: yeo-johnson", "did you mean `yeo_johnson`?"),
            ("factor: 1.5", "contamination: 0.1", "belongs to the section `forest`"),
            ("seed: 7", "random_state: 7", "here it is `seed`"),
            ("seed: 7", "n_clusters: 7", "here it is `k`"),
            ("seed: 7", "max_iter: 7", "here it is `max_iterations`"),
        ] {
            let found = errors(&WHOLE.replace(from, to));
            assert!(found.len() == 1 && found[0].2.contains(message), "{to}: {found:?}");
        }
    }

    #[test]
    fn a_method_alone_is_a_section() {
        let short = |from: &str, to: &str| WHOLE.replace(from, to);
        let text =
            short("{method: iqr, factor: 1.5}", "none").replace("{method: standard, transform: log1p}", "robust");
        let spec = JobSpec::parse(&text, "job.yaml").unwrap();
        assert_eq!(spec.outliers.rules, [OutlierRule::None; 3]);
        assert!(spec.scale.features.iter().all(|scale| scale.method == ScaleMethod::Robust));
        let text = short("{method: standard, transform: log1p}", "{features: {recency: minmax}}");
        assert_eq!(JobSpec::parse(&text, "job.yaml").unwrap().scale.features[0].method, ScaleMethod::Minmax);
        for (to, message) in
            [("nine", "must be one of"), ("zscor", "did you mean `zscore`?"), ("[iqr]", "must be a mapping")]
        {
            let found = errors(&short("{method: iqr, factor: 1.5}", to));
            assert!(found.len() == 1 && found[0].0 == 8 && found[0].2.contains(message), "{to}: {found:?}");
        }
        let found = errors(&short("{method: knn, neighbors: 5, weights: uniform}", "constant"));
        assert!(found.len() == 1 && found[0].1 == "impute.value", "{found:?}");
    }

    #[test]
    fn documents_that_no_one_would_write() {
        for (text, expected) in [
            ("[".repeat(100_000), "nests deeper"),
            (format!("a: {}", "{b: ".repeat(100_000)), "nests deeper"),
            ("- ".repeat(100_000), "nests deeper"),
            ((0..1_400).map(|i| format!("{}a:\n", " ".repeat(i))).collect(), "unknown key"),
            ("x".repeat(5 << 20), "a spec has at most"),
            (format!("{}: 1", "k".repeat(1_000)), "unknown key"),
        ] {
            let found = errors(&text);
            assert!(found.iter().any(|(_, _, message)| message.contains(expected)), "{expected}: {found:?}");
        }
        let many: String = (0..100_000).map(|i| format!("k{i}: 1\n")).collect();
        let told = JobSpec::parse(&many, "job.yaml").unwrap_err().to_string();
        assert!(told.contains("more mistakes") && told.len() < 50_000, "{}", told.len());
    }

    #[test]
    fn a_byte_order_mark_is_no_key() {
        assert!(JobSpec::parse(&format!("\u{feff}{WHOLE}"), "job.yaml").is_ok());
    }

    #[test]
    fn all_mistakes_at_once_with_key_and_line() {
        let text = WHOLE
            .replace("factor: 1.5", "facter: 1.5")
            .replace("method: knn", "method: kn")
            .replace("neighbors: 5", "neighbors: \"5\"")
            .replace("id: customer_id", "ids: customer_id")
            .replace("to: 6", "to: 1");
        let found = errors(&text);
        let at = |line: usize, key: &str| {
            let hit = found.iter().find(|(l, k, _)| *l == line && k == key);
            hit.unwrap_or_else(|| panic!("{line} {key}: {found:?}")).2.clone()
        };
        assert!(at(5, "source.ids").contains("unknown key"));
        assert!(at(3, "source.id").contains("is missing"));
        assert!(at(7, "impute.method").contains("did you mean `knn`?"));
        assert!(at(7, "impute.neighbors").contains("whole number, from 1 to 1000"));
        assert!(at(8, "outliers.facter").contains("did you mean `factor`?"));
        assert!(at(10, "kmeans.k.to").contains("from 2 to 1000"));
        assert_eq!(found.len(), 6, "{found:?}");
    }

    #[test]
    fn settings_that_would_be_ignored_are_mistakes() {
        let found = errors(&WHOLE.replace("method: knn", "method: mean"));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].2.contains("only `method: knn`"));
        assert_eq!(errors(&WHOLE.replace("method: iqr", "method: none")).len(), 1);
    }

    #[test]
    fn names_that_collide() {
        let found = errors(&WHOLE.replace("[recency, frequency, monetary]", "[recency, recency, kmeans_cluster, __x]"));
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn given_centroids() {
        let with = |k: &str, start: &str| WHOLE.replace("k: {from: 2, to: 6}", &format!("k: {k}, start: {start}"));
        let spec = JobSpec::parse(&with("2", "[[0, 0, 0], [1, 1.5, -2e0]]"), "job.yaml").unwrap();
        assert_eq!(spec.kmeans.start, Start::Centroids(vec![vec![0.0; 3], vec![1.0, 1.5, -2.0]]));
        let list = WHOLE.replace("k: {from: 2, to: 6}", "start: [[0, 0, 0], [1, 1, 1]]");
        assert_eq!(JobSpec::parse(&list, "job.yaml").unwrap().kmeans.k, vec![2]);
        assert!(
            errors(&WHOLE.replace("{from: 2, to: 6}", "{from: 2, to: 1000}, restarts: 9"))[0].2.contains("coordinates")
        );
        assert!(errors(&with("3", "[[0, 0, 0], [1, 1, 1]]"))[0].2.contains("set `k: 2`"));
        assert!(errors(&with("2", "[[0, 0], [1, 1, 1]]"))[0].2.contains("3 numbers"));
    }

    #[test]
    fn kmeans_variants() {
        let with = |settings: &str| WHOLE.replace("seed: 7, tolerance: 1e-3", settings);
        let parsed = |settings: &str| JobSpec::parse(&with(settings), "job.yaml").unwrap().kmeans;
        assert_eq!(parsed("seed: 7").algorithm, KMeansAlgorithm::Lloyd);
        assert_eq!(parsed("start: kmeans||").start, Start::KmeansParallel);
        assert_eq!(parsed("algorithm: bisecting").algorithm, KMeansAlgorithm::Bisecting);
        let batches = parsed("algorithm: minibatch, batch_rows: 5000").algorithm;
        assert_eq!(batches, KMeansAlgorithm::Minibatch { batch_rows: 5_000 });
        for (settings, message) in [
            ("algorithm: bisect", "did you mean `bisecting`?"),
            ("algorithm: bisecting, start: kmeans++", "starts each split by itself"),
            ("batch_rows: 5000", "only `algorithm: minibatch`"),
            ("algorithm: minibatch, batch_rows: 10", "at least 1000"),
            ("algorithm: minibatch, tolerance: 1", "inertia does not fall"),
            ("start: random", "`kmeans||`"),
        ] {
            let found = errors(&with(settings));
            assert!(found.len() == 1 && found[0].2.contains(message), "{settings}: {found:?}");
        }
        let rules = WHOLE.replace("select: silhouette", "select: gap");
        assert_eq!(JobSpec::parse(&rules, "job.yaml").unwrap().kmeans.select, Select::Gap);
        assert!(errors(&rules.replace("to: 6", "to: 200"))[0].2.contains("takes too long"));
        let one = WHOLE.replace("k: {from: 2, to: 6}", "k: 1, algorithm: bisecting");
        assert!(errors(&one)[0].2.contains("two clusters or more"));
    }

    #[test]
    fn hierarchies() {
        let with = |section: &str| WHOLE.replace("output:", &format!("hierarchy: {section}\noutput:"));
        let parsed = |section: &str| JobSpec::parse(&with(section), "job.yaml").unwrap().hierarchy.unwrap();
        assert_eq!(JobSpec::parse(WHOLE, "job.yaml").unwrap().hierarchy, None);
        let default = parsed("{}");
        assert_eq!((default.linkage, default.cut), (Linkage::Ward, CutRule::Clusters(3)));
        assert_eq!((default.budget, default.micro_clusters), (200_000, 20_000));
        let given = parsed("{linkage: average, height: 2.5, budget: 500}");
        assert_eq!((given.linkage, given.cut), (Linkage::Average, CutRule::Height(2.5)));
        assert_eq!((given.budget, given.micro_clusters), (500, 500));
        for (section, message) in [
            ("{linkage: wards}", "did you mean `ward`?"),
            ("{clusters: 0}", "from 1"),
            ("{clusters: 3, height: 1}", "remove one"),
            ("{budget: 1}", "from 2"),
        ] {
            let found = errors(&with(section));
            assert!(found.len() == 1 && found[0].2.contains(message), "{section}: {found:?}");
        }
    }

    #[test]
    fn hdbscan_sizes_and_resolutions() {
        let with = |section: &str| WHOLE.replace("output:", &format!("hdbscan: {section}\noutput:"));
        let parsed = |section: &str| JobSpec::parse(&with(section), "job.yaml").unwrap().hdbscan.unwrap();
        assert_eq!(JobSpec::parse(WHOLE, "job.yaml").unwrap().hdbscan, None);
        let default = parsed("{}");
        assert_eq!((default.min_cluster_size, default.min_samples), (MinClusterSize::Auto, 10));
        assert_eq!(default.resolution, Resolution::Auto { budget: 20_000_000 });
        let given =
            parsed("{min_cluster_size: [50, 20], resolution: 0.1, selection: leaf, allow_single_cluster: true}");
        assert_eq!(given.min_cluster_size, MinClusterSize::OneOf(vec![20, 50]));
        assert_eq!(given.resolution, Resolution::Side(0.1));
        assert!(given.selection.allow_single_cluster);
        for (section, message) in [
            ("{min_cluster_size: 1}", "at least 2"),
            ("{min_cluster_size: []}", "at least 2"),
            ("{min_samples: 0}", "from 1"),
            ("{resolution: -1}", "side of a grid"),
            ("{resolution: fine}", "must be `auto`"),
            ("{resolution: 0, budget: 5000}", "only `resolution: auto`"),
            ("{selection: leaf, max_cluster_size: 9}", "leaf"),
            ("{selection: eon}", "did you mean `eom`?"),
        ] {
            let found = errors(&with(section));
            assert!(found.len() == 1 && found[0].2.contains(message), "{section}: {found:?}");
        }
    }

    #[test]
    fn nothing_panics() {
        for end in 0..WHOLE.len() {
            let _ = JobSpec::parse(&WHOLE[..end], "job.yaml");
        }
        for text in [
            "",
            "- a",
            "a: [",
            "\t",
            "name: &x 1",
            "? [a]\n: b",
            "name: !!str x",
            "name: a\nname: b",
            "null",
            "{}",
            "[[[[[[",
        ] {
            assert!(JobSpec::parse(text, "job.yaml").is_err(), "{text}");
        }
        assert!(errors(&WHOLE.replace("output: runs/cdnow", "output: null"))[0].2.contains("must be text"));
        assert!(errors("name: a\nname: b")[0].2.contains("line 1"));
        assert_eq!(errors("impute:\n")[0].0, 1);
    }
}
