//! ONNX for Examiner: exports checkpoints, and runs exported models through ONNX Runtime.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
