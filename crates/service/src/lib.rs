//! Segmenta's processes: the coordinator with its job service, the worker, and what they share: configuration, probes,
//! metrics, log.

pub mod api;
pub mod client;
pub mod config;
pub mod coordinator;
pub mod log;
pub mod metrics;
pub mod probes;
pub mod shutdown;
pub mod worker;
