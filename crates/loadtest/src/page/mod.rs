//! The page about a load test: the same style, charts and promises as the report of a run.

use minijinja::context;
use minijinja::value::Serde;
use segmenta_engine::Result;
use segmenta_report::page::filters::{decimals, percent, seconds, thousands};
use segmenta_report::page::{LIBRARY, STYLE, render};
use segmenta_results::words::plural;
use serde::Serialize;

use crate::measured::{Burst, LoadTest, Scale};

const PAGE: &str = include_str!("load.html");
const SCRIPT: &str = include_str!("load.js");

/// Everything that is on the page.
#[derive(Debug, Serialize)]
struct View<'a> {
    #[serde(flatten)]
    test: &'a LoadTest,
    headline: Vec<String>,
    faults: Vec<String>,
    /// Each number of rows: a colour of the plots.
    sizes: Vec<u64>,
    /// Each stage: a colour of the bars.
    stages: Vec<&'a str>,
    has_speed_up: bool,
    has_latency: bool,
}

impl<'a> View<'a> {
    fn new(test: &'a LoadTest) -> Self {
        let mut sizes: Vec<u64> = test.scale.iter().map(|scale| scale.rows).collect();
        sizes.extend(test.bursts.iter().map(|burst| burst.rows));
        sizes.sort_unstable();
        sizes.dedup();
        let mut stages: Vec<&str> = Vec::new();
        for (stage, _) in test.scale.iter().flat_map(|scale| &scale.stages) {
            if !stages.contains(&stage.as_str()) {
                stages.push(stage);
            }
        }
        Self {
            test,
            headline: headline(test),
            faults: test.faults(),
            sizes,
            stages,
            has_speed_up: test.scale.iter().any(|scale| scale.speed_up.is_some()),
            has_latency: test.bursts.iter().any(|burst| burst.latency.is_some()),
        }
    }
}

/// What came out, in a few sentences.
fn headline(test: &LoadTest) -> Vec<String> {
    let mut sentences = Vec::new();
    let fastest = |scale: &&Scale| scale.rows_per_second.unwrap_or_default();
    let most = test.scale.iter().filter(|scale| scale.seconds.is_some()).map(|scale| scale.rows).max();
    let of_most = test.scale.iter().filter(|scale| Some(scale.rows) == most && scale.seconds.is_some());
    if let Some(best) = of_most.max_by(|a, b| fastest(a).total_cmp(&fastest(b))) {
        let rows = thousands(best.rows as f64);
        let took = seconds(best.seconds.unwrap_or_default());
        let rate = thousands(best.rows_per_second.unwrap_or_default());
        let place = workers_in_words(best.workers);
        let mut text = format!("{rows} customers take {took} {place}: {rate} a second");
        if let (Some(speed_up), Some(efficiency)) = (best.speed_up, best.efficiency)
            && speed_up > 1.0
        {
            let (speed_up, efficiency) = (decimals(speed_up, 2), percent(efficiency));
            text += &format!(
                ", {speed_up} times as fast as on the least number of workers, which is {efficiency} of what the additional slots could give"
            );
        }
        sentences.push(text + ".");
    }
    let rate = |burst: &&Burst| (burst.rows, burst.jobs_per_hour.unwrap_or_default());
    let by_rate = |a: &&Burst, b: &&Burst| {
        let ((rows, rate_of_a), (other, rate_of_b)) = (rate(a), rate(b));
        rows.cmp(&other).then(rate_of_a.total_cmp(&rate_of_b))
    };
    if let Some(burst) = test.bursts.iter().filter(|burst| burst.latency.is_some()).max_by(by_rate) {
        let (jobs, place) = (burst.jobs.len(), workers_in_words(burst.workers));
        if let (Some(latency), Some(rate)) = (burst.latency, burst.jobs_per_hour) {
            sentences.push(format!(
                "Of {jobs} {} over {} customers at once {place}, half are done within {} and 99 in 100 within {}: {} an hour.",
                plural(jobs as u64, "job", "jobs"),
                thousands(burst.rows as f64),
                seconds(latency.p50),
                seconds(latency.p99),
                thousands(rate)
            ));
        }
    }
    let results: usize = test.agreements.iter().map(|agreement| agreement.results).sum();
    if results > 1 && test.agreements.iter().all(|agreement| agreement.differing.is_empty()) {
        sentences.push(format!("All {results} results over the same rows are the same tables, byte for byte."));
    }
    sentences
}

fn workers_in_words(workers: Option<u32>) -> String {
    match workers {
        None => "on the cluster".to_owned(),
        Some(0) => "in one process".to_owned(),
        Some(n) => format!("on {n} {}", plural(u64::from(n), "worker", "workers")),
    }
}

/// The page, in HTML.
///
/// # Errors
/// Never for a load test that is at hand.
pub fn html(test: &LoadTest) -> Result<String> {
    let report = View::new(test);
    render(
        "load.html",
        PAGE,
        context! { report => Serde(report), style => STYLE, script => SCRIPT, library => LIBRARY },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::tests::{job, load_test, run};

    #[test]
    fn the_page_says_what_was_measured_and_what_went_wrong() {
        let runs = vec![
            run(500_000, Some(0), 1, Some(20.0), "a"),
            run(500_000, Some(2), 1, Some(12.5), "a"),
            run(500_000, Some(4), 1, None, "a"),
        ];
        let jobs = vec![job(2.0, None), job(4.0, Some("refused"))];
        let test = load_test(runs, vec![Burst::new("burst".to_owned(), 500_000, Some(2), jobs, Some(4.0))]);
        let page = html(&test).unwrap();
        let text = page.replace('\u{a0}', " ");
        for part in [
            "500,000 customers take 12.5 s on 2 workers: 40,000 a second",
            "1.60 times as fast",
            "1 of 3 runs failed",
            "1 of 2 jobs that were submitted at once failed",
            "&lt;b&gt;the disk&lt;",
            "default-src 'none'",
            "id=\"speed-up\"",
            "id=\"latency\"",
        ] {
            assert!(text.contains(part), "no `{part}`");
        }
        assert!(!text.contains("<b>the disk"));
        // Nothing to draw, nothing to fail.
        let nothing = html(&load_test(vec![], vec![])).unwrap();
        assert!(!nothing.contains("<figure"));
    }
}
