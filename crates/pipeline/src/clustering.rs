//! A clustering as a value: what the code that judges, describes and publishes its clusters needs to know about it.

use segmenta_engine::artifact::Part;
use segmenta_engine::operators::Placement;
use segmenta_results::clusterings::Algorithm;
use segmenta_results::segments::Segment;

/// What one way to cluster found in the rows of a job.
pub trait Clustering {
    /// Which way.
    fn algorithm(&self) -> Algorithm;

    /// The least number that a row may have in its column, and how many numbers follow from there. Clusters beyond that
    /// are not described.
    fn numbers(&self) -> (i32, usize);

    /// Its numbers, row for row those of the prepared points, with its other columns; `None` where the assignments
    /// already have them.
    fn labels(&self) -> Option<&[Part]> {
        None
    }

    /// How rows that were no part of the fit get their columns; `None` where the assignments give them.
    fn placement(&self) -> Option<Placement> {
        None
    }

    /// Its columns besides the numbers. They say how a row belongs to its cluster.
    fn columns(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether its segments get names. They do not where clusters may have any size and shape.
    fn has_names(&self) -> bool {
        true
    }

    /// Adds to a segment what only this clustering knows about it.
    fn complete(&self, _segment: &mut Segment) {}

    /// What a user should know.
    fn warning(&self) -> Option<String> {
        None
    }
}
