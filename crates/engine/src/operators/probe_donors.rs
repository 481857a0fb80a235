//! Finds the neighbours of a few probes, both among all rows and among the donors drawn from them.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use segmenta_algorithms::imputation::{Nearest, ProbeSearch};
use segmenta_algorithms::rows::Rows;
use segmenta_algorithms::sums::Bounds;
use serde::{Deserialize, Serialize};

use super::{PartTask, RowSample, only};
use crate::artifact::{Part, load_points};
use crate::error::Result;

/// Offers the rows of a part, except a few, to the probes. Holds the part: `8 (d + 1)` bytes a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProbeDonors {
    /// Features, in order.
    pub features: Vec<String>,
    /// The probes, row-major, NaN where a cell is to be imputed.
    pub probes: Vec<f64>,
    /// For each of these cells, the distance that [`ProbeSearch::new`] takes.
    pub within: Vec<f64>,
    /// Number of neighbours.
    pub neighbors: usize,
    /// Bounds of each feature over all rows.
    pub bounds: Vec<Bounds>,
    /// The donors.
    pub sample: RowSample,
    /// Rows that may not be donors, ascending: the probes themselves.
    pub except: Vec<u64>,
}

/// What the driver gets back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// The neighbours among all rows.
    pub all: Nearest,
    /// The neighbours among the donors, where these are not all rows.
    pub sample: Option<Nearest>,
}

impl Probed {
    /// Adds what was found in another part.
    pub fn merge(&mut self, other: &Self) {
        self.all.merge(&other.all);
        if let (Some(ours), Some(theirs)) = (&mut self.sample, &other.sample) {
            ours.merge(theirs);
        }
    }
}

#[async_trait]
impl PartTask for ProbeDonors {
    const NAME: &'static str = "probe_donors";
    type Output = Probed;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Probed> {
        let points = load_points(context, only(inputs)?, &self.features).await?;
        let search = || ProbeSearch::new(self.probes.clone(), &self.within, self.neighbors, &self.bounds);
        let mut all = search();
        let mut sample = (!self.sample.is_everything()).then(search);
        for (id, row) in points.ids.iter().zip(points.rows.row_slices()) {
            if self.except.binary_search(id).is_ok() {
                continue;
            }
            all.offer(row);
            if let Some(sample) = sample.as_mut().filter(|_| self.sample.holds(*id)) {
                sample.offer(row);
            }
        }
        Ok(Probed { all: all.finish(), sample: sample.map(ProbeSearch::finish) })
    }
}
