//! Publication: a run's files replace those of the last run, for all readers of the manifest at once.
//!
//! ```text
//!   <output>/assignments/part-00000-7-1f2e3d4c.parquet   names that no other publication has
//!   <output>/documents/7-1f2e3d4c/model.json
//!   <output>/manifest.json                               replaced only if it is still the one found at the start
//!   <output>/model.json                                  the documents again, at paths that do not change
//! ```
//!
//! The edition, 7, is one more than that of the manifest that was found; the digits after it are those of the lease.
//! The manifest is replaced by a conditional put (on local disks under a lock), so that of several processes that found
//! the same manifest only one replaces it. A process that has lost its lease may wake up and go on writing, but
//! wherever it does so, that is harmless:
//!
//! | it wakes up | and writes |
//! |---|---|
//! | before its manifest | files under names of its own, which no manifest has |
//! | at its manifest | nothing, because the manifest there is not the one that it found |
//! | after its manifest | nothing but removals of files that no later manifest names; the documents stay as they are |
//!
//! The conditional put replaces a store that checks fencing tokens (Kleppmann, How to do distributed locking, 2016).

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use segmenta_engine::artifact::{Part, get, put, remove, resolve};
use segmenta_engine::{EngineError, Result};
use segmenta_results::manifest::{Output, manifest_url};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::lease::{self, Lease};

/// The manifest of an output.
const MANIFEST: &str = "manifest.json";
/// Where documents are.
const DOCUMENTS: &str = "documents/";
/// The lock of an output on a local disk. It is never removed, because another process may hold it.
pub(crate) const LOCK: &str = "_work/publish.lock";
/// Files that are copied or looked up at the same time.
const AT_ONCE: usize = 8;
/// How long another process may lock the manifest on a local disk. It only replaces it, which takes no time.
const LOCKED: Duration = Duration::from_secs(60);

/// What is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A job's results.
    Results,
    /// Scores.
    Scores,
}

impl Kind {
    /// Folders that only publications write to.
    fn folders(self) -> &'static [&'static str] {
        match self {
            Self::Results => &["assignments/", "rejected/", "model/", DOCUMENTS],
            Self::Scores => &["scores/"],
        }
    }

    /// Whether a publication wrote the file at a path below an output. Its name says so, or is one that earlier
    /// versions used.
    #[must_use]
    pub fn owns(self, path: &str) -> bool {
        let in_folder = self.folders().iter().any(|folder| path.starts_with(folder));
        in_folder && (edition_of(path).is_some() || is_of_before(path))
    }
}

/// Whether a path is one that versions without editions used.
fn is_of_before(path: &str) -> bool {
    let number = path.rsplit('/').next().and_then(|file| file.strip_prefix("part-")?.strip_suffix(".parquet"));
    path == "model/forest.json"
        || number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The fields of any manifest that are read here.
#[derive(Debug, Default, Deserialize)]
struct Edition {
    #[serde(default)]
    edition: u64,
}

/// The manifest that a publication found.
#[derive(Debug, Clone)]
struct Found {
    content: Bytes,
    version: UpdateVersion,
}

/// A publication that is under way.
#[derive(Debug)]
pub struct Publication<'a> {
    runtime: &'a Arc<RuntimeEnv>,
    output: &'a str,
    lease: &'a Lease,
    kind: Kind,
    edition: u64,
    /// Edition and lease.
    name: String,
    found: Option<Found>,
}

impl<'a> Publication<'a> {
    /// Begins to publish under `output` (a URL that ends in `/`) as the holder of its lease.
    ///
    /// # Errors
    /// When the lease was lost or the output cannot be read.
    pub async fn begin(runtime: &'a Arc<RuntimeEnv>, output: &'a str, lease: &'a Lease, kind: Kind) -> Result<Self> {
        lease.check()?;
        let found = find(runtime, &manifest_url(output)).await?;
        let before: Edition =
            found.as_ref().and_then(|found| serde_json::from_slice(&found.content).ok()).unwrap_or_default();
        // Where the manifest was removed, the files show how many editions there were.
        let left = left(runtime, output, kind).await?;
        let edition = left.iter().filter_map(|path| edition_of(path)).fold(before.edition, u64::max).saturating_add(1);
        Ok(Self { runtime, output, lease, kind, edition, name: format!("{edition}-{}", lease.short_id()), found })
    }

