//! Explain: why one customer is in its segment.

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, RecordBatch, StringArray};
use arrow::compute::cast_with_options;
use arrow::compute::kernels::cast::CastOptions;
use arrow::compute::kernels::cmp::eq;
use arrow::datatypes::{DataType, Schema};
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::StreamExt;
use segmenta_algorithms::hdbscan::condensed_tree::CondensedCluster;
use segmenta_algorithms::rows::squared_distance;
use segmenta_engine::artifact::{Part, append_rows, part_of, part_schema, read_part};
use segmenta_engine::functions::{is_bytes, row_id};
use segmenta_engine::{EngineError, Result};
use serde::Serialize;

use segmenta_results::clusterings::Algorithm;
use segmenta_results::published::Published;
use segmenta_results::segments::SegmentRow;
use segmenta_results::words::plural;
use segmenta_spec::OutlierAction;

/// Why a customer is where it is.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The id columns and their values.
    pub id: Vec<(String, String)>,
    /// The features.
    pub features: Vec<FeatureCell>,
    /// Why it is an outlier, if it is.
    pub outlier: Option<Outlier>,
    /// K-Means.
    pub kmeans: Option<KMeansPlace>,
    /// Where the job has a hierarchy.
    pub hierarchy: Option<HierarchyPlace>,
    /// Where the job has HDBSCAN.
    pub hdbscan: Option<DensityPlace>,
}

/// A feature of the customer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeatureCell {
    /// Its name.
    pub feature: String,
    /// The raw value, or the imputed one where `imputed` is true.
    pub value: f64,
    /// Whether the cell was missing.
    pub imputed: bool,
    /// As the clusterings see it.
    pub scaled: f64,
    /// Mean of the K-Means segment, for one that is in one.
    pub segment_mean: Option<f64>,
    /// Mean of all customers that are in segments.
    pub mean: f64,
}

/// Why a customer is an outlier.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outlier {
    /// What became of it.
    pub action: OutlierAction,
    /// The rule.
    pub rule: String,
    /// The feature; of a forest, the one that isolates it the most.
    pub feature: String,
    /// Its value; of a forest, the score.
    pub value: f64,
    /// The lower end of the fence.
    pub fence_low: f64,
    /// The upper end of the fence.
    pub fence_high: f64,
}

/// A segment of K-Means.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KMeansPlace {
    /// Its number.
    pub cluster: i32,
    /// Its label.
    pub label: Option<String>,
    /// The rule of the segment.
    pub rule: Option<String>,
    /// The centroids, in scaled units, the nearest first.
    pub distances: Vec<CentroidDistance>,
}

/// How far a centroid is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CentroidDistance {
    /// The number of its segment.
    pub cluster: i32,
    /// Its label.
    pub label: Option<String>,
    /// Euclidean.
    pub distance: f64,
}

/// A cluster of the hierarchy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HierarchyPlace {
    /// Its number.
    pub cluster: i32,
    /// Its label.
    pub label: Option<String>,
    /// Nodes of the dendrogram, from the root down to the cluster.
    pub path: Vec<u32>,
}

/// A place in HDBSCAN's tree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DensityPlace {
    /// The cluster; -1 for noise.
    pub cluster: i32,
    /// Its label.
    pub label: Option<String>,
    /// How firmly the customer belongs to it.
    pub probability: f64,
    /// The outlier score (GLOSH).
    pub outlier_score: f64,
    /// The clusters of the condensed tree that hold the customer, from the root down.
    pub path: Vec<DensityNode>,
    /// Distance at which it falls out of the last of them.
    pub leaves_at: f64,
}

/// A cluster of the condensed tree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DensityNode {
    /// Its number.
    pub node: u32,
    /// Rows at birth.
    pub size: u64,
    /// Distance below which it is a cluster of its own; `None` for the root.
    pub birth: Option<f64>,
    /// The cluster that was selected there, where one was.
    pub cluster: Option<i32>,
}

