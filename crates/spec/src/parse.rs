//! From a document to [`JobSpec`]: defaults, and what depends on more than one key.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use segmenta_algorithms::hdbscan::selection::{SelectionMethod, SelectionOptions};
use segmenta_algorithms::hierarchy::Linkage;
use segmenta_algorithms::imputation::{MAX_FEATURES, NeighborWeights};
use segmenta_algorithms::labels::NAMES;

use super::{
    CutRule, Donors, Evaluate, FeatureScale, FenceSpace, Fill, Forest, ForestThreshold, Graph, Hdbscan, Hierarchy,
    Impute, JobSpec, KMeans, KMeansAlgorithm, MAX_GAP_SWEEP, MinClusterSize, OutlierAction, OutlierRule, Outliers,
    OwnLabel, Profile, Quantiles, Resolution, Scale, ScaleMethod, ScoreSpec, Select, Source, Spec, Start, Table,
    TransformMethod,
};
use crate::check::read;
use crate::depth::with_large_stack;
use crate::document::{
    self, Algorithm, Drawn, FillMethod, FillOf, GraphName, JobDocument, K, OrMethod, OutlierMethod, OutlierRuleOf,
    ScaleOf, ScoreDocument, Tables, Texts,
};
use crate::reader::{Errors, Place, SpecError, SpecErrors};

const MAX_K: usize = 1_000;
/// Coordinates of all centroids of a sweep: they travel with every plan, which has a limit of 64 MiB.
const MAX_SWEEP: usize = 2_000_000;
/// Rows of a batch of mini-batch K-Means.
const BATCH_ROWS: u64 = 65_536;
/// Interquartile ranges beyond the quartiles. Tukey's 1.5 takes 0.7 % of a normal feature, and so in every second table of a
/// few dozen normal rows a row that is no outlier; this factor does so in one of twenty (Hoaglin and Iglewicz, Fine-Tuning Some
/// Resistant Rules for Outlier Labeling, JASA 82, 1987).
const IQR_FACTOR: f64 = 2.2;
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
    "outlier",
    "outlier_rule",
    "outlier_feature",
    "outlier_value",
    "outlier_fence_low",
    "outlier_fence_high",
    "rule",
    "feature",
    "value",
    "fence_low",
    "fence_high",
];
/// Donors of KNN imputation, unless the spec says otherwise.
const DONORS: u64 = 200_000;
/// The points that HDBSCAN keeps in the coordinator's memory unless the spec says otherwise.
const POINT_BUDGET: u64 = 20_000_000;
/// Rows that the trees of an isolation forest are grown on, together: the forest travels with every plan.
const MAX_FOREST: usize = 262_144;
/// Characters of a unit.
const LONGEST_UNIT: usize = 16;
/// Neighbours of `graph: knn`, unless `min_samples` needs more.
const NEIGHBORS: u64 = 15;

pub(super) fn spec(text: &str, origin: &str) -> Result<Spec, SpecErrors> {
    with_large_stack(|| read_spec(text, origin)).unwrap_or_else(|message| {
        Err(SpecErrors(vec![SpecError { origin: origin.to_owned(), line: 1, column: 1, key: String::new(), message }]))
    })
}

fn read_spec(text: &str, origin: &str) -> Result<Spec, SpecErrors> {
    let errors = Errors::new(origin);
    let Some(root) = errors.load(text) else { return Err(errors.finish()) };
    let top = Place::top(&errors, &root);
    let spec = if root.get_node("model").is_some() {
        Spec::Score(score(read::<ScoreDocument>(&errors, &root), &top))
    } else {
        Spec::Job(Box::new(job(read::<JobDocument>(&errors, &root), &top)))
    };
    if errors.none() { Ok(spec) } else { Err(errors.finish()) }
}

/// Of a document that scores, where one that segments is wanted.
pub(super) fn not_a_job(origin: &str) -> SpecErrors {
    let message = "this spec scores rows by a model; here one is wanted that segments (source, kmeans, …)".to_owned();
    SpecErrors(vec![SpecError { origin: origin.to_owned(), line: 1, column: 1, key: "model".to_owned(), message }])
}

