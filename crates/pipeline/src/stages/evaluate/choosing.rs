//! The choice of k: what each rule says, and the sentence that says why.

use segmenta_algorithms::kmeans::{Gap, by_gap, elbow};
use segmenta_engine::{EngineError, Result};
use segmenta_results::clusterings::{Choice, Measures};

use segmenta_spec::{KMeans, Select};

/// What each rule chooses, for the rules that can choose; empty where there is a single k.
pub(super) fn choices(measures: &[Measures], gaps: &[Gap]) -> Vec<Choice> {
    if measures.len() < 2 {
        return vec![];
    }
    Select::ALL.into_iter().filter_map(|rule| Some(Choice { rule, k: choice(rule, measures, gaps)? })).collect()
}

/// Ties go to the smaller k.
fn choice(rule: Select, measures: &[Measures], gaps: &[Gap]) -> Option<usize> {
    let largest = |of: fn(&Measures) -> Option<f64>| {
        let values = measures.iter().filter_map(|measures| Some((measures.k, of(measures)?)));
        values.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(k, _)| k)
    };
    match rule {
        Select::Elbow => {
            let curve: Vec<(usize, f64)> = measures.iter().map(|measures| (measures.k, measures.inertia)).collect();
            elbow(&curve).map(|elbow| elbow.k)
        }
        Select::Silhouette => largest(|measures| measures.silhouette),
        Select::CalinskiHarabasz => largest(|measures| measures.calinski_harabasz),
        Select::DaviesBouldin => largest(|measures| measures.davies_bouldin.map(|index| -index)),
        Select::Gap => by_gap(gaps).map(|gap| gap.k),
    }
}

/// The chosen k, and why in a sentence.
///
/// # Errors
/// When the rule cannot choose.
pub(super) fn choose(settings: &KMeans, measures: &[Measures], choices: &[Choice]) -> Result<(usize, String)> {
    if let [k] = settings.k.as_slice() {
        return Ok((*k, format!("the spec fixes k at {k}")));
    }
    let rule = settings.select;
    let chosen = choices.iter().find(|choice| choice.rule == rule).map(|choice| choice.k);
    let found = chosen.and_then(|k| measures.iter().find(|measures| measures.k == k));
    let found = found.ok_or_else(|| {
        EngineError::input(format!(
            "kmeans.select: {} cannot choose a k here: the rows have too few distinct values; choose another rule, or set k to \
             one number",
            rule.name()
        ))
    })?;
    let (first, last) = (measures.first().map_or(0, |m| m.k), measures.last().map_or(0, |m| m.k));
    Ok((found.k, why(rule, found, first, last)))
}

/// Written for people who work with the segments; the figures are in brackets.
fn why(rule: Select, chosen: &Measures, first: usize, last: usize) -> String {
    let k = chosen.k;
    let value = |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), |value| format!("{value:.4}"));
    match rule {
        Select::Elbow if chosen.elbow_prominence <= 0.0 => format!(
            "the elbow rule takes the fewest segments, {k}: each further one makes customers within a segment more alike by \
             about as much as the one before (the inertia over k = {first}..{last} has no elbow)"
        ),
        Select::Elbow => format!(
            "the elbow rule takes {k} segments: up to there each further segment makes customers within a segment clearly more \
             alike, and beyond it little more (the inertia over k = {first}..{last} lies farthest below the line between its \
             ends at k = {k}, by {:.1} % of its height)",
            chosen.elbow_prominence * 100.0
        ),
        Select::Silhouette => format!(
            "the silhouette takes {k} segments: with them customers are most clearly closer to their own segment than to the \
             next one (mean silhouette {}, the largest over k = {first}..{last})",
            value(chosen.silhouette)
        ),
        Select::CalinskiHarabasz => format!(
            "the Calinski-Harabasz index takes {k} segments: with them segments differ most from each other for how much \
             customers differ within them (index {}, the largest over k = {first}..{last})",
            value(chosen.calinski_harabasz)
        ),
        Select::DaviesBouldin => format!(
            "the Davies-Bouldin index takes {k} segments: with them even neighbouring segments are least easily confused with \
             each other (index {}, the least over k = {first}..{last})",
            value(chosen.davies_bouldin)
        ),
        Select::Gap => format!(
            "the gap statistic takes {k} segments: that many stand out from customers spread at random, and one more would not \
             stand out further (gap {} +- {} at k = {k}, of k = {first}..{last})",
            value(chosen.gap),
            value(chosen.gap_error)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use segmenta_algorithms::kmeans::prominences;
    use segmenta_spec::{KMeansAlgorithm, Start};

    fn measures(curve: &[(usize, f64, f64)]) -> Vec<Measures> {
        let inertia: Vec<(usize, f64)> = curve.iter().map(|(k, inertia, _)| (*k, *inertia)).collect();
        let of = |((k, inertia, silhouette), elbow_prominence): (&(usize, f64, f64), f64)| Measures {
            k: *k,
            inertia: *inertia,
            elbow_prominence,
            silhouette: Some(*silhouette),
            calinski_harabasz: Some(*k as f64),
            davies_bouldin: Some((*k as f64 - 4.0).abs()),
            ..Measures::default()
        };
        curve.iter().zip(prominences(&inertia)).map(of).collect()
    }

    fn chosen(select: Select, k: Vec<usize>, measures: &[Measures], gaps: &[Gap]) -> Result<(usize, String)> {
        let settings = KMeans {
            k,
            select,
            algorithm: KMeansAlgorithm::Lloyd,
            seed: 0,
            restarts: 1,
            max_iterations: 10,
            tolerance: 1e-4,
            start: Start::KmeansPlusPlus,
        };
        choose(&settings, measures, &choices(measures, gaps))
    }

    #[test]
    fn chooses_by_what_the_spec_says() {
        let curve = measures(&[(2, 100.0, 0.5), (3, 30.0, 0.6), (4, 25.0, 0.6), (5, 22.0, 0.1)]);
        let gaps = [(2, 0.1), (3, 0.2), (4, 0.5), (5, 0.45)].map(|(k, gap)| Gap { k, gap, error: 0.01 });
        let by = |select| chosen(select, vec![2, 3, 4, 5], &curve, &gaps).unwrap();
        for (rule, k) in Select::ALL.into_iter().zip([3, 3, 5, 4, 4]) {
            let (found, why) = by(rule);
            assert_eq!(found, k, "{rule:?}");
            assert!(why.contains(&format!("takes {k} segments:")) && why.contains("k = 2..5"), "{why}");
        }
        let line = measures(&[(2, 30.0, 0.5), (3, 20.0, 0.6), (4, 10.0, 0.6), (5, 0.0, 0.1)]);
        let (k, why) = chosen(Select::Elbow, vec![2, 3, 4, 5], &line, &gaps).unwrap();
        assert!(k == 2 && why.contains("no elbow"), "{why}");
        assert!(chosen(Select::Elbow, vec![4], &curve[2..3], &[]).unwrap().1.contains("the spec fixes k at 4"));
        let nothing = chosen(Select::Gap, vec![2, 3, 4, 5], &curve, &[]).unwrap_err();
        assert!(nothing.message.contains("kmeans.select: gap"), "{}", nothing.message);
    }
}
