//! Which job an output belongs to. It belongs to one job, by its name.

use datafusion::execution::runtime_env::RuntimeEnv;
use futures::StreamExt;
use object_store::ObjectMeta;
use segmenta_engine::artifact::{get, put_new, resolve};
use segmenta_engine::{EngineError, Result};
use segmenta_results::manifest::{Manifest, manifest_url};
use serde::{Deserialize, Serialize};

use crate::publication::LOCK;
use crate::work::Work;

/// What `_work/job.json` holds.
#[derive(Debug, Serialize, Deserialize)]
struct JobRecord {
    job: String,
    segmenta: String,
}

/// Refuses an output that holds another job's results, or files that no job wrote.
pub(crate) async fn check_owner(runtime: &RuntimeEnv, output: &str, name: &str) -> Result<()> {
    let theirs = |owner: &str| {
        EngineError::spec(format!(
            "output: {output} already holds the results of the job `{owner}`; give `{name}` an output of its own, or \
             remove what is there"
        ))
    };
    let unreadable = |error: EngineError| EngineError::output(format!("output: {}", error.message));
    if let Some(content) = get(runtime, &manifest_url(output)).await.map_err(unreadable)? {
        return match serde_json::from_slice::<Manifest>(&content) {
            Ok(manifest) if manifest.job == name => Ok(()),
            Ok(manifest) => Err(theirs(&manifest.job)),
            Err(_) => Err(EngineError::spec(format!(
                "output: {output}manifest.json is not one that this version wrote; choose another output, or remove it"
            ))),
        };
    }
    let record = format!("{output}_work/job.json");
    let claimed = |content: &[u8]| match serde_json::from_slice::<JobRecord>(content) {
        Ok(record) if record.job != name => Err(theirs(&record.job)),
        _ => Ok(()),
    };
    if let Some(content) = get(runtime, &record).await.map_err(unreadable)? {
        return claimed(&content);
    }
    let (store, path) = resolve(runtime, output)?;
    // Files that `segmenta clean` leaves belong to no job.
    let is_left = |object: &ObjectMeta| {
        let below: Vec<_> = object.location.prefix_match(&path).into_iter().flatten().collect();
        let below: Vec<&str> = below.iter().map(AsRef::as_ref).collect();
        below.starts_with(&["_work", "lease"]) || below.join("/") == LOCK
    };
    let mut objects =
        store.list(Some(&path)).filter(|object| std::future::ready(!object.as_ref().is_ok_and(is_left))).boxed();
    let object = objects.next().await;
    // Another process may have written its name there after this one looked.
    if matches!(object, Some(Ok(_)))
        && let Some(content) = get(runtime, &record).await.map_err(unreadable)?
    {
        return claimed(&content);
    }
    match object {
        Some(Ok(object)) => Err(EngineError::spec(format!(
            "output: {output} holds files that are not a job's ({}); choose an empty folder",
            object.location
        ))),
        Some(Err(object_store::Error::NotFound { .. })) | None => Ok(()),
        Some(Err(error)) => Err(EngineError::output(format!("{output}: cannot be listed: {error}"))),
    }
}

/// Writes the job's name to the work prefix, if none is there. This is the first write, so an output that is not
/// writable is found at once.
pub(crate) async fn claim(runtime: &RuntimeEnv, work: &Work, name: &str) -> Result<()> {
    let record = JobRecord { job: name.to_owned(), segmenta: env!("CARGO_PKG_VERSION").to_owned() };
    let content = serde_json::to_vec_pretty(&record)
        .map_err(|error| EngineError::job(format!("the job record cannot be written as JSON: {error}")))?;
    put_new(runtime, &work.url("job.json"), content).await.map(drop)
}
