//! The `examiner` program as a user meets it: it is built, started with a suite, and its files are read.

mod arguments;
mod build;
pub(crate) mod files;
pub(crate) mod measure;
pub(crate) mod onnxruntime;
pub(crate) mod process;
pub(crate) mod python;
mod results;
mod run;
pub(crate) mod software_gpu;

pub(crate) use arguments::{DeviceArguments, ProgramArguments};
pub(crate) use build::{build, find};
pub(crate) use results::{Answer, Results, SampleLine};
pub(crate) use run::{SuiteRun, examine, examine_with, run_suite};
