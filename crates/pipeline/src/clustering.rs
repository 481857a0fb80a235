//! A clustering as a value: what those need of it that judge, describe and publish its clusters.

use segmenta_engine::artifact::Part;
use segmenta_results::clusterings::Algorithm;
use segmenta_results::segments::Segment;

/// What one way to cluster found in the rows of a job.
pub trait Clustering {
    /// Which way.
    fn algorithm(&self) -> Algorithm;

    /// The least number that a row may have in its column, and how many numbers there are from there on. Clusters beyond are not
    /// described.
    fn numbers(&self) -> (i32, usize);

    /// Its numbers, row for row those of the prepared points, with its other columns; `None` where the assignments have them by
    /// themselves.
    fn labels(&self) -> Option<&[Part]> {
        None
    }

    /// Its columns besides that of the numbers, which say how a row belongs to its cluster.
    fn columns(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether its segments get names: not where they are of any size and shape.
    fn has_names(&self) -> bool {
        true
    }

    /// Adds to a segment what it alone knows of it.
    fn complete(&self, _segment: &mut Segment) {}

    /// What a user should know.
    fn warning(&self) -> Option<String> {
        None
    }
}