/// A row of a published table.
struct Row(RecordBatch);

impl Row {
    fn number(&self, name: &str) -> Result<f64> {
        let mut value = vec![];
        append_rows(&self.0, &[name.to_owned()], &mut value)?;
        Ok(value.first().copied().unwrap_or(f64::NAN))
    }

    fn has(&self, name: &str) -> bool {
        self.0.column_by_name(name).is_some()
    }

    fn text(&self, name: &str) -> String {
        let column = self.0.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        column.map_or_else(String::new, |column| column.value(0).to_owned())
    }
}

/// Explains the customer with these values in the id columns, in their order. `output`: a URL that ends in `/`.
///
/// # Errors
/// An output that cannot be read; an id that is none of its customers.
pub async fn explain(runtime: &RuntimeEnv, output: &str, id: &[String]) -> Result<Explanation> {
    let published = Published::read(runtime, output).await?;
    let columns = &published.model.id;
    if id.len() != columns.len() {
        return Err(EngineError::spec(format!(
            "{output}: a customer is identified by {}; {} {} given",
            columns.join(" and "),
            id.len(),
            plural(id.len() as u64, "value was", "values were")
        )));
    }
    let Some((row, is_assigned)) = find(runtime, output, &published, id).await? else {
        let named: Vec<String> = columns.iter().zip(id).map(|(column, value)| format!("{column} {value}")).collect();
        return Err(EngineError::input(format!("{output}: there is no customer with {}", named.join(", "))));
    };
    let model = &published.model;
    let cluster = if is_assigned { Some(row.number("kmeans_cluster")? as i32) } else { None };
    let means = crate::page::means(&published, cluster)?;
    let mut features = vec![];
    let mut scaled = vec![];
    for (j, (feature, (mean, segment_mean))) in model.features.iter().zip(means).enumerate() {
        let value = row.number(feature)?;
        let fence = model.outliers.fences[j].filter(|_| model.outliers.action == OutlierAction::Clip);
        let at = model.scale.scalers[j].apply(fence.map_or(value, |fence| value.max(fence.low).min(fence.high)));
        scaled.push(at);
        features.push(FeatureCell {
            feature: feature.clone(),
            value,
            imputed: row.number(&format!("{feature}_imputed"))? != 0.0,
            scaled: at,
            segment_mean,
            mean,
        });
    }
    let labels = Labels(published.segment_rows()?);
    let reason = match is_assigned {
        true if row.has("outlier") && row.number("outlier")? != 0.0 => Some("outlier_"),
        true => None,
        false => Some(""),
    };
    let outlier = match reason {
        Some(prefix) => Some(Outlier {
            action: model.outliers.action,
            rule: row.text(&format!("{prefix}rule")),
            feature: row.text(&format!("{prefix}feature")),
            value: row.number(&format!("{prefix}value"))?,
            fence_low: row.number(&format!("{prefix}fence_low"))?,
            fence_high: row.number(&format!("{prefix}fence_high"))?,
        }),
        None => None,
    };
    Ok(Explanation {
        id: columns.iter().cloned().zip(id.iter().cloned()).collect(),
        kmeans: cluster.map(|cluster| kmeans(&published, &labels, cluster, &scaled)),
        hierarchy: hierarchy(&published, &labels, &row)?,
        hdbscan: density(runtime, output, &published, &labels, &row, &scaled).await?,
        features,
        outlier,
    })
}

/// The segments with their labels and rules.
struct Labels(Vec<SegmentRow>);

impl Labels {
    fn get(&self, algorithm: Algorithm, cluster: i32) -> (Option<String>, Option<String>) {
        let mut of = self.0.iter().filter(|row| row.algorithm == algorithm.name() && row.cluster == cluster);
        of.next().map(|row| (row.label.clone(), row.rule.clone())).unwrap_or_default()
    }
}

