//! The host of roles outside of any stage: diagnostics, plugins that describe themselves, workers without a role.

use examiner_api::wire::RawSink;
use examiner_api::{Flow, Host, HostApi, Level, PluginError, Progress, Result, RoleAddress};
use examiner_hub::Hub;
use std::path::PathBuf;

/// A host that passes warnings on, and has nothing else to give.
pub(crate) fn bare_host() -> Host {
    bare_host_with_log(print_warnings)
}

/// A host that passes warnings on, and downloads.
pub(crate) fn bare_host_with_downloads() -> Result<Host> {
    Ok(Host::new(BareHost { log: print_warnings, hub: Some(Hub::from_env()?) }))
}

fn print_warnings(level: Level, message: &str) {
    if level >= Level::Warn {
        crate::progress::print_to_stderr(message);
    }
}

/// A host with this log, and nothing else to give.
pub(crate) fn bare_host_with_log(log: impl Fn(Level, &str) + Send + Sync + 'static) -> Host {
    Host::new(BareHost { log, hub: None })
}

struct BareHost<L> {
    log: L,
    hub: Option<Hub>,
}

impl<L: Fn(Level, &str) + Send + Sync> HostApi for BareHost<L> {
    fn log(&self, level: Level, message: &str) {
        (self.log)(level, message);
    }

    fn progress(&self, _: Progress) {}

    fn is_cancelled(&self) -> bool {
        false
    }

    fn scratch_dir(&self) -> Result<PathBuf> {
        Ok(std::env::temp_dir())
    }

    fn fetch(&self, uri: &str) -> Result<PathBuf> {
        match &self.hub {
            Some(hub) if Hub::is_address(uri) => hub.fetch(uri, &|_, _, _| Flow::Continue),
            _ => Err(PluginError::unsupported(format!("nothing is fetched outside of a stage, not even `{uri}`"))),
        }
    }

    fn call_role(&self, role: &RoleAddress, _: &str, _: &[u8], _: &RawSink<'_>) -> Result<Vec<u8>> {
        Err(PluginError::unsupported(format!("no other role is called outside of a stage, not even `{}`", role.name)))
    }
}
