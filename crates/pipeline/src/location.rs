//! Where things are: from what a user types to URLs.

use std::path::{Component, Path, PathBuf};

use segmenta_engine::{EngineError, Result};
use url::Url;

/// Turns a location of the spec into a URL string. A location with a scheme stays as it is; a path is relative to
/// `base` (the folder of the job spec). Globs are not expanded.
///
/// # Errors
/// A path that cannot be written as a URL.
pub fn to_url(location: &str, base: &Path) -> Result<String> {
    if location.contains("://") {
        return Ok(location.to_owned());
    }
    if location == "~" || location.starts_with("~/") {
        return Err(EngineError::spec(format!("{location}: `~` stands for nothing here; write the whole path")));
    }
    let path = normalize(&base.join(location));
    let mut url = Url::from_file_path(&path)
        .map_err(|()| {
            EngineError::spec(format!("{location}: cannot be made an absolute path from {}", base.display()))
        })?
        .to_string();
    if location.ends_with('/') && !url.ends_with('/') {
        url.push('/');
    }
    Ok(url)
}

/// As [`to_url`], for a folder: ends in `/`.
///
/// # Errors
/// As [`to_url`].
pub fn to_folder_url(location: &str, base: &Path) -> Result<String> {
    let mut url = to_url(location, base)?;
    if !url.ends_with('/') {
        url.push('/');
    }
    Ok(url)
}

/// Resolves `.` and `..` without looking at the file system.
fn normalize(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_spec() {
        let base = Path::new("/jobs/weekly");
        assert_eq!(to_url("../data/a b.parquet", base).unwrap(), "file:///jobs/data/a%20b.parquet");
        assert_eq!(to_folder_url("./out", base).unwrap(), "file:///jobs/weekly/out/");
        assert_eq!(to_url("s3://bucket/x/*.parquet", base).unwrap(), "s3://bucket/x/*.parquet");
    }
}
