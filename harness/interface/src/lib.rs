//! The binary interface between Examiner and its plugins.
//!
//! Rust has no stable binary interface, so a fixed and tiny one is laid down with `abi_stable`: a [`Header`] of plain bytes, which
//! is read before anything of a plugin runs, a root module of two functions ([`PluginModule`]), and three objects ([`RawRole`],
//! [`RawHost`], [`RawSink`]) of one method each. Bytes are borrowed on the way in and owned on the way out; `abi_stable`'s
//! containers carry the function that frees them, so that no allocation is freed on the other side.
//!
//! Authors of plugins need none of it: `examiner-api` turns these objects into plain Rust traits.
//!
//! The key decision is that this is a crate of its own. `abi_stable` compares the versions of the crates in which the two sides'
//! types are defined, and a plugin and a program are seldom built with the same `examiner-api`. What is here changes rarely, and
//! its version is that of the interface: [`INTERFACE`].
//!
//! ```
//! use examiner_interface::{Header, INTERFACE, TARGET};
//!
//! // What a plugin exports under `EXAMINER_PLUGIN_HEADER`, as the loader reads it out of the file.
//! let header = Header::new("0.3.1");
//! let fields = Header::read(&header.to_bytes()).unwrap();
//! assert_eq!(fields.api_version, "0.3.1");
//! assert_eq!(fields.interface, Some(INTERFACE));
//! assert_eq!(fields.target, TARGET);
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod header;
mod objects;
mod root;

pub use header::{HEADER_SYMBOL, Header, HeaderFields, INTERFACE, ROOT_SYMBOL, TARGET};
pub use objects::{BoxedRole, RawHost, RawHost_TO, RawResult, RawRole, RawRole_TO, RawSink, RawSink_TO, SharedHost};
pub use root::{PluginModule, PluginModuleRef};

/// What the interface is made of, for those that implement it.
pub use abi_stable;
