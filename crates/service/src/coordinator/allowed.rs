//! Where jobs may read and write.

use segmenta_engine::{EngineError, Result};
use segmenta_pipeline::submission::Submission;
use url::Url;

/// The prefixes that a coordinator allows its jobs.
#[derive(Debug, Clone)]
pub struct Allowed {
    prefixes: Vec<Url>,
    /// The coordinator's own folder, which no job may touch.
    state: Url,
}

impl Allowed {
    /// The prefixes for the URLs that are configured.
    ///
    /// # Errors
    /// A prefix that is not a URL.
    pub fn new(prefixes: &[String], state: &str) -> Result<Self> {
        let url = |text: &String| folder(text).map_err(|error| EngineError::spec(format!("allow: {error}")));
        let state = folder(state).map_err(|error| EngineError::spec(format!("state: {error}")))?;
        Ok(Self { prefixes: prefixes.iter().map(url).collect::<Result<_>>()?, state })
    }

    /// Whether nothing is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// Checks every location of a job.
    ///
    /// # Errors
    /// The first location that is not below an allowed prefix.
    pub fn check(&self, job: &Submission) -> Result<()> {
        let key = match job {
            Submission::Segment(_) => "source.tables",
            Submission::Score(_) => "model, input",
        };
        for location in job.sources()? {
            self.check_location(key, &location)?;
        }
        self.check_location("output", &job.output()?)
    }

    fn check_location(&self, key: &str, location: &str) -> Result<()> {
        let refused = |why: &str| EngineError::spec(format!("{key}: {location} {why}"));
        if location.split(['/', '?', '#']).any(|segment| segment == "..") {
            return Err(refused("has a `..` in it"));
        }
        // An encoded `..` is refused, too, as a store may decode it.
        let url = Url::parse(location).map_err(|error| refused(&format!("is not a URL: {error}")))?;
        let path = url.path().to_ascii_lowercase();
        if ["%2e", "%2f", "%5c"].iter().any(|spelling| path.contains(spelling)) || path.contains('\\') {
            return Err(refused("has an encoded `.`, `/` or `\\` in its path; write it plainly"));
        }
        // In Azure's URLs, what stands before the `@` is the container, not a user.
        let is_azure = matches!(url.scheme(), "abfs" | "abfss");
        if (!url.username().is_empty() && !is_azure) || url.password().is_some() {
            return Err(refused("holds credentials; each process takes its own from its environment"));
        }
        if overlaps(&url, &self.state) {
            return Err(refused("is the coordinator's own folder"));
        }
        if self.prefixes.iter().any(|prefix| is_below(&url, prefix)) {
            return Ok(());
        }
        if self.prefixes.is_empty() {
            return Err(refused("is not allowed: this coordinator is configured to allow no location"));
        }
        let prefixes: Vec<&str> = self.prefixes.iter().map(Url::as_str).collect();
        Err(refused(&format!("is not below a location that this coordinator allows ({})", prefixes.join(", "))))
    }
}

/// A URL that ends in `/`.
fn folder(text: &str) -> std::result::Result<Url, String> {
    let text = if text.ends_with('/') { text.to_owned() } else { format!("{text}/") };
    Url::parse(&text).map_err(|error| format!("{text} is not a URL: {error}"))
}

fn same_place(a: &Url, b: &Url) -> bool {
    let place = |url: &Url| (url.scheme().to_owned(), url.username().to_owned(), url.host_str().map(str::to_owned));
    place(a) == place(b) && a.port_or_known_default() == b.port_or_known_default()
}

fn is_below(url: &Url, prefix: &Url) -> bool {
    same_place(url, prefix) && url.path().starts_with(prefix.path())
}

fn overlaps(url: &Url, state: &Url) -> bool {
    let holds_state = || state.path().starts_with(&format!("{}/", url.path().trim_end_matches('/')));
    is_below(url, state) || (same_place(url, state) && holds_state())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(location: &str) -> bool {
        let prefixes = ["s3://lake/customers".to_owned(), "file:///data/".to_owned(), "https://host/x/".to_owned()];
        Allowed::new(&prefixes, "s3://lake/customers/state").unwrap().check_location("output", location).is_ok()
    }

    #[test]
    fn below_a_prefix_and_nowhere_else() {
        for location in ["s3://lake/customers/a.parquet", "file:///data/x/*.parquet", "https://host:443/x/y"] {
            assert!(allows(location), "{location}");
        }
        for location in [
            "s3://lake/customers2/a",
            "s3://lake/",
            "s3://other/customers/a",
            "file:///data/../etc/passwd",
            "file:///data/%2e%2e/etc/passwd",
            "file:///data/x%2f..%2f..%2fetc",
            "https://host:8443/x/y",
            "https://user@host/x/y",
            "http://host/x/y",
            "gs://lake/customers/a",
            "s3://lake/customers/state/jobs/",
            "/data/x",
        ] {
            assert!(!allows(location), "{location}");
        }
    }

    #[test]
    fn a_folder_that_holds_the_coordinators_own_is_refused() {
        assert!(!allows("s3://lake/customers/"));
    }
}
