//! The segments of an earlier run, whose numbers are kept.

use datafusion::execution::runtime_env::RuntimeEnv;
use segmenta_engine::{EngineError, Result};
use segmenta_results::manifest::read_manifest;
use segmenta_results::model::{KMeansModel, Model};
use segmenta_results::published::{document, read_whole};
use serde::{Deserialize, Serialize};

/// The segments of an earlier run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Previous {
    /// Each segment's number and its centroid, in raw units.
    pub clusters: Vec<PreviousCluster>,
    /// The least number that no segment has had.
    pub next_number: i32,
}

/// A segment of an earlier run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreviousCluster {
    /// Its number.
    pub cluster: i32,
    /// In raw units.
    pub centroid: Vec<f64>,
}

impl Previous {
    /// Reads them from the model that is published under `output`, a URL that ends in `/`.
    ///
    /// # Errors
    /// When there is no model, or it has another format or other features.
    pub async fn read(runtime: &RuntimeEnv, output: &str, features: &[String]) -> Result<Self> {
        let url = format!("{output}model.json");
        let broken = |what: String| EngineError::spec(format!("previous: {url}: {what}"));
        if read_manifest(runtime, output).await.map_err(|error| broken(error.message))?.is_none() {
            let what = "there is no model; name the output of an earlier run, or leave `previous` out of the first one";
            return Err(broken(what.into()));
        }
        let read = async |manifest| document::<Model>(runtime, output, &manifest, "model.json").await;
        let model = read_whole(runtime, output, read).await.map_err(|error| broken(error.message))?;
        if model.features != features {
            return Err(broken(format!(
                "its features are {}, not {}; only segments with the same features can be compared",
                model.features.join(", "),
                features.join(", ")
            )));
        }
        let KMeansModel { clusters, next_number, .. } = model.kmeans;
        let clusters: Vec<PreviousCluster> = { clusters.into_iter() }
            .map(|cluster| PreviousCluster { cluster: cluster.cluster, centroid: cluster.centroid })
            .collect();
        let sound = |cluster: &PreviousCluster| {
            cluster.centroid.len() == features.len() && (0..next_number).contains(&cluster.cluster)
        };
        if !clusters.iter().all(sound) {
            return Err(broken("its parts do not fit together; publish it anew".into()));
        }
        Ok(Self { clusters, next_number })
    }
}
