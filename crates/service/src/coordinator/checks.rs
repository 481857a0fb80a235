//! Checks of specs against their sources, each in a process of its own.
//!
//! A check evaluates what a stranger wrote: planning folds `repeat('x', 1000000000)` into a gigabyte, and a source may lie on a disk that
//! does not answer. What runs in a thread can be neither limited nor ended, so a check runs in a child of this process, the same program,
//! which limits its own memory before it looks at the spec.
//!
//! ```text
//!   coordinator ──Question (JSON)──▶ stdin   segmenta answer-check   stdout ──Answer (JSON)──▶ coordinator
//! ```

use std::io::{Read, Write};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytesize::ByteSize;
use segmenta_engine::runtime::planning_state;
use segmenta_engine::{EngineError, Fault, Result};
use segmenta_spec::depth::{STACK, with_large_stack};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::record::{Failure, Request, parse};
use super::refusal::Refusal;
use crate::log::COLLECTOR;

/// The subcommand of the child.
pub const COMMAND: &str = "answer-check";

/// Specs that are checked at once.
const AT_ONCE: usize = 4;

/// Checks that may wait for their turn.
const WAITING: usize = 64;

/// Longest answer in bytes.
const LONGEST_ANSWER: u64 = 16 << 20;

/// Keeps the allocator from reserving a gigabyte of addresses at its start, which counts as memory where memory is
/// limited.
const ALLOCATOR: (&str, &str) = ("MIMALLOC_ARENA_EAGER_COMMIT", "0");

/// Seconds that a child waits longer than a coordinator does.
const GRACE: u64 = 5;

/// The limits of a check.
#[derive(Debug, Clone, Copy)]
pub struct CheckLimits {
    /// How long it may take.
    pub timeout: Duration,
    /// Bytes of memory that its process may have.
    pub memory: u64,
}

/// What a check finds out about a job that can run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Where the job would publish to, a URL that ends in `/`.
    pub output: String,
    /// Its stages, in order.
    pub stages: Vec<CheckedStage>,
    /// What was noticed about the query.
    pub warnings: Vec<String>,
}

/// A stage as it is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedStage {
    /// Its name.
    pub name: String,
    /// What it will do, in a few words.
    pub what: String,
    /// Whether an earlier run has completed it.
    pub complete: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Question {
    request: Request,
    /// Bytes of memory that the answer may take.
    memory: u64,
    /// Seconds after which the child ends by itself, in case nobody is left to end it.
    seconds: u64,
}

#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Checked(Checked),
    Refused(Failure),
}

/// The checks that are under way. Clones share them.
#[derive(Debug, Clone)]
pub struct Checks {
    limits: CheckLimits,
    permits: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    overdue: Arc<AtomicUsize>,
}

impl Checks {
    /// Checks within these limits.
    #[must_use]
    pub fn new(limits: CheckLimits) -> Self {
        Self { limits, permits: Arc::new(Semaphore::new(AT_ONCE)), waiting: Arc::default(), overdue: Arc::default() }
    }

    /// Whether another check can be served. None can while every place is held by a check that was told to end and has
    /// not ended.
    #[must_use]
    pub fn can_serve(&self) -> bool {
        self.overdue.load(Ordering::Relaxed) < AT_ONCE
    }

    /// Checks a spec when its turn comes, in a process that ends when its time is over or its caller is gone. The
    /// process keeps its place until it has really ended: one that hangs in the system does not end when it is told to.
    ///
    /// # Errors
    /// What is wrong with the job; too many checks; one that takes more time or memory than it may.
    pub async fn run(&self, request: &Request) -> Result<Checked, Refusal> {
        let busy = || Refusal::Full("too many specs are being checked; try again later".to_owned());
        let waiting = Counted::one_more(&self.waiting);
        if waiting.others >= WAITING {
            return Err(busy());
        }
        let permit = tokio::time::timeout(self.limits.timeout, Arc::clone(&self.permits).acquire_owned());
        let permit = permit.await.map_err(|_| busy())?.map_err(|error| Refusal::Unavailable(error.to_string()))?;
        drop(waiting);
        let mut program = program().map_err(unavailable)?;
        program.args(["--quiet", COMMAND]).env(ALLOCATOR.0, ALLOCATOR.1).env("RUST_BACKTRACE", "0");
        // It exports no spans: nobody needs them, and it would not end before they are sent.
        for variable in COLLECTOR {
            program.env_remove(variable);
        }
        let mut process = self.start(&mut program, permit)?;
        let CheckLimits { timeout, memory } = self.limits;
        let question = Question { request: request.clone(), memory, seconds: timeout.as_secs() + GRACE };
        match tokio::time::timeout(self.limits.timeout, process.ask(&question, self.limits.memory)).await {
            Ok(answer) => answer,
            Err(_) => Err(EngineError::input(format!(
                "the check took longer than {} seconds and was given up: is a source on a disk or a server that does not answer, \
                 or does it have more files than can be listed in that time?",
                self.limits.timeout.as_secs()
            ))
            .into()),
        }
    }