    /// Continues a publication whose manifest is in place. `manifest` is what was read of it. `None` if another one is
    /// there by now.
    ///
    /// # Errors
    /// As [`Publication::begin`].
    pub async fn resume(
        runtime: &'a Arc<RuntimeEnv>,
        output: &'a str,
        lease: &'a Lease,
        kind: Kind,
        manifest: &impl Serialize,
    ) -> Result<Option<Self>> {
        lease.check()?;
        let Some(found) = find(runtime, &manifest_url(output)).await? else { return Ok(None) };
        let there: Option<serde_json::Value> = serde_json::from_slice(&found.content).ok();
        if there.is_none() || there != serde_json::to_value(manifest).ok() {
            return Ok(None);
        }
        let edition = serde_json::from_slice::<Edition>(&found.content).unwrap_or_default().edition;
        Ok(Some(Self { runtime, output, lease, kind, edition, name: String::new(), found: Some(found) }))
    }

    /// The number of publications, including this one.
    #[must_use]
    pub fn edition(&self) -> u64 {
        self.edition
    }

    /// Where a file of this publication is, below the output. `name` is the same in every publication.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        match name.rsplit_once('/') {
            None => format!("{DOCUMENTS}{}/{name}", self.name),
            Some((folder, file)) => {
                let (stem, extension) = file.rsplit_once('.').unwrap_or((file, ""));
                format!("{folder}/{stem}-{}.{extension}", self.name)
            }
        }
    }

    /// How the manifest lists the parts of a table.
    #[must_use]
    pub fn listed(&self, parts: &[Part], folder: &str) -> Vec<Output> {
        let output = |part: &Part| {
            let name = part_name(folder, part.index);
            Output {
                path: self.path(&name),
                name,
                rows: Some(part.rows),
                bytes: part.bytes,
                sha256: part.sha256.clone(),
            }
        };
        parts.iter().map(output).collect()
    }

    /// Copies the parts of a table.
    ///
    /// # Errors
    /// When the lease was lost, a part is gone, or a place cannot be written to.
    pub async fn copy(&self, parts: &[Part], folder: &str) -> Result<()> {
        let target = |part: &Part| format!("{}{}", self.output, self.path(&part_name(folder, part.index)));
        let copies: Vec<_> = parts.iter().map(|part| copy_part(self.runtime, self.lease, part, target(part))).collect();
        futures::stream::iter(copies).buffered(AT_ONCE).try_collect().await
    }

    /// Writes a document.
    ///
    /// # Errors
    /// When the lease was lost, or a place cannot be written to.
    pub async fn put(&self, name: &str, content: impl Into<Bytes> + Send) -> Result<()> {
        self.lease.check()?;
        put(self.runtime, &format!("{}{}", self.output, self.path(name)), content).await
    }

    /// Replaces the manifest, and readers see the new one from then on. `outputs` are all files that it names.
    ///
    /// # Errors
    /// When another process has replaced the manifest in the meantime, or a place cannot be written to.
    pub async fn commit(&self, manifest: Bytes, outputs: &[Output]) -> Result<()> {
        self.lease.check()?;
        if let Some(folder) = local(self.output) {
            let paths: Vec<PathBuf> = outputs.iter().map(|output| folder.join(&output.path)).collect();
            blocking(move || persist(&folder, &paths)).await?;
        }
        self.lease.check()?;
        if self.replace(manifest).await? {
            return Ok(());
        }
        // No manifest will ever name these.
        let own = outputs.iter().map(|output| output.path.clone()).collect();
        if let Err(error) = self.remove(own).await {
            tracing::debug!(%error, "what came too late could not be removed; the next publication does so");
        }
        Err(lease::lost())
    }

    /// `false` when the manifest there is not the one that was found.
    async fn replace(&self, manifest: Bytes) -> Result<bool> {
        let url = manifest_url(self.output);
        if let Some(folder) = local(self.output) {
            let (expected, name) = (self.found.as_ref().map(|found| found.content.clone()), self.name.clone());
            return blocking(move || replace_locally(&folder, expected.as_ref(), &manifest, &name)).await;
        }
        let version = self.found.as_ref().map(|found| found.version.clone());
        match put_where(self.runtime, &url, version, manifest.clone()).await {
            Ok(()) => Ok(true),
            // The answer to a successful attempt may have been lost, and the attempt made again.
            Err(error) => match get(self.runtime, &url).await? {
                Some(there) if there == manifest => Ok(true),
                _ if is_other(&error) => Ok(false),
                _ => Err(EngineError::output(format!("{url}: cannot be written: {error}"))),
            },
        }
    }

    /// Puts documents at the paths that do not change, unless somebody has published since. `manifest` is that of this
    /// publication.
    ///
    /// # Errors
    /// When a place cannot be written to. The publication is complete nonetheless.
    pub async fn put_documents(&self, manifest: &Bytes, contents: &[(&str, Bytes)]) -> Result<()> {
        for (name, content) in contents {
            if let Some(folder) = local(self.output) {
                let (manifest, content, name) = (manifest.clone(), content.clone(), (*name).to_owned());
                blocking(move || write_beside(&folder, &manifest, &name, &content)).await?;
            } else {
                self.put_document(manifest, name, content).await?;
            }
        }
        Ok(())
    }

    async fn put_document(&self, manifest: &Bytes, name: &str, content: &Bytes) -> Result<()> {
        let url = format!("{}{name}", self.output);
        loop {
            // The order matters: a later publication puts its document after its manifest, and so after the version
            // that is read here.
            let there = version(self.runtime, &url).await?;
            if get(self.runtime, &manifest_url(self.output)).await?.as_ref() != Some(manifest) {
                return Ok(());
            }
            match put_where(self.runtime, &url, there, content.clone()).await {
                Ok(()) => return Ok(()),
                // Either a late earlier publication or a later one wrote it: check again.
                Err(error) if is_other(&error) => self.lease.check()?,
                Err(error) => return Err(EngineError::output(format!("{url}: cannot be written: {error}"))),
            }
        }
    }

    /// The manifest that was there at the start.
    #[must_use]
    pub fn found(&self) -> Option<&Bytes> {
        self.found.as_ref().map(|found| &found.content)
    }

    /// Removes the files of earlier publications and of publications that were never completed. `outputs` are the files
    /// of this one.
    ///
    /// # Errors
    /// When a place cannot be listed or written to. The publication is complete nonetheless.
    pub async fn sweep(&self, outputs: &[Output]) -> Result<()> {
        let own: HashSet<&str> = outputs.iter().map(|output| output.path.as_str()).collect();
        let is_old = |path: &String| {
            !own.contains(path.as_str()) && edition_of(path).is_none_or(|edition| edition <= self.edition)
        };
        let old = left(self.runtime, self.output, self.kind).await?.into_iter().filter(is_old).collect();
        self.remove(old).await
    }

    async fn remove(&self, paths: Vec<String>) -> Result<()> {
        let removals: Vec<_> = paths.into_iter().map(|path| remove_below(self.runtime, self.output, path)).collect();
        futures::stream::iter(removals).buffer_unordered(AT_ONCE).try_collect().await
    }
}

