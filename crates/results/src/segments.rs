//! The segments: what each looks like, what it is called, and the rule that tells who is in it.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::error::DataFusionError;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use segmenta_algorithms::labels::Label;
use segmenta_engine::{EngineError, Result};
use serde::{Deserialize, Serialize};

use crate::clusterings::Algorithm;
use crate::words::percent;

/// The quantiles of each feature in a segment.
pub const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// With more segments than this, the names would not tell them apart.
pub const MOST_LABELS: usize = 12;
/// In a segment with less than this share of the customers, chance decides who is in it, and one odd customer decides
/// its name.
pub const LEAST_SHARE: f64 = 0.001;

/// One segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// What found it.
    pub algorithm: Algorithm,
    /// `kmeans_cluster`, `hierarchy_cluster` or `hdbscan_cluster` of its rows; -1 for HDBSCAN's noise.
    pub cluster: i32,
    /// Of a cluster of a hierarchy: the nodes of the dendrogram from the root down to it.
    pub tree_path: Option<Vec<u32>>,
    /// Its rows.
    pub size: u64,
    /// Those of its rows that took part in the fit. The others were set aside as outliers, and are in it as new customers would be.
    pub fit_size: u64,
    /// Its share of all rows in segments.
    pub share: f64,
    /// Its share of the monetary feature, summed over all rows in segments. `None` without such a feature, or where a
    /// value is negative.
    pub monetary_share: Option<f64>,
    /// Mean silhouette of its rows, where it is known.
    pub silhouette: Option<f64>,
    /// A name, an action and why; `None` where no feature is named as recency, frequency or monetary value, for clusters of HDBSCAN,
    /// for all of more than [`MOST_LABELS`] segments, and for those that have less than [`LEAST_SHARE`] of the customers.
    pub label: Option<Label>,
    /// A feature each, in their own units.
    pub features: Vec<FeatureProfile>,
}

/// One feature in one segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureProfile {
    /// Mean.
    pub mean: f64,
    /// Population standard deviation.
    pub standard_deviation: f64,
    /// Least value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// As [`QUANTILES`].
    pub quantiles: [f64; 5],
}

/// A row of `segments.parquet`, without its features.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentRow {
    /// What found it.
    pub algorithm: String,
    /// Its number.
    pub cluster: i32,
    /// Its rows.
    pub size: u64,
    /// Its share of all rows in segments.
    pub share: f64,
    /// Its share of the monetary feature, where that is known.
    pub monetary_share: Option<f64>,
    /// Its name.
    pub label: Option<String>,
    /// Who is in it, by and large.
    pub rule: Option<String>,
}

/// The rules of a clustering.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusteringRules {
    /// Which.
    pub algorithm: Algorithm,
    /// Share of all rows to which the rules give the segment that they are in.
    pub fidelity: f64,
    /// A rule for each segment that has one.
    pub segments: Vec<SegmentRule>,
}

/// Who is in a segment, by and large.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentRule {
    /// The segment.
    pub cluster: i32,
    /// In words.
    pub text: String,
    /// As a condition of SQL.
    pub sql: String,
    /// Share of the rows that fulfil it that are in the segment; `None` where no row does.
    pub precision: Option<f64>,
    /// Share of the rows of the segment that fulfil it.
    pub recall: Option<f64>,
}

/// The sum of feature `monetary` over segments; `None` where a value is negative, or the sum is not above 0.
#[must_use]
pub fn spent(segments: &[Segment], monetary: usize) -> Option<f64> {
    let of = |segment: &Segment| {
        let feature = segment.features.get(monetary).filter(|feature| feature.min >= 0.0)?;
        Some(feature.mean * segment.size as f64)
    };
    let all = segments.iter().map(of).sum::<Option<f64>>()?;
    (all > 0.0 && all.is_finite()).then_some(all)
}

/// `segments.sql`: a query that gives the customers of a table their segments by the rules.
#[must_use]
pub fn rules_sql(job: &str, features: &[String], rules: &[ClusteringRules], segments: &[Segment]) -> String {
    // A line break in a name would end the comment.
    let plain = |text: &str| text.replace(|c: char| c.is_control(), " ");
    let mut sql = format!(
        "-- The segments of the job {job} by their rules. `features` stands for a table of customers with the columns\n\
         -- {}, in raw units. A customer with a missing feature may get none (NULL).\n",
        plain(&features.join(", "))
    );
    let mut columns = vec![];
    for of in rules {
        let (name, fidelity) = (of.algorithm.name(), percent(of.fidelity));
        let _ = writeln!(sql, "-- {name}_rule is {name}_cluster for {fidelity} of the customers of the job.");
        let mut case = "CASE\n".to_owned();
        for rule in &of.segments {
            let mut of_algorithm = segments.iter().filter(|segment| segment.algorithm == of.algorithm);
            let segment = of_algorithm.find(|segment| segment.cluster == rule.cluster);
            let label = segment.and_then(|segment| segment.label.as_ref());
            let label = label.map_or_else(String::new, |label| format!(" -- {}", plain(&label.name)));
            let _ = writeln!(case, "    WHEN {} THEN {}{label}", rule.sql, rule.cluster);
        }
        columns.push(format!("{case}  END AS {name}_rule"));
    }
    let columns = columns.iter().map(|column| format!(",\n  {column}")).collect::<String>();
    let _ = writeln!(sql, "SELECT *{columns}\nFROM features");
    sql
}