fn score(document: ScoreDocument, top: &Place<'_>) -> ScoreSpec {
    let ScoreDocument { name, model, input, tables: listed, sql, output } = document;
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
    if sql.is_some() && !top.has("tables") {
        top.wrong("sql", "asks for `tables`, which it reads");
    }
    ScoreSpec {
        name: job_name(name, top),
        model: model.unwrap_or_default(),
        input: texts(input),
        tables: tables(listed, &top.at("tables")),
        sql,
        output: output.unwrap_or_default(),
    }
}

fn job(document: JobDocument, top: &Place<'_>) -> JobSpec {
    let mut source = source(document.source.unwrap_or_default(), &top.at("source"));
    let profile = profile(document.profile.unwrap_or_default(), &source, &top.at("profile"));
    source.beside = profile.tenure.iter().filter(|column| !source.features.contains(column)).cloned().collect();
    let features = &source.features;
    JobSpec {
        name: job_name(document.name, top),
        impute: impute(document.impute, features, &top.at("impute")),
        outliers: outliers(document.outliers, features, &top.at("outliers")),
        scale: scale(document.scale, features, &top.at("scale")),
        kmeans: kmeans(document.kmeans.unwrap_or_default(), features.len(), &top.at("kmeans")),
        hierarchy: document.hierarchy.map(|section| hierarchy(&section, features.len(), &top.at("hierarchy"))),
        hdbscan: document.hdbscan.map(|section| hdbscan(section, &top.at("hdbscan"))),
        evaluate: Evaluate { silhouette_rows: document.evaluate.and_then(|e| e.silhouette_rows).unwrap_or(25_000) },
        profile,
        source,
        previous: document.previous,
        output: document.output.unwrap_or_default(),
    }
}

fn job_name(name: Option<String>, top: &Place<'_>) -> String {
    let name = name.unwrap_or_default();
    let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) && name.len() <= 100;
    if !fits {
        top.wrong("name", "must be at most 100 letters, digits, `.`, `_` or `-`");
    }
    name
}

fn texts(texts: Option<Texts>) -> Vec<String> {
    texts.map(Texts::into_list).unwrap_or_default()
}

/// Names and locations of tables.
fn tables(listed: Option<Tables>, place: &Place<'_>) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for (name, locations) in listed.unwrap_or_default().0 {
        let identifier = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !identifier {
            place.wrong(&name, "a table is named by letters, digits and `_`, and does not start with a digit");
        }
        // In SQL a name that is not quoted is one in lower case.
        if let Some(other) = tables.iter().find(|table| table.name.eq_ignore_ascii_case(&name)) {
            place.wrong(&name, format!("is the same name in SQL as `{}`; name one of them otherwise", other.name));
        }
        tables.push(Table { name, locations: locations.into_list() });
    }
    tables
}

fn source(section: document::Source, place: &Place<'_>) -> Source {
    let tables = tables(section.tables, &place.at("tables"));
    if tables.len() > 1 && section.sql.is_none() {
        place.wrong("sql", format!("is missing: with {} tables, a query has to say how they become one", tables.len()));
    }
    let (id, features, weight) = (texts(section.id), texts(section.features), section.weight);
    if features.len() > MAX_FEATURES {
        place.wrong("features", format!("{} features; at most {MAX_FEATURES} are supported", features.len()));
    }
    let weights: Vec<String> = weight.iter().cloned().collect();
    for (key, names) in [("id", &id), ("features", &features), ("weight", &weights)] {
        for (i, name) in names.iter().enumerate() {
            if names[..i].contains(name) || (key == "features" && id.contains(name)) {
                place.wrong(key, format!("`{name}` is listed twice"));
            }
            if is_taken(name, &features) {
                place.wrong(key, format!("`{name}` {NAME_IS_TAKEN}"));
            }
        }
    }
    if let Some(name) = weight.as_ref().filter(|name| id.contains(name) || features.contains(name)) {
        place.wrong("weight", format!("`{name}` is an id or a feature already; a weight is neither"));
    }
    Source { tables, sql: section.sql, id, features, weight, beside: vec![] }
}

/// Whether the output has a column of this name.
fn is_taken(name: &str, features: &[String]) -> bool {
    let is_flag = |feature: &String| name == format!("{feature}_imputed");
    OUTPUT_COLUMNS.contains(&name) || features.iter().any(is_flag) || name.starts_with("__")
}

