//! Two publishers on a store that misbehaves, in simulated time. At every moment the files that the manifest names are
//! there with their checksums, and nothing that was acknowledged is lost.
//!
//! `SEGMENTA_SEEDS=FROM..TO cargo test -p segmenta-pipeline --test publication` tries other seeds than the few here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;
use segmenta_algorithms::hashing::{combine, unit_interval};
use segmenta_engine::artifact::{Part, hex};
use segmenta_pipeline::lease::{Lease, LeaseOptions};
use segmenta_pipeline::publication::{Kind, Publication};
use segmenta_results::manifest::Output;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use url::Url;

const OUTPUT: &str = "trial://store/out/";
/// How long a lease lasts here.
const LASTS: Duration = Duration::from_secs(60);
/// Publications that each of the two makes.
const PUBLICATIONS: u64 = 4;

/// The store as one process sees it. It delays, fails before and after an operation, and continues an operation whose
/// caller is gone. Now and then it stops the process, including its renewals of the lease, between deciding on an
/// operation and sending it.
#[derive(Debug)]
struct Misbehaving {
    inner: Arc<InMemory>,
    seed: u64,
    asked: AtomicU64,
    is_calm: Arc<AtomicBool>,
    /// Until when the process is stopped.
    stopped: Mutex<Instant>,
    /// Every manifest that was there, in order.
    manifests: Arc<Mutex<Vec<Bytes>>>,
}

impl fmt::Display for Misbehaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a store that misbehaves")
    }
}

/// What happens to an operation.
#[derive(Debug, Clone, Copy)]
struct Fate {
    stop: Duration,
    before: Duration,
    after: Duration,
    is_refused: bool,
    is_answer_lost: bool,
}

/// Between half of a lease's duration and two and a half times that.
fn delay_beyond_a_lease(random: u64) -> Duration {
    LASTS.mul_f64(0.5 + 2.0 * unit_interval(random))
}

fn lost() -> object_store::Error {
    object_store::Error::Generic { store: "trial", source: "the connection was lost".into() }
}

impl Misbehaving {
    fn fate(&self) -> Fate {
        if self.is_calm.load(Ordering::Relaxed) {
            let never = Duration::ZERO;
            return Fate { stop: never, before: never, after: never, is_refused: false, is_answer_lost: false };
        }
        let random = combine(self.seed, self.asked.fetch_add(1, Ordering::Relaxed));
        let delay = |salt: u64| match unit_interval(combine(random, salt)) {
            // Sometimes longer than a lease lasts.
            u if u < 0.03 => delay_beyond_a_lease(combine(random, salt + 10)),
            u if u < 0.5 => Duration::from_millis((1_000.0 * u) as u64),
            _ => Duration::ZERO,
        };
        let chance = |salt: u64, of: f64| unit_interval(combine(random, salt)) < of;
        let stop = if chance(5, 0.02) { delay_beyond_a_lease(combine(random, 6)) } else { Duration::ZERO };
        Fate { stop, before: delay(1), after: delay(2), is_refused: chance(3, 0.02), is_answer_lost: chance(4, 0.02) }
    }

    /// Waits as long as the process is stopped.
    async fn stopped(&self, fate: Fate) {
        if !fate.stop.is_zero() {
            *self.stopped.lock() = Instant::now() + fate.stop;
        }
        loop {
            let until = *self.stopped.lock();
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    /// An operation that continues by itself, as one on its way to a store does when its process is gone.
    async fn sent<T: Send + 'static>(&self, operation: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let (fate, store, manifests) = (self.fate(), Arc::clone(&self.inner), Arc::clone(&self.manifests));
        self.stopped(fate).await;
        let sent = tokio::spawn(async move {
            tokio::time::sleep(fate.before).await;
            if fate.is_refused {
                return Err(lost());
            }
            let result = operation.await;
            check(&store, &manifests);
            tokio::time::sleep(fate.after).await;
            if fate.is_answer_lost { Err(lost()) } else { result }
        });
        sent.await.expect("the invariant")
    }
}

#[async_trait]
impl ObjectStore for Misbehaving {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let (inner, location) = (Arc::clone(&self.inner), location.clone());
        self.sent(async move { inner.put_opts(&location, payload, options).await }).await
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(lost())
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (inner, location) = (Arc::clone(&self.inner), location.clone());
        self.sent(async move { inner.get_opts(&location, options).await }).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, fate, stopped) = (Arc::clone(&self.inner), self.fate(), *self.stopped.lock());
        let manifests = Arc::clone(&self.manifests);
        let delete = move |location: Path| {
            let (inner, manifests) = (Arc::clone(&inner), Arc::clone(&manifests));
            async move {
                tokio::time::sleep_until(stopped.max(Instant::now() + fate.stop)).await;
                let sent = tokio::spawn(async move {
                    tokio::time::sleep(fate.before).await;
                    let result = inner.delete(&location).await;
                    check(&inner, &manifests);
                    result.map(|()| location)
                });
                sent.await.expect("the invariant")
            }
        };
        locations.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (inner, fate, prefix) = (Arc::clone(&self.inner), self.fate(), prefix.cloned());
        let stopped = *self.stopped.lock();
        let listed = async move {
            tokio::time::sleep_until(stopped.max(Instant::now() + fate.before)).await;
            if fate.is_refused {
                futures::stream::once(async { Err(lost()) }).boxed()
            } else {
                inner.list(prefix.as_ref())
            }
        };
        listed.flatten_stream().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let (inner, from, to) = (Arc::clone(&self.inner), from.clone(), to.clone());
        self.sent(async move { inner.copy_opts(&from, &to, options).await }).await
    }
}

