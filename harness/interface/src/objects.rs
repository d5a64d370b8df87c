//! The three objects that cross the boundary.
#![allow(
    non_local_definitions,
    missing_docs,
    clippy::undocumented_unsafe_blocks,
    reason = "`sabi_trait` expands to items and unsafe code that cannot be annotated from here"
)]

use abi_stable::{
    RRef, sabi_trait,
    std_types::{RArc, RBox, RResult, RSlice, RStr, RVec},
};

/// Bytes of an answer, or of an error, in wire form.
pub type RawResult = RResult<RVec<u8>, RVec<u8>>;

/// A role of a plugin, as the program sees it.
#[sabi_trait]
pub trait RawRole: Send {
    /// Calls a method of the role: its name, what it is given, and where its results go.
    fn call(&mut self, name: RStr<'_>, payload: RSlice<'_, u8>, sink: RawSink_TO<'_, RRef<'_, ()>>) -> RawResult;
}

/// Where results of one call go.
#[sabi_trait]
pub trait RawSink: Send + Sync {
    /// Takes one result, in wire form. Whether more is wanted.
    fn send(&self, frame: RSlice<'_, u8>) -> bool;
}

/// The program, as a plugin sees it.
#[sabi_trait]
pub trait RawHost: Send + Sync {
    /// Calls a method of the program: its name, what it is given, and where its results go.
    fn call(&self, name: RStr<'_>, payload: RSlice<'_, u8>, sink: RawSink_TO<'_, RRef<'_, ()>>) -> RawResult;
}

/// An owned [`RawRole`].
pub type BoxedRole = RawRole_TO<'static, RBox<()>>;
/// A shared [`RawHost`].
pub type SharedHost = RawHost_TO<'static, RArc<()>>;
