//! Leases: only one process at a time drives a job, and only one coordinator drives its queue.
//!
//! ```text
//!   <folder>/<token>.json   who holds it, and how often it was renewed; for a job: <output>/_work/lease/
//! ```
//!
//! The highest token has the lease. A process takes a token by creating its object, which every store allows to one
//! process and refuses to all others, and renews it by writing the object again. A process that wants a lease watches
//! it. When it was not renewed for as long as a lease lasts, by the watcher's own clock, the next token may be taken. A
//! holder that could not renew for that long has lost the lease, whether somebody took it or not, and must write no
//! more: it calls [`Lease::check`] before each commit. Its writes that are still on their way do no harm: what a stage
//! makes lies in a folder of the token, and a publication that was overtaken is never completed (see `publication.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use datafusion::execution::runtime_env::RuntimeEnv;
use futures::TryStreamExt;
use object_store::ObjectStore;
use parking_lot::Mutex;
use segmenta_engine::artifact::{get, put, put_new, remove, resolve};
use segmenta_engine::{EngineError, Result};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Digits that distinguish a lease from others.
pub(crate) const SHORT_ID: usize = 8;

/// How leases are held.
#[derive(Debug, Clone)]
pub struct LeaseOptions {
    /// Who holds it, as a text for people.
    pub holder: String,
    /// A lease that was not renewed for this long may be taken.
    pub lasts: Duration,
    /// How long to wait for a lease that another process holds. After that it is an error.
    pub patience: Duration,
}