/// An object as it is now. Nothing else runs meanwhile.
fn now(store: &InMemory, path: &str) -> Option<Bytes> {
    let path = Path::from(path);
    let read = async { Some(store.get(&path).await.ok()?.bytes().await.unwrap()) };
    read.now_or_never().expect("memory answers at once")
}

/// The invariant: what the manifest names is there, as the manifest says.
fn check(store: &InMemory, manifests: &Mutex<Vec<Bytes>>) {
    let Some(content) = now(store, "out/manifest.json") else {
        assert!(manifests.lock().is_empty(), "the manifest was removed");
        return;
    };
    let mut manifests = manifests.lock();
    if manifests.last() != Some(&content) {
        manifests.push(content.clone());
    }
    let manifest: Value = serde_json::from_slice(&content).unwrap();
    for output in manifest["outputs"].as_array().unwrap() {
        let path = output["path"].as_str().unwrap();
        let file = now(store, &format!("out/{path}")).unwrap_or_else(|| panic!("{path} is gone"));
        assert_eq!(hex(&Sha256::digest(&file)), output["sha256"].as_str().unwrap(), "{path}");
    }
}

/// What a run publishes: documents and parts that no other run has, under the same names.
async fn publish(runtime: &Arc<RuntimeEnv>, store: &InMemory, publisher: u64, run: u64) -> Result<Bytes, String> {
    let failed = |error: segmenta_engine::EngineError| error.to_string();
    let options = LeaseOptions { holder: format!("publisher {publisher}"), lasts: LASTS, patience: LASTS * 20 };
    let lease = Lease::take(runtime, &format!("{OUTPUT}_work/lease/"), &options).await.map_err(failed)?;
    let content = |name: &str| Bytes::from(format!("{name} of {publisher} {run}"));
    let mut parts = vec![];
    for index in 0..2 {
        let (path, content) = (format!("out/_work/{publisher}-{run}/{index}"), content(&format!("part {index}")));
        let sha256 = hex(&Sha256::digest(&content));
        store.put(&Path::from(path.as_str()), content.clone().into()).await.unwrap();
        parts.push(Part { index, url: format!("trial://store/{path}"), rows: 1, bytes: content.len() as u64, sha256 });
    }
    let documents = ["model.json", "segments.sql"];
    let publication = Publication::begin(runtime, OUTPUT, &lease, Kind::Results).await.map_err(failed)?;
    publication.copy(&parts, "assignments").await.map_err(failed)?;
    let mut outputs = publication.listed(&parts, "assignments");
    let mut stay = vec![];
    for name in documents {
        let content = content(name);
        publication.put(name, content.clone()).await.map_err(failed)?;
        outputs.push(Output {
            name: name.to_owned(),
            path: publication.path(name),
            rows: None,
            bytes: content.len() as u64,
            sha256: hex(&Sha256::digest(&content)),
        });
        stay.push((name, content));
    }
    let manifest = json!({"edition": publication.edition(), "by": [publisher, run], "outputs": outputs});
    let manifest = Bytes::from(manifest.to_string());
    publication.commit(manifest.clone(), &outputs).await.map_err(failed)?;
    // Later steps may fail: the publication is complete.
    let after = async {
        publication.put_documents(&manifest, &stay).await?;
        publication.sweep(&outputs).await
    };
    let _ = after.await;
    lease.release().await;
    Ok(manifest)
}

