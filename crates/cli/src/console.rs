//! What the user sees: progress, results and errors.
//!
//! Results go to standard output, progress and errors to standard error. On a terminal each stage has a bar; elsewhere
//! each is one log line.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table, TableComponent};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use segmenta_engine::progress::Progress;
use segmenta_pipeline::drift::FeatureDrift;
use segmenta_pipeline::job::{Job, Observer, Outcome, Plan, StageReport};
use segmenta_pipeline::score::ScoreManifest;
use segmenta_pipeline::stages::profile::{Algorithm, Segment};

/// How often a bar looks at how far the tasks are.
const TICK: Duration = Duration::from_millis(100);

/// Most features that the table of segments shows.
const FEATURES_SHOWN: usize = 6;

/// Shows how a job goes.
pub(crate) struct Console {
    shared: Arc<Shared>,
    ticker: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    progress: Arc<Progress>,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    bar: Option<ProgressBar>,
    rows: u64,
    rows_before_pass: u64,
    /// The step tells itself how far it is.
    counts_itself: bool,
    over: bool,
}

impl Console {
    pub(crate) fn new(progress: Arc<Progress>) -> Self {
        let shared = Arc::new(Shared { progress, current: Mutex::default() });
        let ticker = io::stderr().is_terminal().then(|| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.tick())
        });
        Self { shared, ticker: Mutex::new(ticker) }
    }

    /// Stops drawing.
    pub(crate) fn finish(&self) {
        let mut current = self.shared.current();
        current.over = true;
        if let Some(bar) = current.bar.take() {
            bar.finish_and_clear();
        }
        drop(current);
        let ticker = self.ticker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ticker) = ticker {
            // A bar that cannot be drawn is no reason to fail.
            let _ = ticker.join();
        }
    }
}

impl Shared {
    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self) {
        loop {
            std::thread::sleep(TICK);
            let current = self.current();
            if current.over {
                return;
            }
            if let (Some(bar), false) = (&current.bar, current.counts_itself) {
                let done = self.progress.rows().saturating_sub(current.rows_before_pass);
                bar.set_position(done.min(bar.length().unwrap_or(done)));
            }
        }
    }
}

impl Observer for Console {
    fn stage_started(&self, stage: &'static str, rows: u64) {
        let mut current = self.shared.current();
        current.rows_before_pass = self.shared.progress.rows();
        (current.rows, current.counts_itself) = (rows, false);
        current.bar = Some(bar(stage, rows));
    }

    fn step_started(&self, _stage: &'static str, step: &'static str) {
        let mut current = self.shared.current();
        current.counts_itself = false;
        current.rows_before_pass = self.shared.progress.rows();
        if let Some(bar) = &current.bar {
            bar.set_length(current.rows);
            bar.set_message(step);
        }
    }

