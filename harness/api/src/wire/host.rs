//! The program as plugins reach it, in wire form: [`serve_host`] answers on the program's side, [`RemoteHost`] asks on the
//! plugin's.

use super::remote::{ask, stream};
use super::serve::Encoding;
use super::{Call, RawSink, decode, encode};
use crate::{
    AskAll, AskReport, GenerateResult, HostApi, Level, PluginError, Progress, RecipeReport, Response, Result,
    RoleAddress, RowsContent, RowsFile, Sink,
};
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
    /// [`HostApi::fetch_repository`](crate::HostApi::fetch_repository).
    pub const FETCH_REPOSITORY: &str = "fetch-repository";
    /// [`HostApi::flush`](crate::HostApi::flush).
    pub const FLUSH: &str = "flush";
    /// [`HostApi::ask_all`](crate::HostApi::ask_all).
    pub const ASK_ALL: &str = "ask-all";
    /// [`HostApi::find_rows`](crate::HostApi::find_rows).
    pub const FIND_ROWS: &str = "find-rows";
    /// [`HostApi::write_rows`](crate::HostApi::write_rows).
    pub const WRITE_ROWS: &str = "write-rows";
    /// [`HostApi::call_role`](crate::HostApi::call_role).
    pub const ROLE: &str = "role";
}

/// Answers a call of a plugin's: payload in, result out, streamed results of another role to the sink.
pub fn serve_host(api: &dyn HostApi, name: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
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
        host_method::FETCH_REPOSITORY => {
            let (uri, patterns): (String, Vec<String>) = decode(payload)?;
            encode(&api.fetch_repository(&uri, &patterns)?)
        }
        host_method::FLUSH => encode(&api.flush()?),
        host_method::ASK_ALL => {
            let sink = Encoding::new(sink);
            let report = api.ask_all(decode(payload)?, &sink)?;
            sink.end(encode(&report)?)
        }
        host_method::FIND_ROWS => encode(&api.find_rows(&decode(payload)?)?),
        host_method::WRITE_ROWS => {
            let (file, content): (RowsFile, RowsContent) = decode(payload)?;
            encode(&api.write_rows(&file, content)?)
        }
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
        ask(&self.call, name, payload)
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

    fn fetch_repository(&self, uri: &str, patterns: &[String]) -> Result<PathBuf> {
        self.get(host_method::FETCH_REPOSITORY, &(uri, patterns))
    }

    fn flush(&self) -> Result<()> {
        self.get(host_method::FLUSH, &())
    }

    fn ask_all(&self, ask: AskAll, sink: &dyn Sink<Response<GenerateResult>>) -> Result<AskReport> {
        stream(&self.call, host_method::ASK_ALL, &ask, sink)
    }

    fn find_rows(&self, file: &RowsFile) -> Result<Option<RecipeReport>> {
        self.get(host_method::FIND_ROWS, file)
    }

    fn write_rows(&self, file: &RowsFile, content: RowsContent) -> Result<RecipeReport> {
        self.get(host_method::WRITE_ROWS, &(file, content))
    }

    fn call_role(&self, role: &RoleAddress, method: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
        self.call.call(host_method::ROLE, &encode(&(role, method, payload))?, sink)
    }
}
