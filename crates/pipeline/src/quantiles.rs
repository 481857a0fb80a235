//! Drives the search for quantiles: passes over the data until every one is found.

use segmenta_algorithms::quantiles::{BracketCounts, QuantileSearch};
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::{BracketTarget, CountBrackets, Deviation, Group};
use segmenta_engine::{EngineError, Result};

use crate::stage::StageContext;

/// A pass narrows a bracket 1,024-fold, so 64 bits take at most seven passes; one more fetches the values.
const MAX_PASSES: usize = 9;

/// A pass counts at most this many brackets, in a limited number of lists of parts. The driver then receives at most
/// 2^16 counts of up to 1,024 bins each.
const BRACKETS_A_PASS: usize = 1_024;
const LISTS_OF_PARTS: usize = 64;

/// One quantile to find.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Index of the column.
    pub column: usize,
    /// Only the rows of this group.
    pub group: Group,
    /// If given, the quantile is that of these deviations instead of the values.
    pub deviation: Option<Deviation>,
    /// Where the search starts from; `None` for a quantile of no values.
    pub search: Option<QuantileSearch>,
}

/// The columns that quantiles are searched in.
#[derive(Debug, Clone)]
pub struct Columns<'a> {
    /// The parts that hold them.
    pub parts: &'a [Part],
    /// Their names.
    pub names: &'a [String],
    /// The column with the group of a row.
    pub group: Option<&'a str>,
}

/// Completes the searches for the wanted quantiles, which are exact. `None` for a quantile of no values.
///
/// # Errors
/// Those of the passes.
pub async fn find(
    context: &StageContext<'_>,
    columns: &Columns<'_>,
    mut wanted: Vec<Wanted>,
) -> Result<Vec<Option<QuantileSearch>>> {
    let length = columns.parts.len().div_ceil(LISTS_OF_PARTS).max(1);
    let inputs: Vec<Vec<Part>> = columns.parts.chunks(length).map(<[Part]>::to_vec).collect();
    for _ in 0..MAX_PASSES {
        let mut targets: Vec<BracketTarget> = Vec::new();
        for wanted in &wanted {
            for bracket in wanted.search.iter().flat_map(QuantileSearch::brackets) {
                let target =
                    BracketTarget { column: wanted.column, group: wanted.group, deviation: wanted.deviation, bracket };
                if !targets.contains(&target) {
                    targets.push(target);
                }
            }
        }
        if targets.is_empty() {
            return Ok(wanted.into_iter().map(|wanted| wanted.search).collect());
        }
        for targets in targets.chunks(BRACKETS_A_PASS) {
            let task = CountBrackets {
                columns: columns.names.to_vec(),
                group: columns.group.map(str::to_owned),
                targets: targets.to_vec(),
            };
            let lists: Vec<Vec<BracketCounts>> = context.map_parts(task, &inputs).await?;
            for (i, target) in targets.iter().enumerate() {
                let counts: Vec<BracketCounts> = lists.iter().map(|list| list[i].clone()).collect();
                for wanted in &mut wanted {
                    let same = (wanted.column, wanted.group, wanted.deviation)
                        == (target.column, target.group, target.deviation);
                    if let (Some(search), true) = (&mut wanted.search, same) {
                        search.narrow(&target.bracket, &counts);
                    }
                }
            }
        }
    }
    Err(EngineError::job(format!("quantiles were not found in {MAX_PASSES} passes: the data changed between passes")))
}
