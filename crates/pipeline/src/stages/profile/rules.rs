//! Short rules for the segments: shallow decision trees on the raw features, grown on the sample and measured on all rows.

use segmenta_algorithms::hierarchy::Contingency;
use segmenta_algorithms::rows::matrix;
use segmenta_algorithms::rules::{Condition, Conjunction, DecisionTree, Limits, Rules};
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::{ApplyRules, RuledClustering};
use segmenta_engine::{EngineError, Result};
use segmenta_results::clusterings::Algorithm;
use segmenta_results::segments::{ClusteringRules, Segment, SegmentRule};

use super::sample::{SegmentSample, by_algorithm};
use crate::stage::StageContext;
use crate::stages::singly;

/// Clusterings with more segments get no rules, because nobody would read them.
const MOST_SEGMENTS: usize = 32;
/// Most conditions of a rule.
const DEPTH: usize = 5;
/// Leaves of a tree for each segment, and the least number of leaves.
const LEAVES_A_SEGMENT: usize = 2;
const LEAST_LEAVES: usize = 8;
/// Least share of the customers that a leaf holds.
const LEAST_SHARE: f64 = 0.001;

/// Finds rules, and measures them in one pass over all rows.
pub(super) async fn find(
    context: &StageContext<'_>,
    features: &[String],
    sample: &SegmentSample,
    assignments: &[Part],
    segments: &[Segment],
) -> Result<Vec<ClusteringRules>> {
    let points = matrix(sample.features(features.len()), features.len());
    let mut found: Vec<(Algorithm, Vec<i32>, DecisionTree)> = vec![];
    for (algorithm, segments) in by_algorithm(segments) {
        let (true, Some(labels)) = ((2..=MOST_SEGMENTS).contains(&segments.len()), sample.labels(algorithm)) else {
            continue;
        };
        let clusters: Vec<i32> = segments.iter().map(|segment| segment.cluster).collect();
        let class = |label: &i32| clusters.iter().position(|cluster| cluster == label).map(|class| class as u32);
        let classes: Vec<u32> = labels.iter().filter_map(class).collect();
        if classes.len() < labels.len() {
            continue;
        }
        let limits = Limits {
            max_leaves: LEAST_LEAVES.max(LEAVES_A_SEGMENT * clusters.len()),
            max_depth: DEPTH,
            min_leaf_share: LEAST_SHARE,
        };
        let tree = DecisionTree::grow(&points, &classes, &sample.weights, clusters.len(), &limits)
            .map_err(|error| EngineError::job(format!("profile: no rules can be found: {error}")))?;
        found.push((algorithm, clusters, tree));
    }
    if found.is_empty() {
        return Ok(vec![]);
    }
    let of = |(algorithm, _, tree): &(Algorithm, Vec<i32>, DecisionTree)| RuledClustering {
        column: algorithm.column().to_owned(),
        tree: tree.clone(),
    };
    let task = ApplyRules { features: features.to_vec(), clusterings: found.iter().map(of).collect() };
    let merge = |total: &mut Vec<Contingency>, part: Vec<Contingency>| {
        total.iter_mut().zip(&part).for_each(|(total, part)| total.merge(part));
    };
    let counted = context.merge_parts(task, &singly(assignments), merge).await?;
    let rules = found
        .iter()
        .zip(&counted)
        .map(|((algorithm, clusters, tree), counted)| measured(*algorithm, clusters, tree, counted, features));
    Ok(rules.collect())
}

