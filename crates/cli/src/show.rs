//! Results: what each command has to say, in words and as JSON.

use std::io;

use segmenta_pipeline::job::{Job, Outcome, Plan};
use segmenta_pipeline::score::ScoreManifest;
use segmenta_report::compare::{ClusteringComparison, Comparison, Pair, Place, SegmentRef};
use segmenta_report::explain::{DensityNode, Explanation, Outlier};
use segmenta_results::clusterings::Algorithm;
use segmenta_results::drift::FeatureDrift;
use segmenta_results::segments::Segment;
use segmenta_results::words::{count, number, percent, plural};
use segmenta_spec::OutlierAction;
use serde_json::{Value, json};

use crate::console::{line, place, result, table};

/// The width of a terminal, which the table of segments fits into.
const COLUMNS: usize = 80;

/// The most moves that a comparison lists.
const MOVES_SHOWN: usize = 12;

/// The table of segments, and where everything is.
pub(crate) fn outcome(job: &Job, outcome: &Outcome) -> io::Result<()> {
    result(|| outcome_as_json(job, outcome), || outcome_in_words(job, outcome))
}

fn outcome_as_json(job: &Job, outcome: &Outcome) -> Value {
    let segment = |segment: &Segment| {
        json!({
            "algorithm": segment.algorithm,
            "cluster": segment.cluster,
            "label": segment.label.as_ref().map(|label| &label.name),
            "size": segment.size,
            "fit_size": segment.fit_size,
            "share": segment.share,
            "share_of_monetary": segment.monetary_share,
        })
    };
    json!({
        "job": job.spec().name,
        "output": outcome.output,
        "report": format!("{}report.html", outcome.output),
        "fingerprint": outcome.manifest.fingerprint,
        "customers": outcome.customers,
        "outliers": outcome.outliers,
        "outliers_share_of_monetary": outcome.outliers_share,
        "k": outcome.evaluated.chosen_k,
        "why": outcome.evaluated.why,
        "segments": outcome.profiled.segments.iter().map(segment).collect::<Vec<_>>(),
        "noise": outcome.density.as_ref().map(|density| density.noise),
        "stages": outcome.stages,
        "warnings": outcome.warnings,
    })
}

