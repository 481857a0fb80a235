//! What the user sees of a command: progress, results and errors.
//!
//! Results go to standard output, progress and errors to standard error. On a terminal each stage has a bar; elsewhere
//! each is one log line. With `--json` a result is one JSON object, and so is an error; with `--quiet` there is no progress.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anstream::stderr;
use anstyle::{AnsiColor, Style};
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, LineStyle, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use segmenta_engine::progress::Progress;
use segmenta_pipeline::observer::Observer;
use segmenta_results::cost::StageReport;
use segmenta_results::words::{count, plural};
use serde_json::{Value, json};

/// How often a progress bar is updated.
const TICK: Duration = Duration::from_millis(100);

/// How a command shows what it does.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manner {
    /// Results and errors are JSON.
    pub(crate) json: bool,
    /// No progress.
    pub(crate) quiet: bool,
}

static MANNER: OnceLock<Manner> = OnceLock::new();

/// Sets how this process shows things. Call it only once.
pub(crate) fn set_manner(manner: Manner) {
    // A second call would change nothing.
    let _ = MANNER.set(manner);
}

fn manner() -> Manner {
    MANNER.get().copied().unwrap_or_default()
}

/// Whether results are JSON.
pub(crate) fn is_json() -> bool {
    manner().json
}

/// Whether progress is drawn: only on a terminal, and not with `--quiet`.
pub(crate) fn draws() -> bool {
    io::stderr().is_terminal() && !manner().quiet
}

/// Shows a result: as JSON, or in words.
pub(crate) fn result(value: impl FnOnce() -> Value, words: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    if manner().json { line(&format!("{:#}", value())) } else { words() }
}

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
    /// The step reports its own progress, so the bar does not follow the rows.
    counts_itself: bool,
    over: bool,
}

impl Console {
    pub(crate) fn new(progress: Arc<Progress>) -> Self {
        let shared = Arc::new(Shared { progress, current: Mutex::default() });
        let ticker = draws().then(|| {
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
            bar.reset_eta();
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
            bar.reset_eta();
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
    if manner().quiet {
        return;
    }
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

/// Reports one step of a command that takes several steps.
pub(crate) fn step(text: &str) {
    if manner().quiet {
        return;
    }
    if io::stderr().is_terminal() {
        eprint_line(&format!("  {text}"));
    } else {
        tracing::info!(target: "segmenta", "{text}");
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

/// A bar on standard error, with rows per second and the time that is left; hidden where progress is not drawn.
pub(crate) fn bar(name: &'static str, rows: u64) -> ProgressBar {
    let target = if draws() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(rows), target).with_prefix(name);
    let style = "  {prefix:<9} {bar:30} {human_pos}/{human_len} rows  {rate}  {msg}  {elapsed}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(style) {
        let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
            // A bar that cannot be drawn is no reason to fail.
            let _ = write!(out, "{}/s", count(state.per_sec() as u64));
        };
        bar.set_style(style.with_key("rate", rate));
    }
    bar.enable_steady_tick(TICK);
    bar
}

/// A line on standard output.
pub(crate) fn line(text: &str) -> io::Result<()> {
    match writeln!(io::stdout(), "{}", harmless(text)) {
        // The reader has closed the pipe, as `head` does; that is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// The text with its control characters escaped: ids and names come from data, and must not give a terminal commands.
fn harmless(text: &str) -> Cow<'_, str> {
    let is_command = |c: char| c.is_control() && !"\n\t".contains(c);
    if !text.contains(is_command) {
        return text.into();
    }
    let sign = |c: char| if is_command(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(sign).collect::<String>().into()
}

fn eprint_line(text: &str) {
    // If standard error is closed, there is nowhere to report it.
    let _ = writeln!(stderr(), "{text}");
}

/// An error, with its causes, on standard error.
pub(crate) fn error(error: &anyhow::Error, exit_code: u8) {
    let text = format!("{error:#}");
    let text = if manner().json { text } else { harmless(&text).into_owned() };
    if manner().json {
        return eprint_line(&json!({"error": text, "exit_code": exit_code}).to_string());
    }
    let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let mut lines = text.lines();
    eprint_line(&format!("{style}error:{style:#} {}", lines.next().unwrap_or_default()));
    lines.for_each(|line| eprint_line(&format!("       {line}")));
}

/// A table with lines around it and below its header, but none between rows. The columns in `left` are aligned to the
/// left, the others to the right.
pub(crate) fn table(header: &[String], left: &[usize], rows: &[Vec<String>]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    table.set_header(header);
    table.add_rows(rows);
    for (_, column) in table.column_iter_mut().enumerate().filter(|(i, _)| !left.contains(i)) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A local URL as the path that a user can open.
pub(crate) fn place(url: &str) -> String {
    url.strip_prefix("file://").map_or_else(|| url.to_owned(), |path| path.replace("%20", " "))
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn a_terminal_is_told_nothing_by_data() {
        assert_eq!(harmless("äb\tc\nd"), "äb\tc\nd");
        assert_eq!(harmless("\u{1b}[2J\u{7}\r\u{9b}x"), "\\u{1b}[2J\\u{7}\\r\\u{9b}x");
    }
}