/// The nodes of the dendrogram down to a segment, such as `398/396/391`.
fn tree_path(segment: &Segment) -> Option<String> {
    let path = segment.tree_path.as_ref()?;
    Some(path.iter().map(u32::to_string).collect::<Vec<_>>().join("/"))
}

/// `segments.parquet`: one row a segment, by cluster.
///
/// # Errors
/// Never for segments of these features.
pub fn table(features: &[String], segments: &[Segment], rules: &[ClusteringRules]) -> Result<RecordBatch> {
    let label = |get: fn(&segmenta_algorithms::labels::Label) -> String| -> ArrayRef {
        Arc::new(segments.iter().map(|s| s.label.as_ref().map(get)).collect::<StringArray>())
    };
    let mut columns: Vec<(String, DataType, ArrayRef)> = vec![
        (
            "algorithm".into(),
            DataType::Utf8,
            Arc::new(segments.iter().map(|s| Some(s.algorithm.name())).collect::<StringArray>()),
        ),
        ("cluster".into(), DataType::Int32, Arc::new(segments.iter().map(|s| s.cluster).collect::<Int32Array>())),
        ("tree_path".into(), DataType::Utf8, Arc::new(segments.iter().map(tree_path).collect::<StringArray>())),
        ("size".into(), DataType::UInt64, Arc::new(segments.iter().map(|s| s.size).collect::<UInt64Array>())),
        ("fit_size".into(), DataType::UInt64, Arc::new(segments.iter().map(|s| s.fit_size).collect::<UInt64Array>())),
        ("share".into(), DataType::Float64, Arc::new(segments.iter().map(|s| s.share).collect::<Float64Array>())),
        (
            "monetary_share".into(),
            DataType::Float64,
            Arc::new(segments.iter().map(|s| s.monetary_share).collect::<Float64Array>()),
        ),
        (
            "silhouette".into(),
            DataType::Float64,
            Arc::new(segments.iter().map(|s| s.silhouette).collect::<Float64Array>()),
        ),
        ("label".into(), DataType::Utf8, label(|l| l.name.clone())),
        ("label_kind".into(), DataType::Utf8, label(|l| l.kind.clone())),
        ("action".into(), DataType::Utf8, label(|l| l.action.clone())),
        ("why".into(), DataType::Utf8, label(|l| l.why.clone())),
        (
            "score".into(),
            DataType::Float64,
            Arc::new(segments.iter().map(|s| s.label.as_ref().map(|l| l.score)).collect::<Float64Array>()),
        ),
    ];
    let rule = |segment: &Segment| {
        let mut rules = rules.iter().filter(|rules| rules.algorithm == segment.algorithm);
        rules.find_map(|rules| rules.segments.iter().find(|rule| rule.cluster == segment.cluster))
    };
    let rules = || segments.iter().map(rule);
    let measure = |of: fn(&SegmentRule) -> Option<f64>| -> ArrayRef {
        Arc::new(rules().map(|rule| rule.and_then(of)).collect::<Float64Array>())
    };
    columns.extend([
        (
            "rule".into(),
            DataType::Utf8,
            Arc::new(rules().map(|rule| rule.map(|rule| rule.text.clone())).collect::<StringArray>()) as ArrayRef,
        ),
        ("rule_precision".into(), DataType::Float64, measure(|rule| rule.precision)),
        ("rule_recall".into(), DataType::Float64, measure(|rule| rule.recall)),
    ]);
    for (j, name) in features.iter().enumerate() {
        let mut add = |suffix: &str, value: &dyn Fn(&FeatureProfile) -> f64| {
            let values: Float64Array = segments.iter().map(|s| s.features.get(j).map(value)).collect();
            columns.push((format!("{name}_{suffix}"), DataType::Float64, Arc::new(values)));
        };
        add("mean", &|f| f.mean);
        add("std", &|f| f.standard_deviation);
        add("min", &|f| f.min);
        for (i, q) in QUANTILES.iter().enumerate() {
            add(&format!("p{:02}", (q * 100.0).round()), &move |f| f.quantiles[i]);
        }
        add("max", &|f| f.max);
    }
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, data_type, column)| Field::new(name, data_type.clone(), column.null_count() > 0))
        .collect();
    let arrays: Vec<ArrayRef> = columns.into_iter().map(|(_, _, column)| column).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(DataFusionError::from)?)
}

/// A small table as a Parquet file.
///
/// # Errors
/// Never for the tables here.
pub fn parquet(batch: &RecordBatch) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let properties = WriterProperties::builder().set_created_by("segmenta".to_owned()).build();
    let write = || -> Result<(), parquet::errors::ParquetError> {
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
        writer.write(batch)?;
        writer.close()?;
        Ok(())
    };
    write().map_err(|error| EngineError::job(format!("a published table cannot be written as Parquet: {error}")))?;
    Ok(bytes)
}
