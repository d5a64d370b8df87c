//! The program as plugins reach it, in wire form: [`serve_host`] answers on the program's side, [`RemoteHost`] asks on the
//! plugin's.

use super::{Call, RawSink, decode, encode};
use crate::{Flow, Host, HostApi, Level, PluginError, Progress, Result, RoleAddress};
use serde::{Serialize, de::DeserializeOwned};
use std::path::PathBuf;

/// The names of the calls that can be made on the program.
pub mod host_method {
    /// [`HostApi::log`](crate::HostApi::log).
    pub const LOG: &str = "log";
    /// [`HostApi::progress`](crate::HostApi::progress).
    pub const PROGRESS: &str = "progress";
    /// [`HostApi::is_cancelled`](crate::HostApi::is_cancelled).
    pub const CANCELLED: &str = "cancelled";
    /// [`HostApi::scratch_dir`](crate::HostApi::scratch_dir).
    pub const SCRATCH_DIR: &str = "scratch-dir";
    /// [`HostApi::fetch`](crate::HostApi::fetch).
    pub const FETCH: &str = "fetch";
    /// [`HostApi::call_role`](crate::HostApi::call_role).
    pub const ROLE: &str = "role";
}

/// Answers a call of a plugin's: payload in, result out, streamed results of another role to the sink.
pub fn serve_host(host: &Host, name: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
    let api = host.api();
    match name {
        host_method::LOG => {
            let (level, message): (Level, String) = decode(payload)?;
            api.log(level, &message);
            encode(&())
        }
        host_method::PROGRESS => {
            api.progress(decode::<Progress>(payload)?);
            encode(&())
        }
        host_method::CANCELLED => encode(&api.is_cancelled()),
        host_method::SCRATCH_DIR => encode(&api.scratch_dir()?),
        host_method::FETCH => encode(&api.fetch(&decode::<String>(payload)?)?),
        host_method::ROLE => {
            let (role, method, payload): (RoleAddress, String, Vec<u8>) = decode(payload)?;
            api.call_role(&role, &method, &payload, sink)
        }
        other => Err(PluginError::unsupported(format!("this program's host has no method `{other}`"))
            .with_help("use the version of the program that the plugin was built for")),
    }
}

/// A host that is somewhere else.
pub struct RemoteHost<C> {
    call: C,
}

impl<C: Call> RemoteHost<C> {
    /// The host that `call` reaches.
    pub fn new(call: C) -> Self {
        RemoteHost { call }
    }

    fn get<T: DeserializeOwned>(&self, name: &str, payload: &impl Serialize) -> Result<T> {
        decode(&self.call.call(name, &encode(payload)?, &|_| Flow::Stop)?)
    }
}

impl<C: Call + Sync> HostApi for RemoteHost<C> {
    // A message that cannot be delivered has nowhere to be complained about.
    fn log(&self, level: Level, message: &str) {
        let _ = self.get::<()>(host_method::LOG, &(level, message));
    }

    fn progress(&self, progress: Progress) {
        let _ = self.get::<()>(host_method::PROGRESS, &progress);
    }

    fn is_cancelled(&self) -> bool {
        self.get(host_method::CANCELLED, &()).unwrap_or(false)
    }

    fn scratch_dir(&self) -> Result<PathBuf> {
        self.get(host_method::SCRATCH_DIR, &())
    }

    fn fetch(&self, uri: &str) -> Result<PathBuf> {
        self.get(host_method::FETCH, &uri)
    }

    fn call_role(&self, role: &RoleAddress, method: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
        self.call.call(host_method::ROLE, &encode(&(role, method, payload))?, sink)
    }
}
