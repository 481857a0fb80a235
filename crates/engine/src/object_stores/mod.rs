//! Object stores by URL: local files, S3, GCS, Azure and HTTP, made when they are first used.
//!
//! Credentials and endpoints come from the process's own environment (`AWS_*`, `GOOGLE_*`, `AZURE_*`), so they never
//! travel in a plan. Requests that a store throttles or fails (429, 5xx), or that are cut off, are made again, with a
//! growing pause and within two minutes. A process has only so many requests under way at once, which keeps a store
//! from being flooded.

mod whole_ranges;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::limit::LimitStore;
use object_store::local::LocalFileSystem;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use parking_lot::Mutex;
use url::{Position, Url};

use whole_ranges::WholeRanges;

/// Requests that a process has under way at once, for each bucket.
const REQUESTS_AT_ONCE: usize = 128;

/// A connection that takes longer to set up is tried again.
const CONNECT: Duration = Duration::from_secs(5);

/// A request that takes longer is made again. The limit is generous because a row group on a slow line takes a while.
const REQUEST: Duration = Duration::from_secs(60);

/// Time that a request has with all its attempts. The pauses are random and grow slowly, so a number of attempts would
/// not say how long a store may be away.
const RETRY_TIMEOUT: Duration = Duration::from_secs(120);
const MAX_RETRIES: usize = 1000;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

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
        if let Some(why) = plain_http(url.scheme(), |name| std::env::var(name).ok()) {
            return Err(DataFusionError::Configuration(format!("{url}: {why}")));
        }
        let store = if url.scheme().starts_with("http") { web_store(url, &key) } else { cloud_store(url) }
            .map_err(|error| DataFusionError::Configuration(format!("{url}: {error}")))?;
        self.stores.lock().insert(key, Arc::clone(&store));
        Ok(store)
    }
}

/// Why requests must not go to the endpoint that the environment names for a scheme: it is plain HTTP, and nobody has
/// allowed that. The client itself would try for two minutes.
fn plain_http(scheme: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let (endpoints, leave): (&[&str], _) = match scheme {
        "s3" | "s3a" => (&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"], "AWS_ALLOW_HTTP"),
        "az" | "azure" | "abfs" | "abfss" => (&["AZURE_ENDPOINT", "AZURE_STORAGE_ENDPOINT"], "AZURE_ALLOW_HTTP"),
        _ => return None,
    };
    let (name, endpoint) = endpoints.iter().find_map(|name| Some((name, variable(name)?)))?;
    let allowed =
        variable(leave).is_some_and(|value| ["1", "true", "on", "yes", "y"].contains(&value.to_lowercase().as_str()));
    (endpoint.starts_with("http://") && !allowed).then(|| {
        format!("{name} is {endpoint}, without TLS; set {leave}=true to let credentials and data go over plain HTTP")
    })
}

fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig { init_backoff: FIRST_PAUSE, max_backoff: LONGEST_PAUSE, base: 2.0 },
        max_retries: MAX_RETRIES,
        retry_timeout: RETRY_TIMEOUT,
    }
}

fn client_options() -> ClientOptions {
    ClientOptions::new().with_connect_timeout(CONNECT).with_timeout(REQUEST)
}

fn limited<T: ObjectStore>(store: T) -> Arc<dyn ObjectStore> {
    Arc::new(WholeRanges(LimitStore::new(store, REQUESTS_AT_ONCE)))
}

/// Any web server, including that of a cloud store: the path of a URL is the path on the server.
fn web_store(url: &Url, origin: &str) -> object_store::Result<Arc<dyn ObjectStore>> {
    // A job that writes `http://` has chosen plain HTTP.
    let options = client_options().with_allow_http(url.scheme() == "http");
    let builder = HttpBuilder::new().with_url(origin).with_client_options(options).with_retry(retry());
    Ok(limited(builder.with_http_connector(Counting).build()?))
}

/// The options of this process's environment that a builder knows, by their lower-case names.
fn from_environment<K: std::str::FromStr>() -> impl Iterator<Item = (K, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (name.into_string().ok()?.to_lowercase(), value.into_string().ok()?);
        let known = ["aws_", "google_", "azure_"].iter().any(|prefix| name.starts_with(prefix));
        if known { Some((name.parse().ok()?, value)) } else { None }
    })
}

/// A bucket or container.
fn cloud_store(url: &Url) -> object_store::Result<Arc<dyn ObjectStore>> {
    // What the environment says about the client takes precedence over these options.
    Ok(match url.scheme() {
        "gs" => {
            let builder = GoogleCloudStorageBuilder::new().with_url(url.as_str()).with_client_options(client_options());
            let builder = from_environment().fold(builder, |builder, (key, value)| builder.with_config(key, value));
            limited(builder.with_retry(retry()).with_http_connector(Counting).build()?)
        }
        "az" | "azure" | "abfs" | "abfss" => {
            let builder = MicrosoftAzureBuilder::new().with_url(url.as_str()).with_client_options(client_options());
            let builder = from_environment().fold(builder, |builder, (key, value)| builder.with_config(key, value));
            limited(builder.with_retry(retry()).with_http_connector(Counting).build()?)
        }
        _ => {
            let builder = AmazonS3Builder::new().with_url(url.as_str()).with_client_options(client_options());
            let builder = from_environment().fold(builder, |builder, (key, value)| builder.with_config(key, value));
            limited(builder.with_retry(retry()).with_http_connector(Counting).build()?)
        }
    })
}

static SENT: AtomicU64 = AtomicU64::new(0);
static FAILED: AtomicU64 = AtomicU64::new(0);

/// The requests of this process to object stores; local files do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestStatistics {
    /// Requests; each attempt counts.
    pub sent: u64,
    /// Attempts that were throttled (429), failed at the store (5xx) or were cut off. As a rule they were made again.
    pub failed: u64,
}

/// Requests of this process so far.
#[must_use]
pub fn requests() -> RequestStatistics {
    RequestStatistics { sent: SENT.load(Ordering::Relaxed), failed: FAILED.load(Ordering::Relaxed) }
}

/// Counts the requests of the stores' clients.
#[derive(Debug)]
struct Counting;

impl HttpConnector for Counting {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Counted(ReqwestConnector::default().connect(options)?)))
    }
}

#[derive(Debug)]
struct Counted(HttpClient);

#[async_trait]
impl HttpService for Counted {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        SENT.fetch_add(1, Ordering::Relaxed);
        let answer = self.0.execute(request).await;
        let failed =
            answer.as_ref().map_or(true, |answer| answer.status().is_server_error() || answer.status().as_u16() == 429);
        if failed {
            FAILED.fetch_add(1, Ordering::Relaxed);
        }
        // A connection that broke in a way which the client has no word for. It is tried again, as other broken
        // connections are.
        answer.map_err(|error| match error.kind() {
            HttpErrorKind::Unknown => HttpError::new(HttpErrorKind::Interrupted, error),
            _ => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_needs_leave() {
        let found = |scheme: &str, variables: &[(&str, &str)]| {
            plain_http(scheme, |name| {
                variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let endpoint = ("AWS_ENDPOINT", "http://minio:9000");
        assert!(found("s3", &[endpoint]).is_some_and(|why| why.contains("AWS_ALLOW_HTTP=true")));
        assert_eq!(found("s3", &[endpoint, ("AWS_ALLOW_HTTP", "true")]), None);
        assert_eq!(found("s3", &[("AWS_ENDPOINT_URL", "https://minio:9000")]), None);
        assert_eq!(found("gs", &[endpoint]), None);
    }

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
