//! The segmentation job: its sources, its stages and their checkpoints, publishing, and scoring with what was
//! published.
//!
//! ```text
//!   spec ──▶ sources ──▶ extract ▶ impute ▶ outliers ▶ scale ▶ kmeans ▶ evaluate ▶ profile ▶ publish
//!                          └─────────┴── each writes its artifact and a manifest under <output>/_work ──┘
//! ```
//!
//! A stage is a file of [`stages`]; [`job`] lists them, and [`driver`] runs them in order and skips those whose manifest is already there.

pub mod clean;
pub mod clustering;
pub mod csv;
pub mod drift;
pub mod driver;
pub mod job;
pub mod lease;
pub mod location;
pub mod observer;
mod owner;
pub mod previous;
pub mod process;
pub mod publication;
pub mod quantiles;
pub mod score;
pub mod source;
pub mod stage;
pub mod stages;
pub mod submission;
pub mod work;