impl LeaseOptions {
    /// A lease for this process: it lasts a minute, and the process waits a minute for it.
    #[must_use]
    pub fn of_this_process() -> Self {
        let host = sysinfo::System::host_name().unwrap_or_else(|| "an unnamed host".to_owned());
        let lasts = Duration::from_secs(60);
        Self { holder: format!("process {} on {host}", std::process::id()), lasts, patience: lasts + lasts / 3 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// A text for people.
    holder: String,
    /// Distinguishes this lease from every other one.
    id: String,
    /// The holder, where the platform tells. Processes on the same machine then need not wait for one that has ended.
    process: Option<Process>,
    renewed: u64,
    released: bool,
}

/// A process of a machine. The number alone is not enough, because different containers have different processes with
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Process {
    boot: String,
    namespace: String,
    number: u32,
    /// When it started, in ticks since the machine did. Process numbers are used again.
    started: u64,
}

impl Process {
    fn this() -> Option<Self> {
        let number = std::process::id();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned();
        Some(Self { boot, namespace, number, started: started(number)? })
    }

    fn is_gone(&self) -> bool {
        let here = Self::this();
        let same = here.is_some_and(|here| (here.boot, here.namespace) == (self.boot.clone(), self.namespace.clone()));
        same && match started(self.number) {
            Some(started) => started != self.started,
            // For another user's process, `/proc` may show nothing (`hidepid`).
            None => !exists(self.number),
        }
    }
}

/// Whether any user has a process with this number. If the system cannot be asked, the answer is yes.
#[cfg(not(unix))]
fn exists(_process: u32) -> bool {
    true
}

/// Whether any user has a process with this number. If the system cannot be asked, the answer is yes.
#[cfg(unix)]
fn exists(process: u32) -> bool {
    let process = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw);
    process.is_none_or(|process| rustix::process::test_kill_process(process) != Err(rustix::io::Errno::SRCH))
}

/// The 22nd field of `/proc/<pid>/stat`. The second field, the name, may contain anything and ends at the last
/// parenthesis.
fn started(process: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// A lease that is held, and renewed in the background. Dropping it stops the renewals; [`Lease::release`] also frees
/// it for the next process at once.
#[derive(Debug)]
pub struct Lease {
    runtime: Arc<RuntimeEnv>,
    url: String,
    token: u64,
    record: Record,
    state: Arc<State>,
    renewing: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    lasts: Duration,
    /// When the last successful renewal began.
    renewed: Mutex<Instant>,
    taken: AtomicBool,
}

impl State {
    fn is_held(&self) -> bool {
        !self.taken.load(Ordering::Relaxed) && self.renewed.lock().elapsed() < self.lasts
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

fn token_url(folder: &str, token: u64) -> String {
    format!("{folder}{token:020}.json")
}

impl Lease {
    /// Takes the lease whose tokens are in `folder` (a URL that ends in `/`). It waits for another holder as long as
    /// the options say.
    ///
    /// # Errors
    /// When another process holds it, or the store cannot be read or written.
    pub async fn take(runtime: &Arc<RuntimeEnv>, folder: &str, options: &LeaseOptions) -> Result<Self> {
        let started = Instant::now();
        let mut seen: Option<(u64, Record, Instant)> = None;
        loop {
            let top = highest(runtime, folder).await?;
            let Some(token) = top else {
                if let Some(lease) = Self::create(runtime, folder, 1, options).await? {
                    return Ok(lease);
                }
                continue;
            };
            let Some(record) = read(runtime, &token_url(folder, token)).await? else { continue };
            let unchanged = seen.as_ref().is_some_and(|(at, known, _)| *at == token && *known == record);
            if seen.is_none() && !record.released {
                tracing::info!(
                    holder = record.holder,
                    lease = folder,
                    "waiting for another process, or for its lease to end"
                );
            }
            if !unchanged {
                seen = Some((token, record.clone(), Instant::now()));
            }
            let silent = seen.as_ref().is_some_and(|(_, _, since)| since.elapsed() >= options.lasts);
            let gone = record.process.as_ref().is_some_and(Process::is_gone);
            if record.released || silent || gone {
                if let Some(lease) = Self::create(runtime, folder, token + 1, options).await? {
                    return Ok(lease);
                }
                continue;
            }
            if started.elapsed() >= options.patience {
                return Err(EngineError::job(format!(
                    "{} is working on this output ({folder}); wait for it, or give this job another output",
                    record.holder
                )));
            }
            tokio::time::sleep((options.lasts / 10).max(Duration::from_millis(20))).await;
        }
    }

    /// `None` when another process was faster.
    async fn create(
        runtime: &Arc<RuntimeEnv>,
        folder: &str,
        token: u64,
        options: &LeaseOptions,
    ) -> Result<Option<Self>> {
        let url = token_url(folder, token);
        let record = Record {
            holder: options.holder.clone(),
            id: uuid::Uuid::new_v4().to_string(),
            process: Process::this(),
            renewed: 0,
            released: false,
        };
        let begun = Instant::now();
        if !put_new(runtime, &url, encode(&record)?).await? {
            return Ok(None);
        }
        for older in tokens(runtime, folder).await?.into_iter().filter(|older| *older < token) {
            remove(runtime, &token_url(folder, older)).await?;
        }
        let state = Arc::new(State { lasts: options.lasts, renewed: Mutex::new(begun), taken: AtomicBool::new(false) });
        let renewing =
            tokio::spawn(renew(Arc::clone(runtime), folder.to_owned(), token, record.clone(), Arc::clone(&state)));
        Ok(Some(Self { runtime: Arc::clone(runtime), url, token, record, state, renewing }))
    }

    /// Its number: higher than that of every lease before it in its folder.
    #[must_use]
    pub fn token(&self) -> u64 {
        self.token
    }

    /// Eight hexadecimal digits that distinguish it from other leases, including those of other folders.
    #[must_use]
    pub fn short_id(&self) -> &str {
        self.record.id.get(..SHORT_ID).unwrap_or(&self.record.id)
    }

    /// Whether it is still held. To be called before anything is committed.
    ///
    /// # Errors
    /// When another process took the lease, or it could not be renewed in time.
    pub fn check(&self) -> Result<()> {
        if self.state.is_held() { Ok(()) } else { Err(lost()) }
    }

    /// Completes when the lease is lost.
    pub async fn lost(&self) -> EngineError {
        while self.state.is_held() {
            tokio::time::sleep(self.state.lasts / 20).await;
        }
        lost()
    }

    /// Gives the lease up.
    pub async fn release(&self) {
        self.renewing.abort();
        if self.state.is_held() {
            let record = Record { released: true, ..self.record.clone() };
            let released = async { put(&self.runtime, &self.url, encode(&record)?).await };
            if let Err(error) = released.await {
                tracing::debug!(%error, "the lease could not be released; it will run out");
            }
        }
    }
}

const LOST: &str = "the lease on the job's output was lost: another process took over, or the object store could not be \
                    reached; nothing more was written";

pub(crate) fn lost() -> EngineError {
    EngineError::job(LOST)
}

/// Whether an error is the one that [`Lease::lost`] and [`Lease::check`] give.
#[must_use]
pub fn is_lost(error: &EngineError) -> bool {
    error.message == LOST
}

async fn renew(runtime: Arc<RuntimeEnv>, folder: String, token: u64, mut record: Record, state: Arc<State>) {
    let url = token_url(&folder, token);
    loop {
        tokio::time::sleep(state.lasts / 3).await;
        let begun = Instant::now();
        let renewed = async {
            if highest(&runtime, &folder).await?.is_some_and(|highest| highest > token) {
                state.taken.store(true, Ordering::Relaxed);
                return Err(lost());
            }
            record.renewed += 1;
            put(&runtime, &url, encode(&record)?).await
        };
        match renewed.await {
            Ok(()) if state.is_held() => *state.renewed.lock() = begun,
            Ok(()) => return,
            Err(error) if state.is_held() => tracing::warn!(%error, "the lease could not be renewed; trying again"),
            Err(_) => return,
        }
    }
}

fn encode(record: &Record) -> Result<Vec<u8>> {
    serde_json::to_vec(record)
        .map_err(|error| EngineError::job(format!("the lease cannot be written as JSON: {error}")))
}

/// `None` when it is gone, because somebody took the next one.
async fn read(runtime: &RuntimeEnv, url: &str) -> Result<Option<Record>> {
    let Some(content) = get(runtime, url).await? else { return Ok(None) };
    // Not every system replaces local files in one step. A half-written one counts as renewed just now.
    let torn = || Record {
        holder: "another process".to_owned(),
        id: String::new(),
        process: None,
        renewed: u64::MAX,
        released: false,
    };
    Ok(Some(serde_json::from_slice(&content).unwrap_or_else(|_| torn())))
}

async fn highest(runtime: &RuntimeEnv, folder: &str) -> Result<Option<u64>> {
    Ok(tokens(runtime, folder).await?.into_iter().max())
}

async fn tokens(runtime: &RuntimeEnv, folder: &str) -> Result<Vec<u64>> {
    let (store, path) = resolve(runtime, folder)?;
    match store.list(Some(&path)).try_collect::<Vec<_>>().await {
        Ok(objects) => Ok(objects
            .iter()
            .filter_map(|object| object.location.filename()?.strip_suffix(".json")?.parse().ok())
            .collect()),
        Err(object_store::Error::NotFound { .. }) => Ok(vec![]),
        Err(error) => Err(EngineError::input(format!("{folder}: cannot be listed: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use segmenta_engine::runtime::{MemoryPlan, runtime_env};

    fn options(holder: &str, lasts: u64, patience: u64) -> LeaseOptions {
        LeaseOptions {
            holder: holder.to_owned(),
            lasts: Duration::from_millis(lasts),
            patience: Duration::from_millis(patience),
        }
    }

    fn folder() -> (tempfile::TempDir, Arc<RuntimeEnv>, String) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = runtime_env(MemoryPlan::new(1 << 20)).unwrap();
        let url = format!("file://{}/lease/", folder.path().display());
        (folder, runtime, url)
    }

    #[test]
    fn a_process_is_there_until_the_system_says_otherwise() {
        assert!(exists(std::process::id()) && exists(1));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let number = child.id();
        child.wait().unwrap();
        assert!(!exists(number));
        let gone = Process { number, ..Process::this().unwrap() };
        assert!(gone.is_gone() && !Process::this().unwrap().is_gone());
    }

    #[tokio::test]
    async fn one_at_a_time_and_the_next_after_a_release() {
        let (_kept, runtime, folder) = folder();
        let first = Lease::take(&runtime, &folder, &options("a", 60_000, 0)).await.unwrap();
        let refused = Lease::take(&runtime, &folder, &options("b", 60_000, 0)).await.unwrap_err();
        assert!(refused.message.starts_with("a is working on this output"), "{refused}");
        first.check().unwrap();
        first.release().await;
        Lease::take(&runtime, &folder, &options("b", 60_000, 0)).await.unwrap().check().unwrap();
    }

    #[tokio::test]
    async fn a_silent_holder_loses_it() {
        let (_kept, runtime, folder) = folder();
        let first = Lease::take(&runtime, &folder, &options("a", 300, 0)).await.unwrap();
        first.renewing.abort();
        let second = Lease::take(&runtime, &folder, &options("b", 300, 5_000)).await.unwrap();
        assert!(first.check().is_err());
        second.check().unwrap();
        assert_eq!(tokens(&runtime, &folder).await.unwrap(), [2]);
    }

    #[tokio::test]
    async fn a_process_that_is_no_more_is_not_waited_for() {
        let (_kept, runtime, folder) = folder();
        let mut gone = Process::this().unwrap();
        assert!(!gone.is_gone());
        gone.started += 1;
        let record = Record { holder: "a".into(), id: "1".into(), process: Some(gone), renewed: 9, released: false };
        put(&runtime, &token_url(&folder, 7), encode(&record).unwrap()).await.unwrap();
        Lease::take(&runtime, &folder, &options("b", 60_000, 0)).await.unwrap();
        assert_eq!(tokens(&runtime, &folder).await.unwrap(), [8]);
    }

    #[tokio::test]
    async fn a_holder_notices_that_another_one_took_it() {
        let (_kept, runtime, folder) = folder();
        let first = Lease::take(&runtime, &folder, &options("a", 300, 0)).await.unwrap();
        // This is what it looks like when the process was stopped for longer than a lease lasts.
        put(&runtime, &token_url(&folder, 2), "{}").await.unwrap();
        let error = tokio::time::timeout(Duration::from_secs(5), first.lost()).await.unwrap();
        assert!(error.message.contains("was lost"), "{error}");
    }

    #[tokio::test]
    async fn of_many_who_want_it_one_gets_it() {
        let (_kept, runtime, folder) = folder();
        let takers = (0..8).map(|i| {
            let (runtime, folder) = (Arc::clone(&runtime), folder.clone());
            async move { Lease::take(&runtime, &folder, &options(&format!("taker {i}"), 60_000, 0)).await }
        });
        let leases = futures::future::join_all(takers).await;
        assert_eq!(leases.iter().filter(|lease| lease.is_ok()).count(), 1);
    }
}
