//! Load tests: the customers that are generated, what runs over them took, and the page about it. Clusters are started
//! and jobs are run by the command line, which has the client for it.

pub mod generate;
pub mod measured;
pub mod page;
