//! Arguments that several commands share.

use clap::ValueHint;
use std::path::PathBuf;

/// The program to work with.
#[derive(Debug, clap::Args)]
pub(crate) struct ProgramArguments {
    /// Use this `examiner`, with its plugins beside it, instead of building one.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) program: Option<PathBuf>,
}

/// Where models run that are compared or measured.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DeviceArguments {
    /// The `device` of models that can run on several.
    #[arg(long, default_value = "cpu")]
    pub(crate) device: String,
    /// A build of the plugin `candle` for that device.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    candle: Option<PathBuf>,
}

impl DeviceArguments {
    pub(crate) fn is_cpu(&self) -> bool {
        self.device == "cpu"
    }

    /// The section `plugins` of a suite.
    pub(crate) fn plugins(&self) -> serde_json::Value {
        match &self.candle {
            // Suites run in directories of their own, where a relative path would not be found.
            Some(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                serde_json::json!({ "candle": { "path": path } })
            }
            None => serde_json::json!({}),
        }
    }
}