/// The row of a customer, and whether it is in a segment. Only the parts that its id falls into are read.
async fn find(runtime: &RuntimeEnv, output: &str, published: &Published, id: &[String]) -> Result<Option<(Row, bool)>> {
    for (folder, is_assigned) in [("assignments", true), ("rejected", false)] {
        let mut files = published.manifest.table(folder);
        let Some((index, any)) = published.manifest.table(folder).next() else { continue };
        let schema = part_schema(runtime, &any.part(index, output)).await?;
        let wanted = values(&schema, &published.model.id, id)?;
        let own = part_of(row_id(&wanted)?, published.model.parts);
        let Some((_, file)) = files.find(|(index, _)| *index == own) else { continue };
        if let Some(row) = find_in(runtime, &file.part(own, output), &published.model.id, &wanted).await? {
            return Ok(Some((row, is_assigned)));
        }
    }
    Ok(None)
}

/// A value that does not fit is an error, not a null.
const EXACTLY: CastOptions<'static> =
    CastOptions { safe: false, format_options: arrow::util::display::FormatOptions::new() };

/// The values of an id, of the types of its columns.
fn values(schema: &Schema, columns: &[String], id: &[String]) -> Result<Vec<ArrayRef>> {
    let of = |(column, value): (&String, &String)| -> Result<ArrayRef> {
        let field = schema.field_with_name(column).map_err(|error| EngineError::input(error.to_string()))?;
        if is_bytes(field.data_type()) {
            return bytes(value, field.data_type()).ok_or_else(|| {
                EngineError::spec(format!(
                    "{value}: {column} holds bytes; give them as hexadecimal digits, or as a UUID"
                ))
            });
        }
        let text = StringArray::from(vec![value.as_str()]);
        cast_with_options(&text, field.data_type(), &EXACTLY).map_err(|_| {
            EngineError::spec(format!(
                "{value}: is none of the values of {column}, which are of the type {}",
                field.data_type()
            ))
        })
    };
    columns.iter().zip(id).map(of).collect()
}

/// Bytes that are written as hexadecimal digits, with or without the hyphens of a UUID.
fn bytes(text: &str, data_type: &DataType) -> Option<ArrayRef> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    let pairs = digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let value: Vec<u8> = pairs.collect::<Option<_>>()?;
    cast_with_options(&BinaryArray::from(vec![value.as_slice()]), data_type, &EXACTLY).ok()
}

async fn find_in(runtime: &RuntimeEnv, part: &Part, columns: &[String], wanted: &[ArrayRef]) -> Result<Option<Row>> {
    let mut batches = read_part(runtime, part, None).await?;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let mut rows: Vec<usize> = (0..batch.num_rows()).collect();
        for (column, wanted) in columns.iter().zip(wanted) {
            let cells = batch
                .column_by_name(column)
                .ok_or_else(|| EngineError::input(format!("{}: has no column {column}", part.url)))?;
            let same = eq(cells, &arrow::array::Scalar::new(std::sync::Arc::clone(wanted)))
                .map_err(|error| EngineError::input(format!("{}: {column}: {error}", part.url)))?;
            rows.retain(|row| same.is_valid(*row) && same.value(*row));
        }
        if let Some(row) = rows.first() {
            return Ok(Some(Row(batch.slice(*row, 1))));
        }
    }
    Ok(None)
}

fn kmeans(published: &Published, labels: &Labels, cluster: i32, scaled: &[f64]) -> KMeansPlace {
    let of = |centroid: &segmenta_results::model::KMeansCluster| CentroidDistance {
        cluster: centroid.cluster,
        label: labels.get(Algorithm::Kmeans, centroid.cluster).0,
        distance: squared_distance(scaled, &centroid.centroid_scaled).sqrt(),
    };
    let mut distances: Vec<CentroidDistance> = published.model.kmeans.clusters.iter().map(of).collect();
    distances.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.cluster.cmp(&b.cluster)));
    let (label, rule) = labels.get(Algorithm::Kmeans, cluster);
    KMeansPlace { cluster, label, rule, distances }
}

