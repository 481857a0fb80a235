//! How far off imputed cells are. Known cells of some rows are masked and imputed, and the results are compared with
//! the true values.

use segmenta_algorithms::imputation::{Donors, ImputationErrors, KnnImputer, Nearest, masked_copies};
use segmenta_engine::Result;
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::{DonorSearch, ProbeDonors, Probed, RowSample, Sampled};
use segmenta_results::metrics::FeatureError;
use serde::{Deserialize, Serialize};

use super::DONOR_SEED;
use crate::stage::StageContext;
use crate::stages::{Draw, MeanAndVariance, draw, rows_of, singly};

/// Approximate number of cells that are masked, the least number, and the comparisons of rows with cells that it is
/// limited by. With many columns, a row is compared with most of the cells.
const CELLS: u64 = 3_000;
const LEAST_CELLS: u64 = 300;
const MEETINGS: u64 = 1_000_000_000;
/// Up to this many columns, a row is compared with few of the cells.
const FEW_COLUMNS: usize = 4;

/// Donors that give an upper bound, before the pass, on how far the neighbours of a cell are.
const SCOUTS: usize = 20_000;

/// How far off nearest neighbours are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImputationError {
    /// Rows whose cells were masked.
    pub probes: u64,
    /// One entry for each feature.
    pub features: Vec<FeatureError>,
}

/// Estimates the error of neighbours among `sample`, and among all rows of `parts`; `None` where there is nothing to mask.
pub(super) async fn estimate(
    context: &StageContext<'_>,
    search: &DonorSearch,
    sample: RowSample,
    features: &[String],
    parts: &[Part],
    moments: &[MeanAndVariance],
) -> Result<Option<ImputationError>> {
    let (d, rows) = (features.len(), rows_of(parts));
    let cells = if d <= FEW_COLUMNS { CELLS } else { (MEETINGS / rows.max(1)).clamp(LEAST_CELLS, CELLS) };
    let rows_to_mask = (cells as usize).div_ceil(d);
    // The first rows in the order in which donors are drawn: all of them are donors, or all donors are among them.
    let wanted = Draw { parts, columns: features, seed: DONOR_SEED, rows: rows_to_mask + SCOUTS, keep: true };
    let mut probes = draw(context, &wanted).await?;
    let mut scouts = probes.split_off(rows_to_mask.min(probes.len() / 2));
    // A row with a masked cell needs another value that neighbours can be found by.
    probes.retain(|probe| probe.point.iter().filter(|cell| !cell.is_nan()).count() > 1);
    if probes.is_empty() || d == 1 {
        return Ok(None);
    }
    let mut except: Vec<u64> = probes.iter().map(|probe| probe.id).collect();
    except.sort_unstable();
    let known: Vec<f64> = probes.iter().flat_map(|probe| probe.point.clone()).collect();
    let masked = masked_copies(&known, d);
    scouts.retain(|scout| sample.holds(scout.id));
    let within = within(search, d, &scouts, &known, &masked);
    let task = ProbeDonors {
        features: features.to_vec(),
        probes: masked.clone(),
        within,
        neighbors: search.neighbors,
        bounds: search.bounds.clone(),
        sample,
        except,
    };
    let found = context.merge_parts(task, &singly(parts), |total: &mut Probed, part| total.merge(&part)).await?;
    let means: Vec<f64> = moments.iter().map(|moments| moments.mean).collect();
    let errors = |nearest: &Nearest| -> Vec<(u64, Option<f64>)> {
        let mut filled = masked.clone();
        nearest.fill(&mut filled, &means, search.weights, &search.bounds);
        let mut errors = ImputationErrors::new(&search.bounds);
        errors.compare(&known, &filled);
        let in_deviations = |((cells, squares), moments): ((u64, f64), &MeanAndVariance)| {
            let varies = cells > 0 && moments.variance > 0.0;
            (cells, varies.then(|| (squares / cells as f64 / moments.variance).sqrt()))
        };
        errors.sums().into_iter().zip(moments).map(in_deviations).collect()
    };
    let of_all = errors(&found.all);
    let of_sample = found.sample.as_ref().map(errors);
    let features = of_all.into_iter().enumerate().map(|(j, (cells, all_rows))| FeatureError {
        cells,
        all_rows,
        sample: of_sample.as_ref().and_then(|errors| errors[j].1),
    });
    Ok(Some(ImputationError { probes: probes.len() as u64, features: features.collect() }))
}

/// An upper bound on how far the neighbours of each missing cell of `masked` are, found from some donors. Cells that
/// were missing before are ignored.
fn within(search: &DonorSearch, features: usize, scouts: &[Sampled], known: &[f64], masked: &[f64]) -> Vec<f64> {
    let mut donors = Donors::new(features);
    scouts.iter().for_each(|scout| donors.extend(&scout.point));
    let imputer = KnnImputer::new(donors, search.neighbors, search.weights, &search.bounds, 1);
    let mut within = imputer.nearest(masked).reach();
    let mut cells = within.iter_mut();
    let mut copies = masked.chunks_exact(features);
    for row in known.chunks_exact(features) {
        let known_cells = row.iter().filter(|cell| !cell.is_nan()).count();
        for copy in copies.by_ref().take(known_cells) {
            for (_, was) in copy.iter().zip(row).filter(|(cell, _)| cell.is_nan()) {
                if let Some(cell) = cells.next().filter(|_| was.is_nan()) {
                    *cell = -1.0;
                }
            }
        }
    }
    within
}