fn outcome_in_words(job: &Job, outcome: &Outcome) -> io::Result<()> {
    let features = &job.spec().source.features;
    let found = outcome.profiled.segments.iter();
    let mut segments: Vec<&Segment> = found.filter(|segment| segment.algorithm == Algorithm::Kmeans).collect();
    let score = |segment: &Segment| segment.label.as_ref().map_or(0.0, |label| label.score);
    segments.sort_by(|a, b| score(b).total_cmp(&score(a)).then(a.cluster.cmp(&b.cluster)));
    let labelled = segments.iter().any(|segment| segment.label.is_some());
    let has_shares = segments.iter().all(|segment| segment.monetary_share.is_some());
    let money = job.spec().profile.monetary.as_ref().filter(|_| has_shares);
    let of_segments = |shown: usize| {
        let mut header: Vec<String> = vec!["#".into()];
        header.extend(labelled.then(|| "segment".to_owned()));
        header.extend(["customers".to_owned(), "share".to_owned()]);
        header.extend(money.map(|_| "money".to_owned()));
        header.extend(features.iter().take(shown).cloned());
        let row = |segment: &&Segment| {
            let mut row = vec![segment.cluster.to_string()];
            row.extend(labelled.then(|| segment.label.as_ref().map_or_else(String::new, |label| label.name.clone())));
            row.extend([count(segment.size), percent(segment.share)]);
            row.extend(money.and(segment.monetary_share).map(percent));
            row.extend(segment.features.iter().take(shown).map(|feature| number(feature.mean)));
            row
        };
        let left = if labelled { vec![1] } else { vec![] };
        table(&header, &left, &segments.iter().map(row).collect::<Vec<_>>()).to_string()
    };
    let fits = |shown: &usize| of_segments(*shown).lines().all(|line| line.chars().count() <= COLUMNS);
    let shown = (0..=features.len()).rev().find(fits).unwrap_or(0);
    line(&of_segments(shown))?;
    let more = features.len() - shown;
    let mut notes: Vec<String> = vec!["#: the segment's number".to_owned()];
    notes.extend(money.map(|feature| format!("money: its share of {feature}")));
    notes.extend((shown > 0).then(|| "features: their means".to_owned()));
    if more > 0 {
        let are = plural(more as u64, "more feature is", "more features are");
        notes.push(format!("{more} {are} in segments.parquet"));
    }
    line(&notes.join("; "))?;
    for segment in &segments {
        if let Some(label) = &segment.label {
            line(&format!("{}: {}", label.name, label.action))?;
        }
    }
    let assigned: u64 = segments.iter().map(|segment| segment.size).sum();
    line("")?;
    let became = match job.spec().outliers.action {
        OutlierAction::SetAside => "; outliers, set aside from the fit",
        OutlierAction::Clip => "; outliers, moved to the fences for the fit",
        OutlierAction::Drop => "; outliers, dropped",
    };
    line(&format!(
        "{} customers: {} in {} {}{became}: {}{}",
        count(outcome.customers),
        count(assigned),
        segments.len(),
        plural(segments.len() as u64, "segment", "segments"),
        count(outcome.outliers),
        held(job.spec().profile.monetary.as_ref().zip(outcome.outliers_share).filter(|_| outcome.outliers > 0))
    ))?;
    line(&format!("k = {}: {}", outcome.evaluated.chosen_k, outcome.evaluated.why))?;
    if let Some(hierarchy) = &outcome.hierarchy {
        let over = if hierarchy.is_exact { "distinct customers" } else { "micro-clusters" };
        let (clusters, points) = (hierarchy.clusters.len(), count(hierarchy.points));
        line(&format!("hierarchy: {clusters} clusters, of {points} {over}"))?;
    }
    if let Some(density) = &outcome.density {
        let (clusters, noise) = (density.clusters.len(), count(density.noise));
        line(&format!("HDBSCAN: {clusters} clusters and {noise} customers of noise: {}", density.why))?;
        if density.resolution > 0.0 {
            let (points, resolution, bound) = (count(density.points), density.resolution, density.bound);
            line(&format!(
                "  on a grid of side {resolution:.3e}: {points} points, heights within {bound:.3e} of the exact ones"
            ))?;
        }
    }
    if let Some(graph) = outcome.density.as_ref().and_then(|density| density.graph.as_ref()) {
        line(&format!(
            "  by the graph of {} nearest neighbours: {:.2} % of them found (on {} points), {} {} joined",
            graph.neighbors,
            100.0 * graph.recall,
            graph.recall_points,
            graph.components,
            plural(u64::from(graph.components), "component", "components"),
        ))?;
    }
    line(&format!("published: {}", place(&outcome.output)))?;
    line(&format!("open {}report.html to look at it", place(&outcome.output)))
}

/// How much of a feature customers hold, as the end of a sentence about them.
fn held(share: Option<(&String, f64)>) -> String {
    share.map_or_else(String::new, |(feature, share)| format!(", with {} of all {feature}", percent(share)))
}

/// What was scored.
pub(crate) fn scored(manifest: &ScoreManifest, output: &str) -> io::Result<()> {
    result(|| json!(manifest), || scored_in_words(manifest, output))
}

