//! The part of Python that functions of tasks are written in, run without Python.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
