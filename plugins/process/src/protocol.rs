//! The envelope of the lines between Examiner and a program. What is in it are types of `examiner-api`.

use examiner_api::{Level, Metadata, PluginError, RoleKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;

/// The version of the protocol. It changes when a program that speaks an older one would be misunderstood.
pub(crate) const PROTOCOL: u64 = 1;

/// The longest line of a program, in bytes.
pub(crate) const LINE_MAX: usize = 64 << 20;

/// The environment variable by which a program knows that it talks to Examiner.
pub(crate) const VARIABLE: &str = "EXAMINER_PROTOCOL";

/// A line that a program gets.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum Outgoing<'a, T: ?Sized> {
    /// The first line.
    Hello {
        protocol: u64,
        /// The version of this plugin, which is that of Examiner.
        version: &'a str,
        role: RoleKind,
        options: &'a Metadata,
        /// Where the option `files` leads, as absolute paths.
        files: &'a [PathBuf],
    },
    /// A method of the role is to be carried out.
    Call { call: u64, method: &'a str, payload: &'a T },
    /// No more items of the call are wanted: it is to return soon.
    Stop { call: u64 },
    /// The user wants to stop.
    Cancel,
    /// A result that is streamed during a call of the program's.
    Item { call: u64, value: &'a T },
    /// The end of a call of the program's.
    Return {
        call: u64,
        #[serde(flatten)]
        outcome: Outcome<'a, T>,
    },
}

/// How a call ended.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome<'a, T: ?Sized> {
    Value(&'a T),
    Error(&'a PluginError),
}

/// What kind of line a program has sent. The rest of the line is read by those who know its type.
#[derive(Deserialize)]
pub(crate) struct Head {
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    /// The call that an item or a return belongs to, or that the program makes.
    #[serde(default)]
    pub(crate) call: u64,
    /// What the program calls.
    #[serde(default)]
    pub(crate) method: String,
    /// Why a call failed.
    #[serde(default)]
    pub(crate) error: Option<PluginError>,
}

/// The kinds of line that a program sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The answer to the first line: [`Hello`].
    Hello,
    /// A result that is streamed during a call.
    Item,
    /// The end of a call.
    Return,
    /// The program asks for something of [`examiner_api::Host`].
    Call,
    /// [`Log`].
    Log,
    /// [`examiner_api::Progress`].
    Progress,
    /// The program is alive.
    Heartbeat,
}

/// A message for the log of the role's stage.
#[derive(Deserialize)]
pub(crate) struct Log {
    pub(crate) level: Level,
    pub(crate) message: String,
}

/// The content of an item or of a return.
#[derive(Deserialize)]
pub(crate) struct WithValue<T> {
    pub(crate) value: T,
}

/// The content of a call.
#[derive(Deserialize)]
pub(crate) struct WithPayload<T> {
    pub(crate) payload: T,
}

/// The answer to the first line.
#[derive(Deserialize)]
pub(crate) struct Hello {
    pub(crate) protocol: u64,
    /// The roles that the program plays; empty where it did not come so far.
    #[serde(default)]
    pub(crate) roles: Vec<RoleKind>,
    /// The JSON Schema of its options.
    #[serde(default)]
    pub(crate) options: Option<Value>,
    /// What the role says of itself: [`examiner_api::ModelInfo`] and the like.
    #[serde(default)]
    pub(crate) info: Option<Value>,
    /// Why the role cannot be played.
    #[serde(default)]
    pub(crate) error: Option<PluginError>,
}
