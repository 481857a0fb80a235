//! What a job publishes: one set of types that is written, and read again by the report, by `explain`, by `compare` and by scoring.
//!
//! ```text
//!   manifest.json ──▶ assignments/, rejected/, model/   tables of parts
//!                 ──▶ model.json, metrics.json          model, metrics
//!                 ──▶ segments.parquet, segments.sql    segments
//!                 ──▶ quality.parquet, sample.parquet   published: as columns
//! ```

pub mod clusterings;
pub mod cost;
pub mod drift;
pub mod manifest;
pub mod metrics;
pub mod model;
pub mod published;
pub mod segments;
pub mod words;