/// Runs one trial. Returns the number of publications, and of failed attempts.
async fn trial(seed: u64) -> (usize, u64) {
    let inner = Arc::new(InMemory::new());
    let manifests = Arc::new(Mutex::new(vec![]));
    let is_calm = Arc::new(AtomicBool::new(false));
    let process = |number: u64| {
        let store = Misbehaving {
            inner: Arc::clone(&inner),
            seed: combine(seed, number),
            asked: AtomicU64::new(0),
            is_calm: Arc::clone(&is_calm),
            stopped: Mutex::new(Instant::now()),
            manifests: Arc::clone(&manifests),
        };
        let runtime = Arc::new(RuntimeEnvBuilder::new().build().unwrap());
        runtime.register_object_store(&Url::parse("trial://store").unwrap(), Arc::new(store));
        runtime
    };
    let failures = Arc::new(AtomicU64::new(0));
    let publisher = |publisher: u64| {
        let (runtime, inner, failures) = (process(publisher), Arc::clone(&inner), Arc::clone(&failures));
        tokio::spawn(async move {
            let mut acknowledged = vec![];
            let mut attempt = 0;
            while (acknowledged.len() as u64) < PUBLICATIONS {
                attempt += 1;
                let random = combine(seed, combine(publisher, attempt));
                let run = publish(&runtime, &inner, publisher, attempt);
                // Sometimes the process is killed in the middle; what it had sent continues.
                let killed = LASTS.mul_f64(if unit_interval(random) < 0.3 {
                    2.0 * unit_interval(combine(random, 1))
                } else {
                    1e6
                });
                match tokio::time::timeout(killed, run).await {
                    Ok(Ok(manifest)) => acknowledged.push(manifest),
                    Ok(Err(_)) | Err(_) => drop(failures.fetch_add(1, Ordering::Relaxed)),
                }
                tokio::time::sleep(LASTS.mul_f64(unit_interval(combine(random, 2)))).await;
            }
            acknowledged
        })
    };
    let (one, other) = tokio::join!(publisher(1), publisher(2));
    // Operations that are still on their way arrive.
    tokio::time::sleep(LASTS * 100).await;
    is_calm.store(true, Ordering::Relaxed);
    let last = publish(&process(3), &inner, 3, 0).await.unwrap();
    check(&inner, &manifests);
    let there = manifests.lock().clone();
    assert_eq!(there.last(), Some(&last));
    for acknowledged in [one.unwrap(), other.unwrap()].concat() {
        assert!(there.contains(&acknowledged), "an acknowledged publication never was there");
    }
    let edition = |manifest: &Bytes| serde_json::from_slice::<Value>(manifest).unwrap()["edition"].as_u64().unwrap();
    let editions: Vec<u64> = there.iter().map(edition).collect();
    assert!(editions.is_sorted_by(|a, b| a < b), "each replaces one before it: {editions:?}");
    // Only the last publication is left, and its documents are at the paths that do not change.
    let files: Vec<ObjectMeta> = inner.list(Some(&Path::from("out"))).try_collect().await.unwrap();
    let left = files.iter().filter(|file| !file.location.as_ref().starts_with("out/_work")).count();
    assert_eq!(left, 4 + 2 + 1, "{files:?}");
    assert_eq!(now(&inner, "out/model.json").unwrap(), "model.json of 3 0");
    (there.len(), failures.load(Ordering::Relaxed))
}

#[test]
fn a_late_writer_damages_nothing() {
    let seeds = std::env::var("SEGMENTA_SEEDS").ok().map_or(0..40, |given| {
        let (from, to) = given.split_once("..").expect("FROM..TO");
        from.parse().unwrap()..to.parse().unwrap()
    });
    let (mut published, mut failed) = (0, 0);
    for seed in seeds.clone() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(trial(seed))));
        let (times, failures) = outcome.unwrap_or_else(|_| panic!("seed {seed}"));
        published += times;
        failed += failures;
    }
    println!("{} seeds: {published} publications, {failed} attempts failed", seeds.end - seeds.start);
    assert!(failed > seeds.end - seeds.start, "the store hardly misbehaved: {failed} failures");
}
