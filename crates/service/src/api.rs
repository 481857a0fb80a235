//! The job service's protocol, as `proto/segmenta/v1` defines it.

#![allow(missing_docs, reason = "made from the protocol's own comments")]
#![allow(clippy::all, reason = "is not written by hand")]

tonic::include_proto!("segmenta.v1");

/// The protocol's description, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/segmenta.v1.bin"));
