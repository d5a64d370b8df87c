//! Turns the three objects that cross the boundary into this crate's types, on either side.

use super::catch;
use crate::wire::{self, Call};
use crate::{Flow, OpenRole, PluginError, Result};
use abi_stable::{
    RRef,
    std_types::{RArc, RErr, ROk, RSlice, RStr},
    type_level::downcasting::TD_Opaque,
};
use examiner_interface::{
    BoxedRole, RawHost, RawHost_TO, RawResult, RawRole, RawRole_TO, RawSink, RawSink_TO, SharedHost,
};
use parking_lot::Mutex;

/// A result on its way out.
pub(super) fn into_raw(result: Result<Vec<u8>>) -> RawResult {
    match result {
        Ok(bytes) => ROk(bytes.into()),
        // An error that cannot even be encoded still has to say something: text is valid MessagePack after a marker,
        // but nothing here can fail short of running out of memory.
        Err(error) => RErr(wire::encode(&error).unwrap_or_default().into()),
    }
}

/// A result on its way in.
pub(super) fn from_raw(result: RawResult) -> Result<Vec<u8>> {
    match result {
        ROk(bytes) => Ok(bytes.into()),
        RErr(bytes) => Err(wire::decode(&bytes).unwrap_or_else(|error| error)),
    }
}

/// Serves an open role, on the plugin's side.
pub(super) fn boxed_role(role: OpenRole) -> BoxedRole {
    RawRole_TO::from_value(Served(Some(role)), TD_Opaque)
}

/// A role until it is dropped.
struct Served(Option<OpenRole>);

impl Drop for Served {
    /// What a role does when it ends may panic, too. There is nobody to return an error to.
    fn drop(&mut self) {
        let role = self.0.take();
        let end = || {
            drop(role);
            Ok(())
        };
        if let Err(error) = catch("ending", end) {
            eprintln!("{error}");
        }
    }
}

impl RawRole for Served {
    fn call(&mut self, name: RStr<'_>, payload: RSlice<'_, u8>, sink: RawSink_TO<'_, RRef<'_, ()>>) -> RawResult {
        into_raw(catch(&format!("answering `{name}`"), || {
            let role = self.0.as_mut().ok_or_else(|| PluginError::unsupported("the role has ended"))?;
            wire::serve(role, name.as_str(), payload.as_slice(), &|frame| flow(sink.send(frame.into())))
        }))
    }
}

/// Calls a served role, on the program's side.
pub(super) struct RoleCall(pub(super) Mutex<BoxedRole>);

impl Call for RoleCall {
    fn call(&self, name: &str, payload: &[u8], sink: &wire::RawSink<'_>) -> Result<Vec<u8>> {
        with_sink(sink, |raw| {
            let mut role = self.0.lock();
            role.call(name.into(), payload.into(), raw)
        })
    }
}

/// Hands a sink across the boundary for the length of one call.
fn with_sink(
    sink: &wire::RawSink<'_>,
    call: impl FnOnce(RawSink_TO<'_, RRef<'_, ()>>) -> RawResult,
) -> Result<Vec<u8>> {
    let guarded = GuardedSink { sink, failure: Mutex::new(None) };
    let result = from_raw(call(RawSink_TO::from_ptr(&guarded, TD_Opaque)));
    match guarded.failure.into_inner() {
        Some(error) => Err(error),
        None => result,
    }
}

/// A sink whose panics stay on its own side.
struct GuardedSink<'a> {
    sink: &'a wire::RawSink<'a>,
    failure: Mutex<Option<PluginError>>,
}

// SAFETY: a `RawSink` is `Sync`, and a reference to what is `Sync` may be sent.
unsafe impl Send for GuardedSink<'_> {}

impl RawSink for GuardedSink<'_> {
    fn send(&self, frame: RSlice<'_, u8>) -> bool {
        let sent = catch("taking a result", || Ok((self.sink)(frame.as_slice())));
        match sent {
            Ok(flow) => flow == Flow::Continue,
            Err(error) => {
                *self.failure.lock() = Some(error);
                false
            }
        }
    }
}

fn flow(go_on: bool) -> Flow {
    if go_on { Flow::Continue } else { Flow::Stop }
}

/// Serves the program to a plugin.
pub(super) fn shared_host(host: crate::Host) -> SharedHost {
    RawHost_TO::from_ptr(RArc::new(HostServer(host)), TD_Opaque)
}

struct HostServer(crate::Host);

impl RawHost for HostServer {
    fn call(&self, name: RStr<'_>, payload: RSlice<'_, u8>, sink: RawSink_TO<'_, RRef<'_, ()>>) -> RawResult {
        into_raw(catch(&format!("answering `{name}` of the host"), || {
            self.0.serve(name.as_str(), payload.as_slice(), &|frame| flow(sink.send(frame.into())))
        }))
    }
}

/// Calls the program, on the plugin's side.
pub(super) struct HostCall(pub(super) SharedHost);

impl Call for HostCall {
    fn call(&self, name: &str, payload: &[u8], sink: &wire::RawSink<'_>) -> Result<Vec<u8>> {
        with_sink(sink, |raw| self.0.call(name.into(), payload.into(), raw))
    }
}
