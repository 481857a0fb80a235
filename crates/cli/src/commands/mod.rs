//! The subcommands, one a file.

pub(crate) mod check;
mod embedded;
pub(crate) mod generate;
pub(crate) mod run;
pub(crate) mod score;