    fn start(&self, program: &mut Command, permit: OwnedSemaphorePermit) -> Result<Process, Refusal> {
        let child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(unavailable)?;
        Ok(Process(Some((child, permit, Arc::clone(&self.overdue)))))
    }
}

/// A command that runs this same program, on Linux even if its file has been replaced since it started.
fn program() -> std::io::Result<Command> {
    if cfg!(target_os = "linux") {
        Ok(Command::new("/proc/self/exe"))
    } else {
        std::env::current_exe().map(Command::new)
    }
}

fn unavailable(error: impl std::fmt::Display) -> Refusal {
    Refusal::Unavailable(format!("the process of the check cannot be used: {error}"))
}

/// A running check. Dropping it ends its process, which gives its place back once it has ended.
struct Process(Option<(Child, OwnedSemaphorePermit, Arc<AtomicUsize>)>);

impl Process {
    async fn ask(&mut self, question: &Question, memory: u64) -> Result<Checked, Refusal> {
        let Some((child, ..)) = &mut self.0 else { return Err(unavailable("it has ended")) };
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(unavailable("it cannot be talked to"));
        };
        let question = serde_json::to_vec(question).map_err(unavailable)?;
        // This fails if the process has ended already; how it ended is reported below.
        let _ = stdin.write_all(&question).await;
        drop(stdin);
        let mut answer = Vec::new();
        stdout.take(LONGEST_ANSWER).read_to_end(&mut answer).await.map_err(unavailable)?;
        let status = child.wait().await.map_err(unavailable)?;
        self.0 = None;
        match serde_json::from_slice(&answer) {
            Ok(Answer::Checked(checked)) if status.success() => Ok(checked),
            Ok(Answer::Refused(failure)) if status.success() => {
                Err(EngineError::new(failure.fault(), failure.message).into())
            }
            _ => Err(cut_off(status, memory).into()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Some((mut child, permit, overdue)) = self.0.take() else { return };
        // It may just have ended by itself.
        let _ = child.start_kill();
        let overdue = Counted::one_more(&overdue);
        tokio::spawn(async move {
            let _ = child.wait().await;
            drop((overdue, permit));
        });
    }
}

/// The error for a check that ended without an answer.
fn cut_off(status: ExitStatus, memory: u64) -> EngineError {
    // A Rust program that gets no more memory aborts; so does one whose stack is used up. Panics have a code of their own.
    if status.code().is_some() {
        return EngineError::job(format!(
            "the check ended without an answer ({status}), which is a mistake of this program; the coordinator's log has the place"
        ));
    }
    EngineError::new(
        Fault::Spec,
        format!(
            "the check was cut off ({status}): it takes more than the {} of memory that it may have (check_memory): does source.sql make very \
             long texts, or are the sources very many files?",
            ByteSize::b(memory).display().iec()
        ),
    )
}

/// Is included in a count for as long as it exists.
struct Counted {
    number: Arc<AtomicUsize>,
    others: usize,
}

impl Counted {
    fn one_more(number: &Arc<AtomicUsize>) -> Self {
        Self { others: number.fetch_add(1, Ordering::Relaxed), number: Arc::clone(number) }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.number.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The child's side: limits this process, reads one question, and writes its answer.
///
/// # Errors
/// A question that cannot be read, an answer that cannot be written, or a system that sets no limit.
pub fn answer(input: impl Read + Send, output: impl Write + Send) -> Result<()> {
    with_large_stack(|| answer_here(input, output)).map_err(EngineError::job)?
}

fn answer_here(mut input: impl Read, mut output: impl Write) -> Result<()> {
    let broken = |what: &str, error: &dyn std::fmt::Display| EngineError::job(format!("{what}: {error}"));
    let mut question = Vec::new();
    input.read_to_end(&mut question).map_err(|error| broken("the question", &error))?;
    let Question { request, memory, seconds } =
        serde_json::from_slice(&question).map_err(|error| broken("the question", &error))?;
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(seconds));
        std::process::exit(1)
    });
    // The stack that this runs on counts with its whole size.
    limit_memory(memory + STACK as u64).map_err(|error| broken("the limit of memory", &error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(8)
        .build()
        .map_err(|error| broken("threads", &error))?;
    let checked = runtime.block_on(async { parse(&request)?.check(&planning_state()?).await });
    let answer = match checked {
        Ok(plan) => {
            let stages = plan.stages.into_iter().map(|stage| CheckedStage {
                name: stage.name.to_owned(),
                what: stage.what,
                complete: stage.complete,
            });
            Answer::Checked(Checked { output: plan.output, stages: stages.collect(), warnings: plan.warnings })
        }
        Err(error) => Answer::Refused(Failure::from(&error)),
    };
    let answer = serde_json::to_vec(&answer).map_err(|error| broken("the answer", &error))?;
    output.write_all(&answer).map_err(|error| broken("the answer", &error))?;
    // Does not wait for threads whose reads hang.
    runtime.shutdown_background();
    Ok(())
}

/// Limits the memory that this process may write to: its heap and its stacks.
#[cfg(unix)]
fn limit_memory(bytes: u64) -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    Ok(setrlimit(Resource::Data, Rlimit { current: Some(bytes), maximum: Some(bytes) })?)
}

/// This system has no such limit.
#[cfg(not(unix))]
fn limit_memory(_bytes: u64) -> std::io::Result<()> {
    Ok(())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn checks() -> Checks {
        Checks::new(CheckLimits { timeout: Duration::from_millis(100), memory: 1 << 30 })
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn question() -> Question {
        let request =
            Request { spec: String::new(), base: String::new(), priority: 0, timeout_seconds: 0, fresh: false };
        Question { request, memory: 1 << 30, seconds: 60 }
    }

    async fn ask(checks: &Checks, script: &str) -> Result<Checked, Refusal> {
        let permit = Arc::clone(&checks.permits).acquire_owned().await.unwrap();
        checks.start(&mut shell(script), permit).unwrap().ask(&question(), 1 << 30).await
    }

    #[tokio::test]
    async fn answers_and_ends_without_one_are_told_apart() {
        let checks = checks();
        let answer = r#"{"Checked":{"output":"file:///x/","stages":[],"warnings":[]}}"#;
        let checked = ask(&checks, &format!("cat >/dev/null; echo '{answer}'")).await.unwrap();
        assert_eq!(checked.output, "file:///x/");
        for (script, expected) in [
            (r#"echo '{"Refused":{"fault":"input","message":"gone"}}'"#, "gone"),
            ("kill -ABRT $$", "check_memory"),
            ("exit 101", "mistake of this program"),
            ("echo nonsense", "mistake of this program"),
        ] {
            let Err(Refusal::Job(error)) = ask(&checks, script).await else { panic!("{script}") };
            assert!(error.message.contains(expected), "{script}: {error}");
        }
        assert_eq!(checks.permits.available_permits(), AT_ONCE);
    }

    #[tokio::test]
    async fn what_takes_too_long_is_ended_and_keeps_its_place_until_it_has() {
        let checks = checks();
        let permits: Vec<_> =
            futures::future::join_all((0..AT_ONCE).map(|_| Arc::clone(&checks.permits).acquire_owned())).await;
        let running: Vec<Process> = permits
            .into_iter()
            .map(|permit| checks.start(&mut shell("exec sleep 1000"), permit.unwrap()).unwrap())
            .collect();
        assert!(checks.can_serve());
        drop(running);
        assert!(!checks.can_serve());
        let all = checks.permits.acquire_many(AT_ONCE as u32).await.unwrap();
        drop(all);
        assert!(checks.can_serve());
    }
}
