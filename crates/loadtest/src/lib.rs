//! Load tests: customers that are generated, what runs over them took, and the page about it. What starts clusters and runs jobs is in the
//! command line, which has the client for it.

pub mod generate;
pub mod measured;
pub mod page;
