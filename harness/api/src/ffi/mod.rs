//! The binary interface between the program and a plugin library. Not for authors: [`crate::export_plugin!`] and the
//! loader use it.
//!
//! It is as small as can be, so that it never has to change: a header of plain bytes, a root module of two functions,
//! and three objects ([`RawRole`], [`RawHost`], [`RawSink`]) of one method each. Bytes are borrowed on the way in and
//! owned on the way out; `abi_stable`'s containers carry the function that frees them, so that no allocation is freed on
//! the other side. Every function here catches panics: one that reached an `abi_stable` vtable would end the process.

mod guard;
mod header;
mod object;
mod root;

pub use abi_stable::library::{AbiHeaderRef, LibHeader, LibraryError};
pub use guard::catch;
pub use header::{HEADER_SYMBOL, Header, HeaderFields, ROOT_SYMBOL};
pub use object::{BoxedRole, RawHost, RawResult, RawRole, RawSink, SharedHost};
pub use root::{LoadedPlugin, MakePlugin, PluginModule, PluginModuleRef, root};
