//! The binary interface between the program and a plugin library, as the crate `examiner-interface` lays it down. Not for
//! authors: [`crate::export_plugin!`] and the loader use it.
//!
//! Every function here catches panics: one that reached an `abi_stable` vtable would end the process.

mod guard;
mod object;
mod root;

pub use abi_stable::library::{AbiHeaderRef, LibHeader, LibraryError};
pub use examiner_interface::{HEADER_SYMBOL, Header, HeaderFields, PluginModuleRef, ROOT_SYMBOL, TARGET};
pub use guard::catch;
pub use root::{LoadedPlugin, MakePlugin, root};

/// The header of a library that is built with this crate.
pub const HEADER: Header = Header::new(crate::API_VERSION);