async fn remove_below(runtime: &RuntimeEnv, output: &str, path: String) -> Result<()> {
    remove(runtime, &format!("{output}{path}")).await
}

async fn copy_part(runtime: &RuntimeEnv, lease: &Lease, part: &Part, target: String) -> Result<()> {
    lease.check()?;
    let (store, from) = resolve(runtime, &part.url)?;
    let (_, to) = resolve(runtime, &target)?;
    store
        .copy(&from, &to)
        .await
        .map_err(|error| EngineError::output(format!("{target}: cannot be copied from {}: {error}", part.url)))
}

/// Makes sure that no publication that has begun under `output` can still complete: it puts the manifest that is there
/// once more, as that of the next edition. `false` where there is no manifest. Those publications can then still
/// complete, and whoever removes files has to go by their age.
///
/// # Errors
/// When somebody else has replaced the manifest in the meantime, or a place cannot be written to.
pub(crate) async fn fence(runtime: &Arc<RuntimeEnv>, output: &str, lease: &Lease) -> Result<bool> {
    let mut publication = Publication::begin(runtime, output, lease, Kind::Results).await?;
    let Some(found) = publication.found() else { return Ok(false) };
    let manifest: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(found).ok();
    let Some(mut manifest) = manifest else { return Ok(false) };
    manifest.insert("edition".to_owned(), publication.edition.into());
    let mut content = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| EngineError::job(format!("{output}: the manifest cannot be written as JSON: {error}")))?;
    content.push(b'\n');
    publication.name.push_str("-fence");
    if publication.replace(content.into()).await? { Ok(true) } else { Err(lease::lost()) }
}