fn scored_in_words(manifest: &ScoreManifest, output: &str) -> io::Result<()> {
    let (rows, outside) = (count(manifest.rows), count(manifest.outside));
    let share = manifest.outside_share.as_ref().filter(|_| manifest.outside > 0);
    let share = held(share.map(|outside| (&outside.feature, outside.share)));
    line(&format!("{rows} customers scored by the model of {}, {outside} outside its fences{share}", manifest.job))?;
    if let Some(noise) = manifest.noise {
        line(&format!("HDBSCAN: {} of them are noise", count(noise)))?;
    }
    if let Some(drift) = &manifest.drift {
        let of = |feature: &FeatureDrift| format!("{} {:.3}", feature.feature, feature.shift.stability_index);
        let features: Vec<String> = drift.features.iter().map(of).collect();
        let segments = drift.segments.shift.stability_index;
        line(&format!("drift (population stability index): {}; sizes of segments {segments:.3}", features.join(", ")))?;
    }
    line(&format!("published: {}", place(output)))
}

/// The plan of a job.
pub(crate) fn plan(job: &str, plan: &Plan) -> io::Result<()> {
    result(|| plan_as_json(job, plan), || plan_in_words(job, plan))
}

fn plan_as_json(job: &str, plan: &Plan) -> Value {
    let tables = plan.tables.iter().map(|table| {
        let columns = table.schema.fields().iter();
        json!({
            "name": table.name,
            "shards": table.shards,
            "columns": columns.map(|f| json!({"name": f.name(), "type": f.data_type().to_string()})).collect::<Vec<_>>(),
        })
    });
    let stages = plan.stages.iter().map(|stage| {
        json!({
            "stage": stage.name,
            "what": stage.what,
            "fingerprint": stage.fingerprint,
            "complete": stage.complete,
        })
    });
    json!({
        "job": job,
        "output": plan.output,
        "tables": tables.collect::<Vec<_>>(),
        "stages": stages.collect::<Vec<_>>(),
        "warnings": plan.warnings,
    })
}

fn plan_in_words(job: &str, plan: &Plan) -> io::Result<()> {
    line(&format!("job {job}"))?;
    for table in &plan.tables {
        let bytes: u64 = table.shards.iter().map(|shard| shard.bytes).sum();
        let rows: u64 = table.shards.iter().map(|shard| shard.rows).sum();
        line(&format!(
            "table {}: {} {}, {} rows, {}",
            table.name,
            table.shards.len(),
            plural(table.shards.len() as u64, "shard", "shards"),
            count(rows),
            bytesize::ByteSize(bytes)
        ))?;
        for field in table.schema.fields() {
            line(&format!("  {} {}", field.name(), field.data_type()))?;
        }
    }
    line("stages")?;
    for (i, stage) in plan.stages.iter().enumerate() {
        let state = if stage.complete { " (complete)" } else { "" };
        line(&format!(" {:>2}. {:<9} {}{state}", i + 1, stage.name, stage.what))?;
    }
    line(&format!("output {}", place(&plan.output)))?;
    for warning in &plan.warnings {
        line(&format!("warning: {warning}"))?;
    }
    line("the spec and its sources fit together")
}

fn named(cluster: i32, label: Option<&String>) -> String {
    label.map_or_else(|| cluster.to_string(), |label| format!("{cluster} {label}"))
}

/// Why a customer is where it is.
pub(crate) fn explanation(found: &Explanation) -> io::Result<()> {
    result(|| json!(found), || explanation_in_words(found))
}

