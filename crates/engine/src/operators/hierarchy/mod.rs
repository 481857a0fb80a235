//! The tasks of hierarchical clustering: see [`segmenta_algorithms::hierarchy`] for the method.

mod collect_distinct;
mod labelled_points;
mod reduce_rows;

pub use collect_distinct::{CollectDistinct, DistinctPoints};
pub use labelled_points::{HIERARCHY_COLUMN, LabelledCell, write_hierarchy_labels, write_labelled_cell};
pub use reduce_rows::ReduceRows;
