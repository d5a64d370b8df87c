//! Support for the tests of the scorers.

use examiner_api::{Flow, Host, HostApi, Level, Open, PluginError, Progress, Result, RoleAddress};
use examiner_test_support::{rows, shared};
use serde_json::Value;
use std::path::PathBuf;

struct NoHost;

impl HostApi for NoHost {
    fn log(&self, _: Level, _: &str) {}
    fn progress(&self, _: Progress) {}
    fn is_cancelled(&self) -> bool {
        false
    }
    fn scratch_dir(&self) -> Result<PathBuf> {
        Err(PluginError::unsupported("scorers need no scratch directory"))
    }
    fn fetch(&self, uri: &str) -> Result<PathBuf> {
        Ok(PathBuf::from(uri))
    }
    fn call_role(&self, _: &RoleAddress, _: &str, _: &[u8], _: &(dyn Fn(&[u8]) -> Flow + Sync)) -> Result<Vec<u8>> {
        Err(PluginError::unsupported("scorers call no other role"))
    }
}

/// Opens a role with options as they come from a suite.
pub(super) fn open<R: Open>(options: Value) -> Result<R> {
    let options = serde_json::from_value(options)
        .map_err(|error| PluginError::bad_options("the options do not fit").with_cause(&error))?;
    R::open(options, Host::new(NoHost))
}

/// The rows of a file of the reference data.
pub(super) fn shared_lines(file: &str) -> Vec<Value> {
    rows(&shared().join(file))
}