/// What a part of a table is called in every publication.
#[must_use]
pub fn part_name(folder: &str, index: u32) -> String {
    format!("{folder}/part-{index:05}.parquet")
}

/// The paths below an output that publications have written, whether a manifest names them or not.
///
/// # Errors
/// A place that cannot be listed.
async fn left(runtime: &RuntimeEnv, output: &str, kind: Kind) -> Result<Vec<String>> {
    let (store, base) = resolve(runtime, output)?;
    let mut found = vec![];
    for folder in kind.folders() {
        let url = format!("{output}{folder}");
        let (_, prefix) = resolve(runtime, &url)?;
        let objects = match store.list(Some(&prefix)).try_collect::<Vec<_>>().await {
            Ok(objects) => objects,
            Err(object_store::Error::NotFound { .. }) => continue,
            Err(error) => return Err(EngineError::output(format!("{url}: cannot be listed: {error}"))),
        };
        for object in objects {
            let Some(below) = object.location.prefix_match(&base) else { continue };
            let path = below.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/");
            if kind.owns(&path) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// The edition in a path below an output; `None` where there is none.
pub(crate) fn edition_of(path: &str) -> Option<u64> {
    let name = match path.strip_prefix(DOCUMENTS) {
        Some(document) => document.split('/').next()?,
        None => path.rsplit('/').next()?.rsplit_once('.')?.0,
    };
    let (rest, lease) = name.rsplit_once('-')?;
    let edition = rest.rsplit('-').next()?;
    let is_lease = lease.len() == lease::SHORT_ID && lease.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_lease { edition.parse().ok() } else { None }
}

async fn find(runtime: &RuntimeEnv, url: &str) -> Result<Option<Found>> {
    let (store, path) = resolve(runtime, url)?;
    let failed = |error: object_store::Error| EngineError::output(format!("{url}: cannot be read: {error}"));
    match store.get(&path).await {
        Ok(result) => {
            let version = UpdateVersion { e_tag: result.meta.e_tag.clone(), version: result.meta.version.clone() };
            Ok(Some(Found { content: result.bytes().await.map_err(failed)?, version }))
        }
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

async fn version(runtime: &RuntimeEnv, url: &str) -> Result<Option<UpdateVersion>> {
    let (store, path) = resolve(runtime, url)?;
    match store.head(&path).await {
        Ok(meta) => Ok(Some(UpdateVersion { e_tag: meta.e_tag, version: meta.version })),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(EngineError::output(format!("{url}: cannot be read: {error}"))),
    }
}

/// Puts an object in place of the version that was found, or only if there was none.
async fn put_where(
    runtime: &RuntimeEnv,
    url: &str,
    found: Option<UpdateVersion>,
    content: Bytes,
) -> object_store::Result<()> {
    let elsewhere = |error: EngineError| object_store::Error::Generic { store: "output", source: Box::new(error) };
    let (store, path) = resolve(runtime, url).map_err(elsewhere)?;
    let mode = found.map_or(PutMode::Create, PutMode::Update);
    store.put_opts(&path, content.into(), PutOptions::from(mode)).await.map(drop)
}

/// Whether a conditional put failed because something else is there.
fn is_other(error: &object_store::Error) -> bool {
    matches!(
        error,
        object_store::Error::Precondition { .. }
            | object_store::Error::AlreadyExists { .. }
            | object_store::Error::NotFound { .. }
    )
}

/// The folder of an output on a local disk.
fn local(output: &str) -> Option<PathBuf> {
    Url::parse(output).ok().filter(|url| url.scheme() == "file")?.to_file_path().ok()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let panicked = |error| EngineError::job(format!("publish: the local disk: {error}"));
    tokio::task::spawn_blocking(work).await.map_err(panicked)?
}

fn unwritable(path: &Path, error: &std::io::Error) -> EngineError {
    EngineError::output(format!("{}: cannot be written: {error}", path.display()))
}

/// Waits until files and their folders are on the disk. A manifest that survives a loss of power must not name files
/// that did not.
fn persist(output: &Path, files: &[PathBuf]) -> Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let mut folders: HashSet<&Path> = HashSet::from([output]);
    for file in files {
        File::open(file).and_then(|opened| opened.sync_all()).map_err(|error| unwritable(file, &error))?;
        folders.extend(file.ancestors().skip(1).take_while(|folder| folder.starts_with(output)));
    }
    for folder in folders {
        sync_folder(folder)?;
    }
    Ok(())
}

/// Waits until the names in a folder are on the disk.
fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(folder).and_then(|opened| opened.sync_all()).map_err(|error| unwritable(folder, &error))?;
    }
    Ok(())
}

/// Holds the lock of an output on a local disk for as long as the file is open. Where the file system has no locks,
/// only the lease keeps other processes away.
fn lock(output: &Path) -> Result<Option<File>> {
    let path = output.join(LOCK);
    let open = || {
        fs::create_dir_all(output.join("_work"))?;
        File::options().create(true).truncate(false).write(true).open(&path)
    };
    let file = open().map_err(|error| unwritable(&path, &error))?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if started.elapsed() < LOCKED => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(EngineError::output(format!(
                    "{}: another process has held the lock for more than {} seconds; end it if it is \
                     stopped, and run again",
                    output.display(),
                    LOCKED.as_secs()
                )));
            }
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, "the output cannot be locked");
                return Ok(None);
            }
        }
    }
}