fn measured(
    algorithm: Algorithm,
    clusters: &[i32],
    tree: &DecisionTree,
    counted: &Contingency,
    features: &[String],
) -> ClusteringRules {
    let sum = |of: &dyn Fn(i32, usize) -> bool| -> u64 {
        counted.cells().filter(|cell| of(cell.first, cell.second as usize)).map(|cell| cell.count).sum()
    };
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let rules = Rules::of(tree).rules.into_iter().map(|rule| (rule.class as usize, rule.conjunctions));
    let rules = rules.filter(|(_, conjunctions)| !conjunctions.is_empty());
    let segments = rules.map(|(class, conjunctions)| {
        let right = sum(&|label, given| given == class && clusters.get(given) == Some(&label));
        SegmentRule {
            cluster: clusters[class],
            text: in_words(&conjunctions, features),
            sql: in_sql(&conjunctions, features),
            precision: share(right, sum(&|_, given| given == class)),
            recall: share(right, sum(&|label, _| label == clusters[class])),
        }
    });
    let right = sum(&|label, given| clusters.get(given) == Some(&label));
    ClusteringRules {
        algorithm,
        segments: segments.collect(),
        fidelity: share(right, sum(&|_, _| true)).unwrap_or(0.0),
    }
}

/// `monetary above 95 and recency at most 300, or frequency above 12`.
fn in_words(conjunctions: &[Conjunction], features: &[String]) -> String {
    let condition = |condition: &Condition| {
        let name = &features[condition.feature];
        match (condition.low, condition.high) {
            (Some(low), Some(high)) => format!("{name} above {low} and at most {high}"),
            (Some(low), None) => format!("{name} above {low}"),
            (None, Some(high)) => format!("{name} at most {high}"),
            (None, None) => "any".to_owned(),
        }
    };
    joined(conjunctions, &condition, " and ", ", or ", "everybody")
}

/// `("monetary" > 95 AND "recency" <= 300) OR ("frequency" > 12)`.
fn in_sql(conjunctions: &[Conjunction], features: &[String]) -> String {
    let condition = |condition: &Condition| {
        let name = format!("\"{}\"", features[condition.feature].replace('"', "\"\""));
        let low = condition.low.map(|low| format!("{name} > {low}"));
        let high = condition.high.map(|high| format!("{name} <= {high}"));
        low.into_iter().chain(high).collect::<Vec<_>>().join(" AND ")
    };
    format!("({})", joined(conjunctions, &condition, " AND ", ") OR (", "TRUE"))
}

fn joined(
    conjunctions: &[Conjunction],
    condition: &dyn Fn(&Condition) -> String,
    and: &str,
    or: &str,
    always: &str,
) -> String {
    let all = |conjunction: &Conjunction| match conjunction.conditions.as_slice() {
        [] => always.to_owned(),
        conditions => conditions.iter().map(condition).collect::<Vec<_>>().join(and),
    };
    conjunctions.iter().map(all).collect::<Vec<_>>().join(or)
}

#[cfg(test)]
mod tests {
    use super::*;
    use segmenta_results::segments::rules_sql;

    #[test]
    fn rules_are_written_in_words_and_in_sql() {
        let features = ["spend".to_owned(), "say \"hi\"".to_owned()];
        let condition = |feature, low, high| Condition { feature, low, high };
        let conjunction =
            |conditions: &[Condition]| Conjunction { conditions: conditions.to_vec(), share: 0.5, precision: 1.0 };
        let rules = [
            conjunction(&[condition(0, Some(95.0), None), condition(1, Some(-0.5), Some(300.0))]),
            conjunction(&[condition(0, None, Some(2.5))]),
        ];
        assert_eq!(
            in_words(&rules, &features),
            "spend above 95 and say \"hi\" above -0.5 and at most 300, or spend at most 2.5"
        );
        let sql = in_sql(&rules, &features);
        assert_eq!(
            sql,
            "(\"spend\" > 95 AND \"say \"\"hi\"\"\" > -0.5 AND \"say \"\"hi\"\"\" <= 300) OR (\"spend\" <= 2.5)"
        );
        let rule = SegmentRule { cluster: 3, text: String::new(), sql, precision: None, recall: None };
        let all = [ClusteringRules { algorithm: Algorithm::Kmeans, fidelity: 0.95, segments: vec![rule] }];
        let query = rules_sql("j", &features, &all, &[]);
        assert!(query.contains("WHEN (\"spend\" > 95 AND") && query.contains("<= 2.5) THEN 3\n"), "{query}");
    }
}