const NAME_IS_TAKEN: &str = "is a name that the output uses; rename it in source.sql";

/// The settings of each feature: `own` reads those of the key `features`, starting from what holds for all.
fn by_feature<T: Copy, O>(
    listed: Option<IndexMap<String, O>>,
    features: &[String],
    all: T,
    place: &Place<'_>,
    own: impl Fn(O, T, &Place<'_>) -> T,
) -> Vec<T> {
    let place = place.at("features");
    let mut settings = vec![all; features.len()];
    for (name, section) in listed.unwrap_or_default() {
        match features.iter().position(|feature| *feature == name) {
            Some(j) => settings[j] = own(section, all, &place.at(&name)),
            None => place.wrong(&name, not_a_feature(features)),
        }
    }
    settings
}

fn not_a_feature(features: &[String]) -> String {
    format!("is not one of source.features ({})", features.join(", "))
}

fn impute(section: Option<OrMethod<FillMethod, document::Impute>>, features: &[String], place: &Place<'_>) -> Impute {
    let section = match section {
        Some(OrMethod::Method(method)) => document::Impute { method: Some(method), ..document::Impute::default() },
        Some(OrMethod::Section(section)) => section,
        None => document::Impute::default(),
    };
    let all = fill(&FillOf { method: section.method, value: section.value }, Fill::Knn, place);
    let fills = by_feature(section.features, features, all, place, |own, all, place| match own {
        OrMethod::Method(method) => fill(&FillOf { method: Some(method), value: None }, all, place),
        OrMethod::Section(section) => fill(&section, all, place),
    });
    if !fills.contains(&Fill::Knn) && all != Fill::Knn {
        let (neighbors, weights) = (section.neighbors.is_some(), section.weights.is_some());
        let keys = [("neighbors", neighbors), ("weights", weights), ("donors", section.donors.is_some())];
        place.unused(&keys, "only `method: knn` uses it; remove it");
    }
    Impute {
        fills,
        neighbors: section.neighbors.unwrap_or(5) as usize,
        weights: section.weights.unwrap_or(NeighborWeights::Uniform),
        donors: match section.donors {
            None => Donors::AtMost(DONORS),
            Some(document::Donors::All(_)) => Donors::All,
            Some(document::Donors::AtMost(rows)) => Donors::AtMost(rows),
        },
    }
}

fn fill(section: &FillOf, all: Fill, place: &Place<'_>) -> Fill {
    let inherited = match all {
        Fill::Knn => FillMethod::Knn,
        Fill::Mean => FillMethod::Mean,
        Fill::Median => FillMethod::Median,
        Fill::Constant(_) => FillMethod::Constant,
        Fill::None => FillMethod::None,
    };
    let method = section.method.unwrap_or(inherited);
    if method != FillMethod::Constant {
        place.unused(&[("value", section.value.is_some())], "only `method: constant` uses it; remove it");
    }
    match (method, all) {
        (FillMethod::Knn, _) => Fill::Knn,
        (FillMethod::Mean, _) => Fill::Mean,
        (FillMethod::Median, _) => Fill::Median,
        (FillMethod::None, _) => Fill::None,
        (FillMethod::Constant, Fill::Constant(value)) => Fill::Constant(section.value.unwrap_or(value)),
        (FillMethod::Constant, _) => {
            if !place.has("value") {
                place.wrong("value", "is missing: what missing cells are filled with");
            }
            Fill::Constant(section.value.unwrap_or_default())
        }
    }
}

fn outliers(
    section: Option<OrMethod<OutlierMethod, document::Outliers>>,
    features: &[String],
    place: &Place<'_>,
) -> Outliers {
    let section = match section {
        Some(OrMethod::Method(method)) => document::Outliers { method: Some(method), ..document::Outliers::default() },
        Some(OrMethod::Section(section)) => section,
        None => document::Outliers::default(),
    };
    let document::Outliers {
        action,
        space,
        method,
        factor,
        low,
        high,
        share_limit,
        quantiles,
        forest: grown,
        features: listed,
    } = section;
    let action = action.unwrap_or(OutlierAction::SetAside);
    if action == OutlierAction::Clip && grown.is_some() {
        place.wrong("forest", "has no fences that values could be moved to; remove it, or set `action: set_aside`");
    }
    let default = (OutlierRule::Iqr { factor: IQR_FACTOR }, true);
    let (all, all_may_widen) = outlier_rule(&OutlierRuleOf { method, factor, low, high }, default, place);
    let rules = by_feature(listed, features, (all, all_may_widen), place, |own, all, place| match own {
        OrMethod::Method(method) => {
            outlier_rule(&OutlierRuleOf { method: Some(method), ..OutlierRuleOf::default() }, all, place)
        }
        OrMethod::Section(section) => outlier_rule(&section, all, place),
    });
    let (rules, may_widen): (Vec<OutlierRule>, Vec<bool>) = rules.into_iter().unzip();
    let needs_quantiles = |rule: &OutlierRule| !matches!(rule, OutlierRule::None | OutlierRule::Zscore { .. });
    if !rules.iter().any(needs_quantiles) && !needs_quantiles(&all) {
        let why = "only the methods iqr, mad and percentile use it; remove it";
        place.unused(&[("quantiles", quantiles.is_some())], why);
    }
    let forest = grown.map(|section| forest(&section, &place.at("forest")));
    let share_limit = share_limit.unwrap_or(0.05);
    let quantiles = quantiles.unwrap_or(Quantiles::Exact);
    let space = space.unwrap_or(FenceSpace::Transformed);
    Outliers { action, space, rules, may_widen, share_limit, quantiles, forest }
}

/// The rule, and whether its factor is the default one. `all`: those of the features without settings of their own.
fn outlier_rule(
    section: &OutlierRuleOf,
    (all, may_widen): (OutlierRule, bool),
    place: &Place<'_>,
) -> (OutlierRule, bool) {
    let method = section.method.unwrap_or(match all {
        OutlierRule::Iqr { .. } => OutlierMethod::Iqr,
        OutlierRule::Zscore { .. } => OutlierMethod::Zscore,
        OutlierRule::Mad { .. } => OutlierMethod::Mad,
        OutlierRule::Percentile { .. } => OutlierMethod::Percentile,
        OutlierRule::None => OutlierMethod::None,
    });
    let (of_all, may_widen) = match (method, all) {
        (OutlierMethod::Iqr, OutlierRule::Iqr { factor })
        | (OutlierMethod::Zscore, OutlierRule::Zscore { factor })
        | (OutlierMethod::Mad, OutlierRule::Mad { factor }) => (factor, may_widen),
        (OutlierMethod::Iqr, _) => (IQR_FACTOR, true),
        (OutlierMethod::Zscore, _) => (3.0, true),
        (OutlierMethod::Mad, _) => (3.5, true),
        _ => (3.5, false),
    };
    let may_widen = may_widen && section.factor.is_none();
    let factor = section.factor.unwrap_or(of_all);
    let (low, high) = match all {
        OutlierRule::Percentile { low, high } => (low, high),
        _ => (0.01, 0.99),
    };
    let (low, high) = (section.low.unwrap_or(low), section.high.unwrap_or(high));
    let has_shares = [("low", section.low.is_some()), ("high", section.high.is_some())];
    if method == OutlierMethod::Percentile {
        if low >= high {
            place.wrong(if section.low.is_some() { "low" } else { "high" }, format!("{low} is not below {high}"));
        }
    } else {
        place.unused(&has_shares, "only `method: percentile` uses it; remove it");
    }
    let has_factor = [("factor", section.factor.is_some())];
    let rule = match method {
        OutlierMethod::Iqr => OutlierRule::Iqr { factor },
        OutlierMethod::Zscore => OutlierRule::Zscore { factor },
        OutlierMethod::Mad => OutlierRule::Mad { factor },
        OutlierMethod::Percentile => {
            place.unused(&has_factor, "`method: percentile` does not use it; remove it");
            OutlierRule::Percentile { low, high }
        }
        OutlierMethod::None => {
            place.unused(&has_factor, "`method: none` does not use it; remove it");
            OutlierRule::None
        }
    };
    (rule, may_widen)
}

fn forest(section: &document::Forest, place: &Place<'_>) -> Forest {
    let threshold = match (section.contamination, section.score) {
        (Some(_), Some(score)) => {
            place.wrong("score", "`contamination` says already who is set aside; remove one");
            ForestThreshold::Score(score)
        }
        (None, Some(score)) => ForestThreshold::Score(score),
        (contamination, None) => ForestThreshold::Contamination(contamination.unwrap_or(0.01)),
    };
    let trees = section.trees.unwrap_or(100) as usize;
    let rows = section.rows.unwrap_or(256) as usize;
    if trees * rows > MAX_FOREST {
        place.wrong(
            "trees",
            format!("{trees} trees of {rows} rows are more than {MAX_FOREST} rows; grow fewer, or smaller ones"),
        );
    }
    Forest { threshold, trees, rows, seed: section.seed.unwrap_or(0) }
}

fn scale(section: Option<OrMethod<ScaleMethod, document::Scale>>, features: &[String], place: &Place<'_>) -> Scale {
    let section = match section {
        Some(OrMethod::Method(method)) => document::Scale { method: Some(method), ..document::Scale::default() },
        Some(OrMethod::Section(section)) => section,
        None => document::Scale::default(),
    };
    let given = section.transform;
    // Who asks for no scaling wants the values as they are.
    let of = |section: &ScaleOf, all: ScaleMethod| {
        let method = section.method.unwrap_or(all);
        let unless_given = if method == ScaleMethod::None { TransformMethod::None } else { TransformMethod::Auto };
        FeatureScale { method, transform: section.transform.or(given).unwrap_or(unless_given) }
    };
    let all = of(&ScaleOf { method: section.method, transform: section.transform }, ScaleMethod::Standard);
    let features = by_feature(section.features, features, all, place, |own, all, _| match own {
        OrMethod::Method(method) => of(&ScaleOf { method: Some(method), transform: None }, all.method),
        OrMethod::Section(section) => of(&section, all.method),
    });
    Scale { features }
}

fn kmeans(section: document::KMeans, features: usize, place: &Place<'_>) -> KMeans {
    let k: Vec<usize> = match (&section.k, &section.start) {
        (None, Some(document::Start::Centroids(rows))) => vec![rows.len()],
        // A k that is there and wrong has been told already.
        (None, _) => (2..=10).collect(),
        (Some(K::One(k)), _) => vec![*k as usize],
        (Some(K::Range(range)), _) => {
            let (from, to) = (range.from.unwrap_or(2) as usize, range.to.unwrap_or(10) as usize);
            if to < from {
                place.at("k").wrong("to", format!("must be at least `from`, which is {from}"));
            }
            (from..=to).collect()
        }
    };
    if let Some(k) = k.iter().find(|k| **k > MAX_K) {
        place.wrong("start", format!("{k} centroids; at most {MAX_K} are supported"));
    }
    let select = section.select.unwrap_or(Select::Elbow);
    let has_batches = [("batch_rows", section.batch_rows.is_some())];
    let algorithm = match section.algorithm.unwrap_or(Algorithm::Lloyd) {
        Algorithm::Minibatch => {
            let why = "`algorithm: minibatch` stops when the batches' inertia does not fall; remove it";
            place.unused(&[("tolerance", section.tolerance.is_some())], why);
            KMeansAlgorithm::Minibatch { batch_rows: section.batch_rows.unwrap_or(BATCH_ROWS) }
        }
        other => {
            place.unused(&has_batches, "only `algorithm: minibatch` uses it; remove it");
            if other == Algorithm::Bisecting { KMeansAlgorithm::Bisecting } else { KMeansAlgorithm::Lloyd }
        }
    };
    if algorithm == KMeansAlgorithm::Bisecting && k.contains(&1) {
        place.wrong("k", "`algorithm: bisecting` makes two clusters or more");
    }
    let restarts = section.restarts.unwrap_or(1) as usize;
    let start = match section.start {
        Some(_) if algorithm == KMeansAlgorithm::Bisecting => {
            place.wrong("start", "`algorithm: bisecting` starts each split by itself; remove it");
            Start::KmeansPlusPlus
        }
        None | Some(document::Start::Drawn(Drawn::PlusPlus)) => Start::KmeansPlusPlus,
        Some(document::Start::Drawn(Drawn::Parallel)) => Start::KmeansParallel,
        Some(document::Start::Centroids(rows)) => {
            if rows.iter().any(|row| row.len() != features) {
                place.wrong("start", format!("a centroid has {features} numbers, one of each feature, scaled"));
            } else if k != [rows.len()] {
                place.wrong("start", format!("{} centroids are given: set `k: {}`", rows.len(), rows.len()));
            } else if restarts > 1 {
                place.wrong("restarts", "given centroids are one start; remove it");
            }
            Start::Centroids(rows)
        }
    };
    let values = k.iter().sum::<usize>() * restarts * features;
    if values > MAX_SWEEP {
        place.wrong(
            "k",
            format!(
                "the sweep has {values} coordinates of centroids, more than {MAX_SWEEP}; try fewer k, or fewer restarts"
            ),
        );
    }
    let values = k.iter().sum::<usize>() * features;
    if select == Select::Gap && values > MAX_GAP_SWEEP {
        place.wrong(
            "select",
            format!(
                "the gap statistic of a sweep of {values} coordinates of centroids takes too long, more than {MAX_GAP_SWEEP}; \
                 try fewer k, or choose another rule"
            ),
        );
    }
    KMeans {
        k,
        select,
        algorithm,
        seed: section.seed.unwrap_or(0),
        restarts,
        max_iterations: section.max_iterations.unwrap_or(300) as usize,
        tolerance: section.tolerance.unwrap_or(1e-4),
        start,
    }
}

fn hierarchy(section: &document::Hierarchy, features: usize, place: &Place<'_>) -> Hierarchy {
    let linkage = section.linkage.unwrap_or(Linkage::Ward);
    let cut = match (section.clusters, section.height) {
        (Some(_), Some(height)) => {
            place.wrong("height", "`clusters` says already where the dendrogram is cut; remove one");
            CutRule::Height(height)
        }
        (None, Some(height)) => CutRule::Height(height),
        (clusters, None) => CutRule::Clusters(clusters.unwrap_or(3) as usize),
    };
    // What is linked travels to every worker, and that of a plan has its limits.
    let most = MAX_SWEEP / features.max(1);
    let limited = |key: &str, given: Option<u64>, default: usize| {
        let value = given.map_or(default, |given| usize::try_from(given).unwrap_or(usize::MAX));
        if value > most {
            place.wrong(key, format!("must be a whole number, from 2 to {most}"));
        }
        value.min(most)
    };
    let budget = limited("budget", section.budget, linkage.exact_points(features).min(most));
    let default = linkage.micro_clusters(features).min(budget);
    let micro_clusters = limited("micro_clusters", section.micro_clusters, default);
    Hierarchy { linkage, cut, budget, micro_clusters, seed: section.seed.unwrap_or(0) }
}

fn hdbscan(section: document::Hdbscan, place: &Place<'_>) -> Hdbscan {
    let min_cluster_size = match section.min_cluster_size {
        None | Some(document::MinClusterSize::Auto(_)) => MinClusterSize::Auto,
        Some(document::MinClusterSize::One(size)) => MinClusterSize::OneOf(vec![size]),
        Some(document::MinClusterSize::OneOf(mut sizes)) => {
            sizes.sort_unstable();
            sizes.dedup();
            MinClusterSize::OneOf(sizes)
        }
    };
    let min_samples = section.min_samples.unwrap_or(10);
    let resolution = match section.resolution {
        None | Some(document::Resolution::Auto(_)) => {
            Resolution::Auto { budget: section.budget.unwrap_or(POINT_BUDGET) }
        }
        Some(document::Resolution::Side(side)) => {
            place.unused(&[("budget", section.budget.is_some())], "only `resolution: auto` uses it; remove it");
            Resolution::Side(side)
        }
    };
    let method = section.selection.unwrap_or(SelectionMethod::Eom);
    if method == SelectionMethod::Leaf {
        let has_size = [("max_cluster_size", section.max_cluster_size.is_some())];
        place.unused(&has_size, "`selection: leaf` does not use it; remove it");
    }
    let graph = match section.graph.unwrap_or(GraphName::Exact) {
        GraphName::Exact => {
            place.unused(&[("neighbors", section.neighbors.is_some())], "only `graph: knn` uses it; remove it");
            Graph::Exact
        }
        GraphName::Knn => {
            let least = min_samples.saturating_sub(1).max(1);
            let neighbors = section.neighbors.unwrap_or(least.max(NEIGHBORS));
            if neighbors < least {
                place.wrong("neighbors", format!("must be a whole number, from {least} to 1000"));
            }
            Graph::Knn { neighbors: neighbors as usize }
        }
    };
    Hdbscan {
        min_cluster_size,
        min_samples,
        resolution,
        graph,
        selection: SelectionOptions {
            method,
            cluster_selection_epsilon: section.cluster_selection_epsilon.unwrap_or(0.0),
            max_cluster_size: section.max_cluster_size,
            allow_single_cluster: section.allow_single_cluster.unwrap_or(false),
        },
        cell_rows: section.cell_rows.unwrap_or(256 * 1024),
    }
}

/// Own words for segments. Names have to stay apart.
fn own_labels(listed: IndexMap<String, document::OwnLabel>, place: &Place<'_>) -> BTreeMap<String, OwnLabel> {
    let mut labels = BTreeMap::new();
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for (label, own) in listed {
        let kind = label.split_once(", ").map_or(label.as_str(), |(kind, _)| kind);
        if !NAMES.contains(&kind) {
            let known = NAMES.join(", ");
            place.wrong(
                &label,
                format!("is no label; labels are {known}, with what follows a comma where segments share one"),
            );
        }
        if own.name.is_none() && own.action.is_none() {
            place.wrong(&label, "needs a `name`, an `action` or both");
        }
        for text in [&own.name, &own.action].into_iter().flatten() {
            if text.trim().is_empty() || text.chars().any(char::is_control) {
                place.wrong(&label, "must be a line of text");
            }
        }
        if let Some(other) = own.name.as_ref().and_then(|name| taken.insert(name.clone(), label.clone())) {
            place.wrong(&label, format!("has the same name as `{other}`"));
        }
        labels.insert(label, OwnLabel { name: own.name, action: own.action });
    }
    labels
}

fn profile(section: document::Profile, source: &Source, place: &Place<'_>) -> Profile {
    let features = source.features.as_slice();
    let role = |key: &str, named: Option<String>| match named {
        Some(feature) if features.contains(&feature) => Some(feature),
        Some(feature) => {
            place.wrong(key, format!("`{feature}` {}", not_a_feature(features)));
            None
        }
        None => features.iter().find(|feature| *feature == key).cloned(),
    };
    // Unlike the others it may be a column that the clusterings do not see.
    let tenure = section.tenure.or_else(|| features.iter().find(|feature| *feature == "tenure").cloned());
    if let Some(name) = tenure.as_ref().filter(|name| !features.contains(name)) {
        if source.id.contains(name) || source.weight.as_ref() == Some(name) {
            place.wrong("tenure", format!("`{name}` is an id or a weight"));
        }
        if is_taken(name, features) {
            place.wrong("tenure", format!("`{name}` {NAME_IS_TAKEN}"));
        }
    }
    let mut units = BTreeMap::new();
    let listed = place.at("units");
    for (feature, unit) in section.units.unwrap_or_default() {
        if !features.contains(&feature) {
            listed.wrong(&feature, not_a_feature(features));
        }
        if unit.chars().count() > LONGEST_UNIT || unit.chars().any(char::is_control) {
            listed.wrong(&feature, format!("a unit is 1 to {LONGEST_UNIT} characters, for example USD or days"));
        }
        units.insert(feature, unit);
    }
    let labels = own_labels(section.labels.unwrap_or_default(), &place.at("labels"));
    if section.as_of.as_ref().is_some_and(|day| chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").is_err()) {
        place.wrong("as_of", "must be a day, for example 2026-11-27");
    }
    let recency = role("recency", section.recency);
    if section.lapsed_after.is_some() && recency.is_none() {
        place.wrong("lapsed_after", "needs a feature that is the recency; name it as `recency`");
    }
    Profile {
        recency,
        frequency: role("frequency", section.frequency),
        monetary: role("monetary", section.monetary),
        tenure,
        lapsed_after: section.lapsed_after,
        labels,
        units,
        as_of: section.as_of,
    }
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
        assert_eq!((spec.outliers.rules, spec.kmeans.k.len()), (vec![OutlierRule::Iqr { factor: 2.2 }], 9));
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
                scale(ScaleMethod::Minmax, TransformMethod::Auto),
                scale(ScaleMethod::Standard, TransformMethod::Auto),
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
