//! Finds the files of a location, and the tables of other formats that they may belong to.

use std::path::Path;
use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use futures::TryStreamExt;
use globset::GlobBuilder;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use segmenta_engine::artifact::resolve;
use segmenta_engine::{EngineError, Result};
use url::Url;

use super::lake::{self, Listing};
use crate::location::{to_folder_url, to_url};

/// The files that a location stands for: one file, a folder's `*.parquet`, or a glob (`*`, `**`, `?`, `[a-z]`, `{a,b}`).
/// A name may itself contain such a sign, so a file with exactly that name takes precedence.
pub(super) async fn list(runtime: &RuntimeEnv, location: &str, base: &Path) -> Result<Listing> {
    let wild = location.find(['*', '?', '[', '{']);
    // In a location that was typed as a URL, whatever follows a `?` would be lost as a query.
    if !(location.contains('?') && location.contains("://")) {
        let literal = list_literal(runtime, &to_url(location, base)?).await?;
        if !literal.files.is_empty() || wild.is_none() {
            return Ok(literal);
        }
    }
    let folder = location[..wild.unwrap_or(0)].rfind('/').map_or(0, |slash| slash + 1);
    let (folder, pattern) = location.split_at(folder);
    list_glob(runtime, &to_folder_url(folder, base)?, pattern).await
}

async fn list_literal(runtime: &RuntimeEnv, url: &str) -> Result<Listing> {
    let (store, path) = resolve(runtime, url)?;
    let mut listing = Listing { files: vec![], tables: vec![], store, root: path, url: url.to_owned() };
    let (store, path) = (Arc::clone(&listing.store), listing.root.clone());
    if !url.ends_with('/') {
        // The store opens a file even to find its size.
        check_kind(url)?;
        match store.head(&path).await {
            Ok(meta) => {
                listing.files.push((url_of(url, &meta)?, meta));
                return Ok(listing);
            }
            Err(object_store::Error::NotFound { .. }) => {}
            // It is a folder without a trailing slash; the listing will tell.
            Err(error) if !is_local_folder(url) => return Err(unreadable(&error)),
            Err(_) => {}
        }
    }
    for meta in list_below(&store, &path).await? {
        listing.tables.extend(lake::sign(&meta.location));
        if meta.location.as_ref().ends_with(".parquet") && !is_hidden(&path, &meta.location, "") {
            let found = url_of(url, &meta)?;
            check_kind(&found)?;
            listing.files.push((found, meta));
        }
    }
    Ok(listing)
}

/// Refuses anything on a local disk that is not a file, such as a pipe, because opening one waits for ever.
fn check_kind(url: &str) -> Result<()> {
    let path = Url::parse(url).ok().filter(|url| url.scheme() == "file").and_then(|url| url.to_file_path().ok());
    let is_other =
        |path: &std::path::PathBuf| std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
    match path.filter(is_other) {
        Some(path) => Err(EngineError::input(format!("{}: is a pipe or a device, not a file", path.display()))),
        None => Ok(()),
    }
}

/// The objects below a folder whose names fit the pattern.
async fn list_glob(runtime: &RuntimeEnv, folder: &str, pattern: &str) -> Result<Listing> {
    let (store, path) = resolve(runtime, folder)?;
    let mut full = globset::escape(path.as_ref());
    if !full.is_empty() {
        full.push('/');
    }
    full.push_str(pattern);
    let glob = GlobBuilder::new(&full).literal_separator(true).build();
    let glob = glob.map_err(|error| EngineError::spec(format!("not a pattern: {}", error.kind())))?.compile_matcher();
    let mut listing = Listing { files: vec![], tables: vec![], store, root: path.clone(), url: folder.to_owned() };
    for meta in list_below(&listing.store, &path).await? {
        listing.tables.extend(lake::sign(&meta.location));
        // Stores keep an empty object in place of a folder.
        let is_folder = meta.size == 0 && !meta.location.as_ref().ends_with(".parquet");
        let fits = glob.is_match(meta.location.as_ref());
        if fits && !is_folder && !is_hidden(&path, &meta.location, pattern) {
            let found = url_of(folder, &meta)?;
            check_kind(&found)?;
            listing.files.push((found, meta));
        }
    }
    Ok(listing)
}

/// Whether an object is one of those that engines leave next to the data, such as `_SUCCESS`, `.crc` files and
/// `_temporary/`: a component of its path below `folder` begins with `_` or `.`, and no component of the pattern does.
fn is_hidden(folder: &ObjectPath, object: &ObjectPath, pattern: &str) -> bool {
    let asked = |first: char| pattern.split('/').any(|part| part.starts_with(first));
    object.prefix_match(folder).is_none_or(|mut below| {
        below.any(|part| ['_', '.'].iter().any(|first| part.as_ref().starts_with(*first) && !asked(*first)))
    })
}

async fn list_below(store: &Arc<dyn ObjectStore>, path: &ObjectPath) -> Result<Vec<ObjectMeta>> {
    match store.list(Some(path)).try_collect().await {
        Ok(files) => Ok(files),
        Err(object_store::Error::NotFound { .. }) => Ok(vec![]),
        Err(error) => Err(unreadable(&error)),
    }
}

/// The URL of an object of the store that `origin` is in.
fn url_of(origin: &str, meta: &ObjectMeta) -> Result<String> {
    let mut url = Url::parse(origin).map_err(|error| EngineError::spec(format!("{origin}: not a URL: {error}")))?;
    // A `%` in a name is an ordinary character; `set_path` encodes the rest.
    url.set_path(&format!("/{}", meta.location.as_ref().replace('%', "%25")));
    url.set_query(None);
    Ok(url.to_string())
}

fn unreadable(error: &object_store::Error) -> EngineError {
    EngineError::input(format!("cannot be read: {error}"))
}

fn is_local_folder(url: &str) -> bool {
    Url::parse(url).ok().and_then(|url| url.to_file_path().ok()).is_some_and(|path| path.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_engines_leave_beside_the_data_is_hidden() {
        let hidden = |object: &str, pattern: &str| is_hidden(&"lake/_raw".into(), &object.into(), pattern);
        for object in ["lake/_raw/_SUCCESS", "lake/_raw/_temporary/0/p.parquet", "lake/_raw/x/.p.parquet.crc"] {
            assert!(hidden(object, "**/*"), "{object}");
        }
        assert!(!hidden("lake/_raw/month=3/p.parquet", "*/*.parquet"));
        assert!(!hidden("lake/_raw/_new/p.parquet", "_*/*.parquet"));
        assert!(hidden("lake/_raw/_new/.p.parquet", "_*/*.parquet"));
    }
}
