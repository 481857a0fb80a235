//! The subcommands, one a file.

pub(crate) mod check;
pub(crate) mod generate;
pub(crate) mod run;