fn read_locally(path: &Path) -> Result<Option<Bytes>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(EngineError::output(format!("{}: cannot be read: {error}", path.display()))),
    }
}

/// Writes a file in one step: afterwards it is complete and on the disk, or not there at all.
fn write_locally(output: &Path, name: &str, content: &[u8], unfinished: &str) -> Result<()> {
    let (path, aside) = (output.join(name), output.join("_work").join(unfinished));
    let write = || {
        fs::create_dir_all(output.join("_work"))?;
        let mut file = File::create(&aside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&aside, &path)
    };
    write().map_err(|error| unwritable(&path, &error))?;
    sync_folder(output)
}

fn replace_locally(output: &Path, expected: Option<&Bytes>, manifest: &Bytes, name: &str) -> Result<bool> {
    let _lock = lock(output)?;
    let there = read_locally(&output.join(MANIFEST))?;
    if there.as_ref() != expected {
        return Ok(there.as_ref() == Some(manifest));
    }
    write_locally(output, MANIFEST, manifest, &format!("manifest-{name}.json"))?;
    Ok(true)
}

/// Writes a document, unless the manifest has been replaced by now.
fn write_beside(output: &Path, manifest: &Bytes, name: &str, content: &[u8]) -> Result<()> {
    let _lock = lock(output)?;
    if read_locally(&output.join(MANIFEST))?.as_ref() == Some(manifest) {
        write_locally(output, name, content, &format!("{}-{name}", uuid::Uuid::new_v4().simple()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edition_is_in_the_name() {
        for (path, edition) in [
            ("assignments/part-00000-7-1f2e3d4c.parquet", Some(7)),
            ("documents/12-00ff00ff/model.json", Some(12)),
            ("assignments/part-00000.parquet", None),
            ("assignments/part-00000-7-x.parquet", None),
            ("documents/notes/model.json", None),
        ] {
            assert_eq!(edition_of(path), edition, "{path}");
        }
    }

    #[test]
    fn files_of_others_are_nobodys_to_remove() {
        for (path, own) in [
            ("assignments/part-00000-7-1f2e3d4c.parquet", true),
            ("assignments/part-00012.parquet", true),
            ("model/forest.json", true),
            ("documents/3-1f2e3d4c/segments.sql", true),
            ("documents/letter.txt", false),
            ("assignments/notes.txt", false),
            ("scores/part-00000-1-1f2e3d4c.parquet", false),
            ("segments.parquet", false),
        ] {
            assert_eq!(Kind::Results.owns(path), own, "{path}");
        }
    }
}
