//! What needs a cluster, or the `segmenta` binary itself. One test binary, so that it is linked once.
//!
//! | module | what it holds |
//! |---|---|
//! | [`end_to_end`] | the examples through the binary: what is published, resuming, starting over |
//! | [`parity`] | the whole job against scikit-learn, on one shard and on many |
//! | [`invariance`] | the same bytes for any partitioning, threads, sharding, order of rows, and after a resume |
//! | [`density`] | HDBSCAN through the engine: cells, grids, odd data |
//! | [`bad_input`] | one clear error, the right exit code, nothing half-published |
//! | [`generate`] | generated customers and orders: the same bytes, skew, drift, what is refused |
//! | [`clusters`] | embedded and remote are the same |
//! | [`coordinator`] | a coordinator and workers as processes: jobs, refusals, faults |
//! | [`loadtest`] | load tests: rows and workers, many jobs at once, failures, stopping |
//! | [`score`] | a published model labels new rows |
//! | [`report`] | the report in a browser, rules, why a customer is where it is |
//! | [`compare`] | two runs against each other, and segments that keep their numbers |
//! | [`sql`] | the extraction's SQL, on both kinds of cluster, against DuckDB's answers |
//! | [`telemetry`] | spans that reach an OpenTelemetry collector |

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "suite/bad_input.rs"]
mod bad_input;
#[path = "suite/clusters.rs"]
mod clusters;
#[path = "suite/compare.rs"]
mod compare;
#[path = "suite/coordinator.rs"]
mod coordinator;
#[path = "suite/density.rs"]
mod density;
#[path = "suite/end_to_end.rs"]
mod end_to_end;
#[path = "suite/generate.rs"]
mod generate;
#[path = "suite/hierarchy.rs"]
mod hierarchy;
#[path = "suite/invariance.rs"]
mod invariance;
#[path = "suite/kmeans.rs"]
mod kmeans;
#[path = "suite/loadtest.rs"]
mod loadtest;
#[path = "suite/parity.rs"]
mod parity;
#[path = "suite/preparation.rs"]
mod preparation;
#[path = "suite/report.rs"]
mod report;
#[path = "suite/score.rs"]
mod score;
#[path = "suite/sql.rs"]
mod sql;
#[path = "suite/support.rs"]
mod support;
#[path = "suite/telemetry.rs"]
mod telemetry;
