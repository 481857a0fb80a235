//! The tasks of hierarchical clustering: see [`segmenta_algorithms::hierarchy`] for the method.

mod collect_distinct;
mod label_by_seeds;
mod reduce_rows;

pub use collect_distinct::{CollectDistinct, DistinctPoints};
pub use label_by_seeds::{HIERARCHY_COLUMN, LabelBySeeds};
pub use reduce_rows::ReduceRows;
