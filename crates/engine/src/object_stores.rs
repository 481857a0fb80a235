//! Object stores by URL: local files, S3, GCS, Azure and HTTP, made when they are first used.
//!
//! Credentials and endpoints come from the process's own environment (`AWS_*`, `GOOGLE_*`, `AZURE_*`), so they never
//! travel in a plan.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::{ClientOptions, ObjectStore};
use parking_lot::Mutex;
use url::{Position, Url};

/// Schemes that can be read; all but HTTP can be written.
pub const SCHEMES: &[&str] = &["file", "s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "http", "https"];

/// Makes stores on demand and keeps one for each scheme and authority.
#[derive(Debug)]
pub struct StoreRegistry {
    stores: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
}

impl Default for StoreRegistry {
    fn default() -> Self {
        let local: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new());
        Self { stores: Mutex::new(HashMap::from([("file://".to_owned(), local)])) }
    }
}

fn key(url: &Url) -> String {
    url[..Position::BeforePath].to_owned()
}

impl ObjectStoreRegistry for StoreRegistry {
    fn register_store(&self, url: &Url, store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        self.stores.lock().insert(key(url), store)
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        let key = key(url);
        if let Some(store) = self.stores.lock().get(&key) {
            return Ok(Arc::clone(store));
        }
        if !SCHEMES.contains(&url.scheme()) {
            return Err(DataFusionError::Configuration(format!(
                "{url}: no object store for the scheme `{}`; known schemes: {}",
                url.scheme(),
                SCHEMES.join(", ")
            )));
        }
        let store = if url.scheme().starts_with("http") { web_store(url, &key) } else { cloud_store(url) }
            .map_err(|error| DataFusionError::Configuration(format!("{url}: {error}")))?;
        self.stores.lock().insert(key, Arc::clone(&store));
        Ok(store)
    }
}

/// Any web server, that of a cloud store included: the path of a URL is the path on the server.
fn web_store(url: &Url, origin: &str) -> object_store::Result<Arc<dyn ObjectStore>> {
    // Who writes `http://` means it.
    let options = ClientOptions::new().with_allow_http(url.scheme() == "http");
    Ok(Arc::new(HttpBuilder::new().with_url(origin).with_client_options(options).build()?))
}

/// A bucket or container. The builders take the options they know, by their lower-case environment names, and ignore the
/// rest.
fn cloud_store(url: &Url) -> object_store::Result<Arc<dyn ObjectStore>> {
    let options = std::env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (name.into_string().ok()?.to_lowercase(), value.into_string().ok()?);
        ["aws_", "google_", "azure_"].iter().any(|prefix| name.starts_with(prefix)).then_some((name, value))
    });
    let (store, _) = object_store::parse_url_opts(url, options)?;
    Ok(Arc::from(store))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_store_for_each_authority() {
        let registry = StoreRegistry::default();
        let get = |url: &str| registry.get_store(&Url::parse(url).unwrap());
        assert!(get("file:///tmp/a").is_ok());
        let (a, b) = (get("http://localhost:1/a").unwrap(), get("http://localhost:1/b").unwrap());
        assert!(Arc::ptr_eq(&a, &b));
        assert!(get("s3://bucket/key").is_ok() && get("gs://bucket/key").is_ok());
        let error = get("ftp://host/file").unwrap_err().to_string();
        assert!(error.contains("`ftp`"), "{error}");
    }
}
