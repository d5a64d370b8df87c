//! Roles that are played by any program which speaks JSON lines on stdin and stdout.
//!
//! The key decision is that the lines hold what `examiner-api` defines: a request, a result or an error is the JSON form of the
//! type that Rust plugins use, so that the protocol says nothing twice and grows with the interface. `protocol` is the envelope
//! around them, `docs/plugins/process.md` describes both.
//!
//! `process` starts a `program`, `output` reads its lines and `watch` ends one that is silent; `connection` makes calls on it, and
//! `callbacks` answers its own. `handshake` opens a role, of which `identity` makes the fingerprint; `roles` has a file for each
//! kind. A program that ends, hangs or breaks the protocol is the error `Crashed` of the call: the engine then starts another worker,
//! and with it another program, and finds the request that did it.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod callbacks;
mod command;
mod connection;
mod handshake;
mod identity;
mod input;
mod options;
mod output;
mod process;
mod program;
mod protocol;
mod roles;
mod silence;
mod start;
mod stderr;
mod watch;

use examiner_api::Plugin;

pub use options::{FilePath, Options, Word};
pub use roles::{ProcessDataset, ProcessModel, ProcessRecipe, ProcessScorer, ProcessTrainer};

examiner_api::export_plugin!(plugin);

/// The roles of this plugin.
pub fn plugin() -> Plugin {
    Plugin::new("process", env!("CARGO_PKG_VERSION"))
        .model::<ProcessModel>("process", "A model that is a program of yours, in any language.")
        .dataset::<ProcessDataset>("process", "A dataset that is a program of yours, in any language.")
        .scorer::<ProcessScorer>("process", "A scorer that is a program of yours, in any language.")
        .trainer::<ProcessTrainer>("process", "A trainer that is a program of yours, in any language.")
        .recipe::<ProcessRecipe>("process", "A recipe that is a program of yours, in any language.")
}
