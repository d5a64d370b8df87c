//! The host of roles outside of any stage: diagnostics, plugins that describe themselves, workers without a role.

use examiner_api::wire::RawSink;
use examiner_api::{Host, HostApi, Level, PluginError, Progress, Result, RoleAddress};
use std::path::PathBuf;

/// A host that passes warnings on, and has nothing else to give.
pub(crate) fn bare_host() -> Host {
    bare_host_with_log(|level, message| {
        if level >= Level::Warn {
            crate::progress::print_to_stderr(message);
        }
    })
}

/// A host with this log, and nothing else to give.
pub(crate) fn bare_host_with_log(log: impl Fn(Level, &str) + Send + Sync + 'static) -> Host {
    Host::new(BareHost(log))
}

struct BareHost<L>(L);

impl<L: Fn(Level, &str) + Send + Sync> HostApi for BareHost<L> {
    fn log(&self, level: Level, message: &str) {
        (self.0)(level, message);
    }

    fn progress(&self, _: Progress) {}

    fn is_cancelled(&self) -> bool {
        false
    }

    fn scratch_dir(&self) -> Result<PathBuf> {
        Ok(std::env::temp_dir())
    }

    fn fetch(&self, uri: &str) -> Result<PathBuf> {
        Err(PluginError::unsupported(format!("nothing is fetched outside of a stage, not even `{uri}`")))
    }

    fn call_role(&self, role: &RoleAddress, _: &str, _: &[u8], _: &RawSink<'_>) -> Result<Vec<u8>> {
        Err(PluginError::unsupported(format!("no other role is called outside of a stage, not even `{}`", role.name)))
    }
}
