//! All shards into a folder of an object store, several at once.

use std::io::{self, BufWriter as Buffered, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::execution::runtime_env::RuntimeEnv;
use futures::{StreamExt, stream};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use segmenta_engine::artifact::resolve;
use segmenta_engine::{EngineError, Result};
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;

use super::options::{GenerateError, GenerateOptions};
use super::shards::{ShardRange, shards};
use super::write::write_shard;

/// Bytes of a part of an upload, and parts of a shard that are on their way at once.
const PART_BYTES: usize = 10 << 20;
const PARTS_AT_ONCE: usize = 2;

/// Bytes that are handed to the upload at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Where and how to write.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The folder, a URL that ends in `/`.
    pub url: String,
    /// Replace the shards that are there.
    pub overwrite: bool,
    /// Shards that are written at once.
    pub threads: usize,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Generated {
    /// Rows: customers, or their orders.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// A callback that gets how many customers are done since the last call.
pub type OnCustomers = Arc<dyn Fn(u64) + Send + Sync>;

/// Writes all shards of `options`. A shard appears whole or not at all. If one cannot be written, or `stop` completes,
/// the shards that were written are removed again, so that nobody takes them for the whole data set.
///
/// Each thread holds a row group in the making (131,072 rows, some 15 MiB) and an upload of at most 30 MiB. The bytes do not depend
/// on the number of threads.
///
/// # Errors
///
/// Options that are out of their range, shards that are there already, or a place that cannot be written to.
pub async fn generate(
    runtime: &RuntimeEnv,
    options: &GenerateOptions,
    to: &Destination,
    on_customers: OnCustomers,
    stop: impl Future<Output = EngineError>,
) -> Result<Generated> {
    let shards = shards(options).map_err(|error| EngineError::spec(error.to_string()))?;
    let url = &to.url;
    if url.starts_with("http://") || url.starts_with("https://") {
        return Err(EngineError::spec(format!("{url}: a web server cannot be written to; give a folder of a store")));
    }
    let (store, folder) = resolve(runtime, url)?;
    make_room(store.as_ref(), &folder, to).await?;
    let stopped = Arc::new(AtomicBool::new(false));
    let options = Arc::new(options.clone());
    let threads = to.threads.clamp(1, shards.len());
    let mut writing = stream::iter(shards)
        .map(|shard| {
            let path = folder.clone().join(shard.file_name());
            let name = format!("{url}{}", shard.file_name());
            let (store, options, stopped) = (Arc::clone(&store), Arc::clone(&options), Arc::clone(&stopped));
            let on_customers = Arc::clone(&on_customers);
            async move {
                let upload = Upload::new(store, path.clone(), stopped);
                let task = tokio::task::spawn_blocking(move || write_one(&options, &shard, upload, &on_customers));
                let written = task.await.unwrap_or_else(|error| Err(EngineError::job(error.to_string())));
                let failed = |error: EngineError| {
                    EngineError::new(error.fault, format!("{name}: cannot be written: {}", error.message))
                };
                (path, written.map_err(failed))
            }
        })
        .buffer_unordered(threads);
    let mut stop = std::pin::pin!(stop);
    let mut all = Generated::default();
    let (mut paths, mut failure) = (vec![], None);
    loop {
        let failed = tokio::select! {
            error = &mut stop, if failure.is_none() => error,
            next = writing.next() => match next {
                None => break,
                Some((path, Ok(one))) => {
                    all = Generated { rows: all.rows + one.rows, bytes: all.bytes + one.bytes };
                    paths.push(path);
                    continue;
                }
                Some((_, Err(error))) => error,
            },
        };
        stopped.store(true, Ordering::Relaxed);
        failure.get_or_insert(failed);
    }
    match failure {
        None => Ok(all),
        Some(error) => {
            for path in &paths {
                // The failure is what counts; what is left is refused or replaced next time.
                let _ = store.delete(path).await;
            }
            Err(error)
        }
    }
}

/// Removes the shards that are there, or refuses to.
async fn make_room(store: &dyn ObjectStore, folder: &Path, to: &Destination) -> Result<()> {
    let url = &to.url;
    let listed = match store.list_with_delimiter(Some(folder)).await {
        Ok(listed) => listed.objects,
        Err(object_store::Error::NotFound { .. }) => vec![],
        Err(error) => return Err(EngineError::output(format!("{url}: cannot be listed: {error}"))),
    };
    let existing: Vec<Path> = listed.into_iter().map(|object| object.location).collect();
    let existing: Vec<Path> = existing.into_iter().filter(|path| path.extension() == Some("parquet")).collect();
    if !existing.is_empty() && !to.overwrite {
        let place = url.strip_prefix("file://").unwrap_or(url);
        return Err(EngineError::spec(format!(
            "{place}: already holds {} shards; choose another folder, or replace them with --overwrite",
            existing.len()
        )));
    }
    for path in existing {
        let removed = store.delete(&path).await;
        removed.map_err(|error| EngineError::output(format!("{path}: cannot be removed: {error}")))?;
    }
    Ok(())
}

/// On a thread of its own.
fn write_one(
    options: &GenerateOptions,
    shard: &ShardRange,
    mut upload: Upload,
    on_customers: &OnCustomers,
) -> Result<Generated> {
    let writer = Buffered::with_capacity(CHUNK_BYTES, &mut upload);
    let written = write_shard(options, shard, writer, &mut |customers| on_customers(customers));
    let done = written.map_err(|error| match error {
        GenerateError::Write { .. } => EngineError::output(error.to_string()),
        error => EngineError::spec(error.to_string()),
    });
    match done.and_then(|rows| Ok((rows, upload.finish()?))) {
        Ok((rows, bytes)) => Ok(Generated { rows, bytes }),
        Err(error) => {
            upload.abort();
            Err(error)
        }
    }
}

/// An upload that a thread writes to; the object is there when it is finished.
struct Upload {
    runtime: Handle,
    inner: BufWriter,
    bytes: u64,
    /// It has been asked to end, and cleans up after itself if that fails.
    is_over: bool,
    stopped: Arc<AtomicBool>,
}

impl Upload {
    fn new(store: Arc<dyn ObjectStore>, path: Path, stopped: Arc<AtomicBool>) -> Self {
        let inner = BufWriter::with_capacity(store, path, PART_BYTES).with_max_concurrency(PARTS_AT_ONCE);
        Self { runtime: Handle::current(), inner, bytes: 0, is_over: false, stopped }
    }

    fn finish(&mut self) -> Result<u64> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(EngineError::job("stopped"));
        }
        self.is_over = true;
        let done = self.runtime.block_on(self.inner.shutdown());
        done.map_err(|error| EngineError::output(error.to_string()))?;
        Ok(self.bytes)
    }

    fn abort(&mut self) {
        if !self.is_over {
            // What is left of an upload is no object; stores remove it by their own rules.
            let _ = self.runtime.block_on(self.inner.abort());
        }
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(io::Error::other("stopped, because another shard failed or somebody asked for it"));
        }
        self.runtime.block_on(self.inner.write_all(bytes))?;
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::future::{pending, ready};
    use std::sync::atomic::AtomicU64;

    use futures::TryStreamExt;
    use object_store::memory::InMemory;
    use segmenta_engine::Fault;
    use segmenta_engine::runtime::{MemoryPlan, runtime_env};
    use url::Url;

    use super::super::options::Schema;
    use super::*;

    /// A runtime with a store in memory at `memory://lake`.
    fn lake() -> (Arc<RuntimeEnv>, Arc<InMemory>) {
        let (runtime, store) = (runtime_env(MemoryPlan::new(1 << 28)).unwrap(), Arc::new(InMemory::new()));
        let dynamic: Arc<dyn ObjectStore> = Arc::clone(&store) as _;
        runtime.register_object_store(&Url::parse("memory://lake").unwrap(), dynamic);
        (runtime, store)
    }

    fn to(url: &str, threads: usize) -> Destination {
        Destination { url: url.to_owned(), overwrite: false, threads }
    }

    fn nobody() -> OnCustomers {
        Arc::new(|_| {})
    }

    async fn objects(store: &dyn ObjectStore, folder: &str) -> BTreeMap<String, bytes::Bytes> {
        let found: Vec<_> = store.list(Some(&Path::from(folder))).try_collect().await.unwrap();
        let mut objects = BTreeMap::new();
        for object in found {
            let content = store.get(&object.location).await.unwrap().bytes().await.unwrap();
            objects.insert(object.location.filename().unwrap().to_owned(), content);
        }
        objects
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_change_no_byte() {
        let (runtime, store) = lake();
        for schema in [Schema::Features, Schema::Orders] {
            let options = GenerateOptions { schema, rows: 5_000, shards: 5, ..GenerateOptions::default() };
            let mut all = vec![];
            for threads in [1, 4] {
                let name = format!("{}-{threads}", schema.file_stem());
                let seen = Arc::new(AtomicU64::new(0));
                let counter = Arc::clone(&seen);
                let count: OnCustomers = Arc::new(move |n| {
                    counter.fetch_add(n, Ordering::Relaxed);
                });
                let to = to(&format!("memory://lake/{name}/"), threads);
                let written = generate(&runtime, &options, &to, count, pending()).await.unwrap();
                let objects = objects(store.as_ref(), &name).await;
                assert_eq!(seen.load(Ordering::Relaxed), 5_000);
                assert_eq!(written.bytes, objects.values().map(|object| object.len() as u64).sum::<u64>());
                assert_eq!(objects.len(), 5);
                all.push((written.rows, objects));
            }
            assert_eq!(all[0], all[1]);
            // The same as straight into memory.
            let shard = &shards(&options).unwrap()[2];
            let mut file = Vec::new();
            write_shard(&options, shard, &mut file, &mut |_| {}).unwrap();
            assert_eq!(all[0].1[&shard.file_name()], file);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_upload_of_many_parts_is_whole() {
        let (runtime, store) = lake();
        let asked = Some(500.0);
        let options = GenerateOptions {
            schema: Schema::Orders,
            rows: 400,
            shards: 1,
            orders_per_customer: asked,
            ..GenerateOptions::default()
        };
        let written = generate(&runtime, &options, &to("memory://lake/", 2), nobody(), pending()).await.unwrap();
        assert!(written.rows > 100_000 && written.bytes < PART_BYTES as u64, "{written:?}");
        // The same bytes in parts of five.
        let shard = &shards(&options).unwrap()[0];
        let (inner, path): (Arc<dyn ObjectStore>, _) = (Arc::clone(&store) as _, Path::from("parts"));
        let small = BufWriter::with_capacity(inner, path.clone(), 1 << 20).with_max_concurrency(PARTS_AT_ONCE);
        let upload = Upload { inner: small, ..Upload::new(Arc::clone(&store) as _, path.clone(), Arc::default()) };
        let (options, shard) = (options.clone(), shard.clone());
        let one = tokio::task::spawn_blocking(move || write_one(&options, &shard, upload, &nobody())).await.unwrap();
        assert_eq!(one.unwrap(), written);
        let all = objects(store.as_ref(), "").await;
        assert_eq!(all["parts"], all["orders-00000.parquet"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_there_is_replaced_only_when_asked() {
        let (runtime, store) = lake();
        let options = GenerateOptions { rows: 100, shards: 4, ..GenerateOptions::default() };
        let first = to("memory://lake/a/", 2);
        generate(&runtime, &options, &first, nobody(), pending()).await.unwrap();
        let refused = generate(&runtime, &options, &first, nobody(), pending()).await.unwrap_err();
        assert!(refused.fault == Fault::Spec && refused.message.contains("already holds 4 shards"), "{refused}");
        let fewer = GenerateOptions { shards: 2, ..options };
        let again = Destination { overwrite: true, ..first };
        generate(&runtime, &fewer, &again, nobody(), pending()).await.unwrap();
        assert_eq!(objects(store.as_ref(), "a").await.len(), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_left_of_a_failure() {
        let (runtime, store) = lake();
        let options = GenerateOptions { rows: 5_000, shards: 50, ..GenerateOptions::default() };
        let stop = ready(EngineError::job("stopped on request"));
        let error = generate(&runtime, &options, &to("memory://lake/a/", 2), nobody(), stop).await.unwrap_err();
        assert_eq!(error.message, "stopped on request");
        assert!(objects(store.as_ref(), "a").await.is_empty());

        // A folder where a shard should be.
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("customers-00030.parquet/x")).unwrap();
        let url = Url::from_directory_path(folder.path()).unwrap().to_string();
        let error = generate(&runtime, &options, &to(&url, 2), nobody(), pending()).await.unwrap_err();
        assert!(error.fault == Fault::Output && error.message.contains("customers-00030.parquet"), "{error}");
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["customers-00030.parquet"]);

        let error = generate(&runtime, &options, &to("https://host/a/", 2), nobody(), pending()).await.unwrap_err();
        assert!(error.fault == Fault::Spec && error.message.contains("web server"), "{error}");
    }
}
