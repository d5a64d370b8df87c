//! Finds plugin libraries, checks them, opens them, and finds roles in them.
//!
//! **Invariant:** the bytes of a file are checked before it is opened: opening a truncated library kills the process, and
//! opening any library runs code of it. Libraries stay loaded until the process ends.
//!
//! A library is opened where its roles run, which is in workers: the program itself opens one only where a suite says
//! `isolate: false`. What a plugin says of itself is asked through [`Register`].

mod error;
mod file;
mod image;
mod library;
mod plugins;
mod search_path;
mod versions;

pub use error::{LoadError, LoadProblem};
pub use file::FileIdentity;
pub use library::describe;
pub use plugins::{LoadedFile, Plugins, Register, open_file};
pub use search_path::SearchPath;
