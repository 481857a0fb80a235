//! What people read about a job, made from its results alone: its page, the explanation of a customer, and the
//! comparison of two runs.

pub mod compare;
pub mod explain;
pub mod page;
