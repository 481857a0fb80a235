//! From rows to cells of weighted points: the side of the grid, and the shuffle.

use segmenta_algorithms::hdbscan::resolution::{STANDARD_ERROR, ladder};
use segmenta_algorithms::hdbscan::space_partition::SpacePartition;
use segmenta_algorithms::rows::matrix;
use segmenta_engine::operators::hdbscan::{CellPoints, CountPoints, Gather, Gathered, Scatter, shuffle_plan};
use segmenta_engine::operators::{RowSample, Sample, Sampled};
use segmenta_engine::{EngineError, Result};

use super::super::scale::Scaled;
use super::super::{rows_of, singly};
use crate::stage::StageContext;
use segmenta_spec::{Hdbscan, Resolution};

const MAX_CELLS: u64 = 4_096;
/// Sampled rows for each cell; the cuts between cells come from them.
const SAMPLE_ROWS_A_CELL: u64 = 64;
const SAMPLE_SEED: u64 = 0x6365_6c6c;

/// The side of the grid: as the spec says, or the least that fits the budget.
pub(in crate::stages) async fn resolution(
    context: &StageContext<'_>,
    settings: &Hdbscan,
    features: &[String],
    scaled: &Scaled,
    rows: u64,
) -> Result<f64> {
    let budget = match settings.resolution {
        Resolution::Side(side) => return Ok(side),
        Resolution::Auto { budget } if rows <= budget => return Ok(0.0),
        Resolution::Auto { budget } => budget,
    };
    let resolutions = ladder(&scaled.bounds, budget);
    let task = CountPoints { features: features.to_vec(), resolutions: resolutions.clone() };
    let counters = context
        .merge_parts(task, &singly(&scaled.parts), |total, part| {
            total.iter_mut().zip(&part).for_each(|(total, counter)| total.merge(counter));
        })
        .await?;
    // A margin of four standard errors.
    let fits = |count: f64| count * (1.0 + 4.0 * STANDARD_ERROR) <= budget as f64;
    let found = resolutions.iter().zip(&counters).find(|(_, counter)| fits(counter.estimate()));
    found.map(|(resolution, _)| *resolution).ok_or_else(|| {
        EngineError::spec(format!(
            "hdbscan.budget: even the widest grid has more than {budget} cells with rows in {} features; raise the budget, \
             or use fewer features",
            features.len()
        ))
    })
}

/// Brings the rows to the cells of space.
pub(in crate::stages) async fn cells(
    context: &StageContext<'_>,
    settings: &Hdbscan,
    features: &[String],
    scaled: &Scaled,
    resolution: f64,
) -> Result<Vec<CellPoints>> {
    let rows = rows_of(&scaled.parts);
    let count = rows.div_ceil(settings.cell_rows).clamp(1, MAX_CELLS);
    let sample = if count == 1 {
        matrix(vec![], features.len())
    } else {
        let wanted = count * SAMPLE_ROWS_A_CELL;
        let threshold = RowSample::of(SAMPLE_SEED, wanted, rows).threshold;
        let task =
            Sample { columns: features.to_vec(), seed: SAMPLE_SEED, rows: 2 * wanted as usize, threshold, keep: false };
        let mut drawn: Vec<Sampled> =
            context.map_parts(task, &singly(&scaled.parts)).await?.into_iter().flatten().collect();
        drawn.sort_by_key(|sampled| (sampled.hash, sampled.id));
        matrix(drawn.into_iter().flat_map(|sampled| sampled.point).collect(), features.len())
    };
    let partition = SpacePartition::new(&sample, count as u32);
    let scatter =
        Scatter::ToCells { features: features.to_vec(), partition, resolution, is_weighted: scaled.is_weighted };
    let gather = Gather::Cells { prefix: context.prefix.clone(), features: features.to_vec(), resolution };
    let plan = shuffle_plan(scatter, &singly(&scaled.parts), gather, count as u32)?;
    let gathered: Vec<Gathered> = context.cluster.collect_results(plan).await?;
    context.count_pass();
    let cells = gathered.into_iter().map(|gathered| match gathered {
        Gathered::Cell(cell) => Ok(cell),
        Gathered::Rows(part) => Err(EngineError::job(format!("{}: rows where a cell was expected", part.url))),
    });
    cells.collect()
}
