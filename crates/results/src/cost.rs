//! What the stages of a job took.

use serde::{Deserialize, Serialize};

/// How a stage went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StageReport {
    /// Its name.
    pub stage: String,
    /// True when an earlier run had completed it; its cost is that run's.
    pub resumed: bool,
    /// What it took.
    #[serde(flatten)]
    pub cost: StageCost,
}

/// What a stage took.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StageCost {
    /// Rows that went in.
    pub rows: u64,
    /// Passes over the rows.
    pub passes: u64,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Largest resident memory of this process meanwhile, in bytes, where the platform tells.
    pub peak_memory_bytes: Option<u64>,
    /// Bytes that it wrote into its folder.
    #[serde(default)]
    pub bytes_written: u64,
    /// Its steps, where their costs are of several kinds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepCost>,
}

/// What a step of a stage took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepCost {
    /// What it does.
    pub step: String,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// As in [`StageCost`].
    pub peak_memory_bytes: Option<u64>,
}
