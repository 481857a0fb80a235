//! The report: one self-contained page about what a job has published.
//!
//! ```text
//!   manifest, model, metrics, segments, quality, sample ──▶ Report: every number, name, sentence and layout
//!                                                             └──▶ web/page.html with its style, its script and ECharts in it
//! ```
//!
//! The page is made from published files alone, so that it can be made again at any time; it asks nothing of the network. What
//! comes from the data is escaped by the template, and reaches the script as JSON.

mod data;
pub mod filters;
mod segments;
mod sweep;
mod trees;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use segmenta_algorithms::scalers::Transform;
use segmenta_engine::{EngineError, Result};
use serde::Serialize;
use serde_json::Value;

use self::data::{Agreement, Missing, Outliers, Platform};
use self::segments::{Clustering, Components, Money, Noise, Overall, Sample};
use self::sweep::{Choice, Elbow, SilhouetteByK, Silhouettes};
use self::trees::{CondensedTree, Dendrogram};
use segmenta_results::metrics::Rows;
use segmenta_results::published::{Published, damaged};

const PAGE: &str = include_str!("web/page.html");
/// The style of every page.
pub const STYLE: &str = include_str!("web/page.css");
const SCRIPT: &str = include_str!("web/page.js");
/// The charts of every page: ECharts, as `web/library` builds it.
pub const LIBRARY: &str = include_str!("web/library/echarts.js");

/// Everything that is on the page.
#[derive(Debug, Serialize)]
struct Report {
    title: String,
    published_at: String,
    segmenta: String,
    fingerprint: String,
    rows: Rows,
    headline: Vec<String>,
    choice: Choice,
    warnings: Vec<String>,
    features: Vec<String>,
    units: Vec<Option<String>>,
    /// What makes the axes of plots of customers, as the clusterings see them.
    transforms: Vec<Transform>,
    /// The feature for which less is better.
    recency: Option<usize>,
    money: Option<Money>,
    as_of: Option<String>,
    overall: Vec<Overall>,
    clusterings: Vec<Clustering>,
    elbow: Option<Elbow>,
    silhouette_by_k: Option<SilhouetteByK>,
    silhouettes: Option<Silhouettes>,
    sample: Sample,
    components: Option<Components>,
    dendrogram: Option<Dendrogram>,
    condensed_tree: Option<CondensedTree>,
    noise: Option<Noise>,
    missing: Missing,
    outliers: Vec<Outliers>,
    /// What became of them.
    outliers_became: &'static str,
    agreements: Vec<Agreement>,
    platform: Platform,
}

impl Report {
    fn new(published: &Published) -> Result<Self> {
        let Published { manifest, model, metrics, .. } = published;
        let overall = segments::overall(published)?;
        let clusterings = segments::clusterings(published, &overall)?;
        let (sample, components) = segments::sample(published, &clusterings)?;
        Ok(Self {
            title: manifest.job.clone(),
            published_at: manifest.published_at.clone(),
            segmenta: manifest.segmenta.clone(),
            fingerprint: manifest.fingerprint.clone(),
            rows: metrics.rows,
            headline: segments::headline(published, &clusterings),
            choice: Choice::new(metrics),
            warnings: metrics.warnings.clone(),
            features: model.features.clone(),
            units: segments::units(published),
            transforms: model.scale.scalers.iter().map(|scaler| scaler.transform).collect(),
            recency: segments::role(published, "recency"),
            money: Money::new(published),
            as_of: metrics
                .parameters
                .get("profile")
                .and_then(|profile| Some(profile.get("as_of")?.as_str()?.to_owned())),
            elbow: Elbow::new(metrics),
            silhouette_by_k: SilhouetteByK::new(metrics),
            silhouettes: Silhouettes::new(published, &clusterings),
            sample,
            components,
            dendrogram: trees::dendrogram(model, metrics, &clusterings),
            condensed_tree: trees::condensed_tree(model, &clusterings),
            noise: segments::noise(published),
            missing: Missing::new(published)?,
            outliers: data::outliers(published)?,
            outliers_became: segments::outliers_became(published),
            agreements: data::agreements(metrics, &clusterings),
            platform: Platform::new(published),
            overall,
            clusterings,
        })
    }
}

/// The page, in HTML.
///
/// # Errors
/// Published tables that do not fit together.
pub fn html(published: &Published) -> Result<String> {
    let report = Report::new(published)?;
    render(
        "page.html",
        PAGE,
        context! { report => Serde(report), style => STYLE, script => SCRIPT, library => LIBRARY },
    )
}

/// Fills in a template. Values are HTML-escaped, and none may be undefined.
///
/// # Errors
/// A template that does not fit what it is about.
pub fn render(name: &'static str, template: &'static str, about: minijinja::Value) -> Result<String> {
    let failed = |error: minijinja::Error| EngineError::job(format!("{name} cannot be made: {error:#}"));
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    filters::add(&mut environment);
    environment.add_template(name, template).map_err(failed)?;
    environment.get_template(name).map_err(failed)?.render(about).map_err(failed)
}

/// The mean of each feature over all assigned rows, and over those of a K-Means segment where one is given.
///
/// # Errors
/// A damaged `segments.parquet`.
pub(crate) fn means(published: &Published, cluster: Option<i32>) -> Result<Vec<(f64, Option<f64>)>> {
    let overall = segments::overall(published)?;
    let of_segment = match cluster {
        Some(cluster) => segments::means(published, cluster)?,
        None => None,
    };
    let mean = |(j, overall): (usize, &Overall)| (overall.mean, of_segment.as_ref().map(|means| means[j]));
    Ok(overall.iter().enumerate().map(mean).collect())
}

/// The standard deviation of each feature over all assigned rows.
///
/// # Errors
/// A damaged `segments.parquet`.
pub(crate) fn standard_deviations(published: &Published) -> Result<Vec<f64>> {
    Ok(segments::overall(published)?.iter().map(|feature| feature.standard_deviation).collect())
}

/// A number with five significant digits: a dot on a plot needs no more.
fn short(value: f64) -> Option<f64> {
    if !value.is_finite() {
        return None;
    }
    format!("{value:.4e}").parse().ok()
}

/// A value of the spec in few words.
fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