fn explanation_in_words(found: &Explanation) -> io::Result<()> {
    let id: Vec<String> = found.id.iter().map(|(column, value)| format!("{column} {value}")).collect();
    let id = id.join(", ");
    match &found.kmeans {
        Some(kmeans) => line(&format!("{id} is in segment {}", named(kmeans.cluster, kmeans.label.as_ref())))?,
        None => line(&format!("{id} is in no segment"))?,
    }
    if let Some(outlier) = &found.outlier {
        let why = if outlier.rule == "isolation_forest" {
            format!(
                "the isolation forest scores it {}, beyond {}; {} isolates it the most",
                number(outlier.value),
                number(outlier.fence_high),
                outlier.feature
            )
        } else {
            let Outlier { feature, value, fence_low, fence_high, rule, .. } = outlier;
            let beyond = match value < fence_low {
                true => format!("below {}", number(*fence_low)),
                false => format!("above {}", number(*fence_high)),
            };
            format!("{feature} is {}, {beyond} (rule {rule})", number(*value))
        };
        let became = match outlier.action {
            OutlierAction::SetAside => "took no part in the fit",
            OutlierAction::Clip => "was moved to the fence for the fit",
            OutlierAction::Drop => "was dropped",
        };
        line(&format!("it {became}, as an outlier: {why}"))?;
    }
    let header = ["feature", "value", "", "scaled", "mean of segment", "mean of all"].map(str::to_owned);
    let rows: Vec<Vec<String>> = found
        .features
        .iter()
        .map(|cell| {
            vec![
                cell.feature.clone(),
                number(cell.value),
                if cell.imputed { "was missing, imputed".to_owned() } else { String::new() },
                format!("{:.3}", cell.scaled),
                cell.segment_mean.map_or_else(String::new, number),
                number(cell.mean),
            ]
        })
        .collect();
    line(&table(&header, &[0, 2], &rows).to_string())?;
    if let Some(kmeans) = &found.kmeans {
        line("distance to the centroids, in scaled units")?;
        for (i, centroid) in kmeans.distances.iter().enumerate() {
            let own = if centroid.cluster == kmeans.cluster { "  its own" } else { "" };
            let nearest = if i == 0 { "  the nearest" } else { "" };
            let name = named(centroid.cluster, centroid.label.as_ref());
            line(&format!("  {name:<28} {:>8.3}{nearest}{own}", centroid.distance))?;
        }
        if let Some(rule) = &kmeans.rule {
            line(&format!("the rule of its segment: {rule}"))?;
        }
    }
    if let Some(hierarchy) = &found.hierarchy {
        let path: Vec<String> = hierarchy.path.iter().map(u32::to_string).collect();
        let name = named(hierarchy.cluster, hierarchy.label.as_ref());
        line(&format!("hierarchy: cluster {name}, by the nodes {} of the dendrogram", path.join(" > ")))?;
    }
    if let Some(density) = &found.hdbscan {
        let what = match density.cluster {
            cluster if cluster < 0 => "noise".to_owned(),
            cluster => {
                let name = named(cluster, density.label.as_ref());
                format!("cluster {name} with probability {:.3}", density.probability)
            }
        };
        line(&format!("HDBSCAN: {what}, outlier score {:.3}", density.outlier_score))?;
        for node in &density.path {
            line(&format!("  {}", density_node(node)))?;
        }
        line(&format!("  it falls out at distance {}", number(density.leaves_at)))?;
    }
    Ok(())
}

fn density_node(node: &DensityNode) -> String {
    let birth = node.birth.map_or_else(|| "the root".to_owned(), |birth| format!("from distance {}", number(birth)));
    let selected = node.cluster.map_or_else(String::new, |cluster| format!("  is cluster {cluster}"));
    format!("node {:<5} {birth:<24} {} customers{selected}", node.node, count(node.size))
}

/// What has changed between two runs.
pub(crate) fn comparison(found: &Comparison) -> io::Result<()> {
    result(|| json!(found), || comparison_in_words(found))
}