    fn step_progress(&self, _stage: &'static str, done: u64, total: u64) {
        let mut current = self.shared.current();
        current.counts_itself = true;
        if let Some(bar) = &current.bar {
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    fn pass_finished(&self, _stage: &'static str, passes: u64) {
        let mut current = self.shared.current();
        current.rows_before_pass = self.shared.progress.rows();
        if let Some(bar) = &current.bar {
            bar.set_message(format!("pass {}", passes + 1));
        }
    }

    fn stage_finished(&self, report: &StageReport) {
        let bar = self.shared.current().bar.take();
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        let cost = &report.cost;
        stage_complete(&Finished {
            stage: report.stage.clone(),
            rows: cost.rows,
            passes: cost.passes,
            seconds: cost.seconds,
            peak_memory_bytes: cost.peak_memory_bytes,
            resumed: report.resumed,
        });
    }

    fn warning(&self, warning: &str) {
        let current = self.shared.current();
        match &current.bar {
            Some(bar) => bar.suspend(|| tracing::warn!(target: "segmenta", "{warning}")),
            None => tracing::warn!(target: "segmenta", "{warning}"),
        }
    }
}

/// How a stage went.
pub(crate) struct Finished {
    pub(crate) stage: String,
    pub(crate) rows: u64,
    pub(crate) passes: u64,
    pub(crate) seconds: f64,
    pub(crate) peak_memory_bytes: Option<u64>,
    pub(crate) resumed: bool,
}

/// Says that a stage is complete.
pub(crate) fn stage_complete(stage: &Finished) {
    if io::stderr().is_terminal() {
        let how = if stage.resumed {
            "done by an earlier run".to_owned()
        } else {
            format!("{} {}, {:.1} s", stage.passes, plural(stage.passes, "pass", "passes"), stage.seconds)
        };
        eprint_line(&format!("  {:<9} {:>13} rows, {how}", stage.stage, count(stage.rows)));
    } else {
        tracing::info!(
            target: "segmenta",
            stage = stage.stage,
            rows = stage.rows,
            passes = stage.passes,
            seconds = (stage.seconds * 1000.0).round() / 1000.0,
            peak_memory_mib = stage.peak_memory_bytes.map(|bytes| bytes >> 20),
            resumed = stage.resumed,
            "stage complete"
        );
    }
}

/// A bar of partitions on standard error.
pub(crate) fn task_bar(name: &str) -> ProgressBar {
    let bar = ProgressBar::new(0).with_prefix(name.to_owned());
    if let Ok(style) = ProgressStyle::with_template("  {prefix:<9} {bar:30} {human_pos}/{human_len}  {msg}  {elapsed}")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

/// A bar on standard error; invisible where that is not a terminal.
pub(crate) fn bar(name: &'static str, rows: u64) -> ProgressBar {
    let target = if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(rows), target).with_prefix(name);
    let style = "  {prefix:<9} {bar:30} {human_pos}/{human_len} rows  {msg}  {elapsed}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

/// A line on standard output.
pub(crate) fn line(text: &str) -> io::Result<()> {
    match writeln!(io::stdout(), "{text}") {
        // Whoever read us has had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn eprint_line(text: &str) {
    // Nobody is there to be told that standard error is closed.
    let _ = writeln!(io::stderr(), "{text}");
}

/// An error, with its causes, on standard error.
pub(crate) fn error(error: &anyhow::Error) {
    let text = format!("{error:#}");
    let mut lines = text.lines();
    eprint_line(&format!("error: {}", lines.next().unwrap_or_default()));
    lines.for_each(|line| eprint_line(&format!("       {line}")));
}

/// `1234567` as `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub(crate) fn plural<'a>(n: u64, one: &'a str, many: &'a str) -> &'a str {
    if n == 1 { one } else { many }
}

/// A number for a table: whole when it is large, with more digits when it is small.
fn number(value: f64) -> String {
    let magnitude = value.abs();
    if (1_000.0..1e15).contains(&magnitude) {
        let sign = if value < 0.0 { "-" } else { "" };
        format!("{sign}{}", count(magnitude.round() as u64))
    } else if magnitude >= 10.0 || value == 0.0 {
        format!("{value:.1}")
    } else if magnitude >= 0.01 {
        format!("{value:.2}")
    } else {
        format!("{value:.2e}")
    }
}

/// The table of segments, and where everything is.
pub(crate) fn outcome(job: &Job, outcome: &Outcome) -> io::Result<()> {
    let features = &job.spec().source.features;
    let found = outcome.profiled.segments.iter();
    let mut segments: Vec<&Segment> = found.filter(|segment| segment.algorithm == Algorithm::Kmeans).collect();
    let score = |segment: &Segment| segment.label.as_ref().map_or(0.0, |label| label.score);
    segments.sort_by(|a, b| score(b).total_cmp(&score(a)).then(a.cluster.cmp(&b.cluster)));
    let labelled = segments.iter().any(|segment| segment.label.is_some());
    let shown = features.len().min(FEATURES_SHOWN);

    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY);
    // A line below the header and around the table, none between rows.
    table.remove_style(TableComponent::HorizontalLines);
    table.remove_style(TableComponent::MiddleIntersections);
    let mut header: Vec<String> = vec!["cluster".into()];
    header.extend(labelled.then(|| "segment".to_owned()));
    header.extend(["customers".to_owned(), "share".to_owned()]);
    header.extend(features.iter().take(shown).map(|name| format!("mean {name}")));
    table.set_header(header);
    for segment in &segments {
        let mut row = vec![segment.cluster.to_string()];
        row.extend(labelled.then(|| segment.label.as_ref().map_or_else(String::new, |label| label.name.clone())));
        row.extend([count(segment.size), format!("{:.1} %", segment.share * 100.0)]);
        row.extend(segment.features.iter().take(shown).map(|feature| number(feature.mean)));
        table.add_row(row);
    }
    for (i, column) in table.column_iter_mut().enumerate() {
        if !(labelled && i == 1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    line(&table.to_string())?;
    if features.len() > shown {
        line(&format!("{} more features are in segments.parquet", features.len() - shown))?;
    }
    for segment in &segments {
        if let Some(label) = &segment.label {
            line(&format!("{}: {}", label.name, label.action))?;
        }
    }
    let assigned: u64 = segments.iter().map(|segment| segment.size).sum();
    line("")?;
    line(&format!(
        "{} customers: {} in {} segments, {} cut as outliers",
        count(outcome.customers),
        count(assigned),
        segments.len(),
        count(outcome.rejected)
    ))?;
    line(&format!("k = {}: {}", outcome.evaluated.chosen_k, outcome.evaluated.why))?;
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
    line(&format!("published: {}", place(&outcome.output)))
}

/// What was scored.
pub(crate) fn scored(manifest: &ScoreManifest, output: &str) -> io::Result<()> {
    let (rows, outside) = (count(manifest.rows), count(manifest.outside));
    line(&format!("{rows} customers scored by the model of {}, {outside} outside its fences", manifest.job))?;
    if let Some(noise) = manifest.noise {
        line(&format!("HDBSCAN: {} of them are noise", count(noise)))?;
    }
    if let Some(drift) = &manifest.drift {
        let of = |feature: &FeatureDrift| format!("{} {:.3}", feature.feature, feature.shift.stability_index);
        let features: Vec<String> = drift.features.iter().map(of).collect();
        let segments = drift.segments.shift.stability_index;
        line(&format!("drift (population stability index): {}; sizes of segments {segments:.3}", features.join(", ")))?;
    }
    line(&format!("published: {output}"))
}

/// The plan of a job.
pub(crate) fn plan(job: &str, plan: &Plan) -> io::Result<()> {
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
        line(&format!("  {}. {:<9} {}{state}", i + 1, stage.name, stage.what))?;
    }
    line(&format!("output {}", place(&plan.output)))?;
    line("the spec and its sources fit together")
}

/// A local URL as the path that a user can open.
pub(crate) fn place(url: &str) -> String {
    url.strip_prefix("file://").map_or_else(|| url.to_owned(), |path| path.replace("%20", " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, 0.001234, 0.5, 12.34, -12_345.6].map(number), ["0.0", "1.23e-3", "0.50", "12.3", "-12,346"]);
    }
}
