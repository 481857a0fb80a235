//! The segmentation job: its spec, its stages, their checkpoints, and what is published.
//!
//! ```text
//!   spec ──▶ sources ──▶ extract ▶ impute ▶ outliers ▶ scale ▶ kmeans ▶ evaluate ▶ profile ▶ publish
//!                          └─────────┴── each writes its artifact and a manifest under <output>/_work ──┘
//! ```
//!
//! A stage is a file of [`stages`]; [`job`] runs them in order and skips those whose manifest is already there.

pub mod clean;
pub mod compare;
pub mod csv;
pub mod depth;
pub mod drift;
pub mod explain;
pub mod generate;
pub mod job;
pub mod lease;
pub mod load;
pub mod location;
pub mod process;
pub mod publication;
pub mod published;
pub mod quantiles;
pub mod report;
pub mod score;
pub mod source;
pub mod spec;
pub mod stages;
pub mod submission;
pub mod words;
pub mod work;
