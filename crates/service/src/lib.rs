//! What every Segmenta process needs around its work, whatever its role: its [log], and [stopping](shutdown) when it is
//! asked to.

pub mod log;
pub mod shutdown;