fn hierarchy(published: &Published, labels: &Labels, row: &Row) -> Result<Option<HierarchyPlace>> {
    let Some(model) = published.model.hierarchy.as_ref().filter(|_| row.has("hierarchy_cluster")) else {
        return Ok(None);
    };
    let cluster = row.number("hierarchy_cluster")? as i32;
    let found = model.clusters.iter().find(|found| found.cluster == cluster);
    let (label, _) = labels.get(Algorithm::Hierarchy, cluster);
    Ok(Some(HierarchyPlace { cluster, label, path: found.map_or_else(Vec::new, |found| found.path.clone()) }))
}

async fn density(
    runtime: &RuntimeEnv,
    output: &str,
    published: &Published,
    labels: &Labels,
    row: &Row,
    scaled: &[f64],
) -> Result<Option<DensityPlace>> {
    let Some(model) = published.model.hdbscan.as_ref().filter(|_| row.has("hdbscan_cluster")) else { return Ok(None) };
    // The customer's own point: itself, or where it was put together with its neighbours.
    let features = &published.model.features;
    let mut nearest: Option<(f64, usize, usize)> = None;
    for (cell, parts) in model.points.iter().enumerate() {
        let values = columns_of(runtime, output, published, &parts.points, features).await?;
        for (i, point) in values.chunks_exact(features.len()).enumerate() {
            let squared = squared_distance(scaled, point);
            if nearest.is_none_or(|(least, _, _)| squared < least) {
                nearest = Some((squared, cell, i));
            }
        }
    }
    let Some((_, cell, at)) = nearest else { return Ok(None) };
    let wanted = ["node".to_owned(), "height".to_owned()];
    let tree = columns_of(runtime, output, published, &model.points[cell].tree, &wanted).await?;
    let Some([node, height]) = tree.get(2 * at..2 * at + 2) else {
        return Err(EngineError::input(format!("{output}: its model's tables do not fit together; run the job anew")));
    };
    let (node, height) = (*node as usize, *height);
    let mut path = vec![];
    let mut up = (node < model.condensed_tree.len()).then_some(node);
    // A parent comes before its child; in a document where it does not, this ends all the same.
    while let Some(i) = up {
        let CondensedCluster { parent, birth, size, .. } = model.condensed_tree[i];
        let selected = model.clusters.iter().find(|cluster| cluster.node as usize == i);
        path.push(DensityNode {
            node: i as u32,
            size,
            birth: birth.is_finite().then_some(birth),
            cluster: selected.map(|cluster| cluster.cluster),
        });
        up = parent.map(|parent| parent as usize).filter(|parent| *parent < i);
    }
    path.reverse();
    let cluster = row.number("hdbscan_cluster")? as i32;
    Ok(Some(DensityPlace {
        cluster,
        label: labels.get(Algorithm::Hdbscan, cluster).0,
        probability: row.number("hdbscan_probability")?,
        outlier_score: row.number("hdbscan_outlier_score")?,
        path,
        leaves_at: height,
    }))
}

/// Columns of a part of the model, row-major.
async fn columns_of(
    runtime: &RuntimeEnv,
    output: &str,
    published: &Published,
    part: &Part,
    columns: &[String],
) -> Result<Vec<f64>> {
    let path = published.manifest.document(&part.url).map_or(&part.url, |file| &file.path);
    let part = Part { url: format!("{output}{path}"), ..part.clone() };
    let mut values = Vec::with_capacity(part.rows as usize * columns.len());
    let mut batches = read_part(runtime, &part, Some(columns)).await?;
    while let Some(batch) = batches.next().await {
        append_rows(&batch?, columns, &mut values)?;
    }
    Ok(values)
}
