//! What people read of a job, from its results alone: its page, the explanation of a customer, the comparison of two runs.

pub mod compare;
pub mod explain;
pub mod page;
