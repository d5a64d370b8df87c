//! Tests of the plugin through its public roles, in this order:
//!
//! - `exporting`: what an export consists of; `exporting::refused`: what is said of a checkpoint that cannot be exported.
//! - `running`: exports through ONNX Runtime, in batches of any shape; `running::families`: every family; `running::gguf`: from GGUF files; `running::graphs`:
//!   graphs of other exporters; `running::rounded`: weights in 4 bits; `running::refused`: what is said of models that cannot
//!   be run.
//! - `webgpu`: the program on a software GPU; `webgpu::killed`: runs that are interrupted there; `webgpu::refused`: devices and
//!   libraries that cannot be used.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should fail")]

mod exporting;
mod running;
mod webgpu;

// The messages of the format, to read what was written.
#[allow(dead_code, reason = "a test reads some of the fields")]
#[path = "../../src/proto.rs"]
mod proto;