fn comparison_in_words(found: &Comparison) -> io::Result<()> {
    for (when, run) in [("old", &found.old), ("new", &found.new)] {
        let at = &run.published_at;
        line(&format!(
            "{when}: {} {}, {} customers, published {at}",
            run.job,
            place(&run.output),
            count(run.customers)
        ))?;
    }
    line(&format!(
        "{} customers are in both, {} appeared, {} are gone",
        count(found.common),
        count(found.appeared),
        count(found.gone)
    ))?;
    for clustering in &found.clusterings {
        line("")?;
        clustering_in_words(clustering)?;
    }
    line("")?;
    line("match: how alike two segments are, from 0 to 1; from 0.33 on they count as the same")?;
    line("")?;
    line("features, by the population stability index against the deciles of the old run")?;
    for FeatureDrift { feature, shift, missing_before, missing_now } in &found.features {
        let drift = json!(shift.drift);
        let drift = drift.as_str().unwrap_or_default();
        let missing = if missing_before == missing_now {
            String::new()
        } else {
            format!("; missing {}, was {}", percent(*missing_now), percent(*missing_before))
        };
        line(&format!("  {feature:<24} {:>7.4}  {drift}{missing}", shift.stability_index))?;
    }
    for (features, when) in [(&found.features_gone, "old"), (&found.features_new, "new")] {
        if !features.is_empty() {
            line(&format!("  only in the {when} run: {}", features.join(", ")))?;
        }
    }
    Ok(())
}

fn clustering_in_words(found: &ClusteringComparison) -> io::Result<()> {
    let stayed =
        found.stayed.map_or_else(String::new, |stayed| format!(": {} stayed in their segment", percent(stayed)));
    line(&format!("{}{stayed}", found.algorithm.name()))?;
    let name = |segment: Option<&SegmentRef>| {
        segment.map_or_else(String::new, |segment| named(segment.cluster, segment.label.as_ref()))
    };
    let of_either = |pair: &Pair| pair.old.iter().chain(&pair.new).any(|segment| segment.monetary_share.is_some());
    let has_money = found.segments.iter().any(of_either);
    let mut header = ["then", "now", "", "customers then", "now", "share then", "now"].map(str::to_owned).to_vec();
    header.extend(has_money.then(|| ["money then".to_owned(), "now".to_owned()]).into_iter().flatten());
    header.push("match".to_owned());
    let rows: Vec<Vec<String>> = found
        .segments
        .iter()
        .map(|pair| {
            let (old, new) = (pair.old.as_ref(), pair.new.as_ref());
            let what = match (old, new) {
                (Some(_), Some(_)) => "",
                (Some(_), None) => "gone",
                (None, _) => "new",
            };
            let size = |segment: Option<&SegmentRef>| segment.map_or_else(String::new, |segment| count(segment.size));
            let share =
                |segment: Option<&SegmentRef>| segment.map_or_else(String::new, |segment| percent(segment.share));
            let money = |segment: Option<&SegmentRef>| {
                segment.and_then(|segment| segment.monetary_share).map_or_else(String::new, percent)
            };
            let mut row = vec![name(old), name(new), what.to_owned(), size(old), size(new), share(old), share(new)];
            row.extend(has_money.then(|| [money(old), money(new)]).into_iter().flatten());
            row.push(format!("{:.2}", pair.score));
            row
        })
        .collect();
    line(&table(&header, &[0, 1, 2], &rows).to_string())?;
    let label = |place: Place, is_old: bool| match place {
        Place::Segment(-1) => "noise".to_owned(),
        Place::Outlier => "dropped as an outlier".to_owned(),
        Place::Absent => "not there".to_owned(),
        Place::Segment(cluster) => {
            let mut all =
                found.segments.iter().filter_map(|pair| if is_old { pair.old.as_ref() } else { pair.new.as_ref() });
            let segment = all.find(|segment| segment.cluster == cluster);
            named(cluster, segment.and_then(|segment| segment.label.as_ref()))
        }
    };
    let moved: Vec<_> = found.moves.iter().filter(|one| !one.stayed).collect();
    for one in moved.iter().take(MOVES_SHOWN) {
        line(&format!("  {:>13}  {} -> {}", count(one.customers), label(one.from, true), label(one.to, false)))?;
    }
    if moved.len() > MOVES_SHOWN {
        let more = moved.len() - MOVES_SHOWN;
        line(&format!("  and {more} more {}; --json has all", plural(more as u64, "move", "moves")))?;
    }
    Ok(())
}
