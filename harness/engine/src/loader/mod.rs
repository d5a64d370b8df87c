//! Finds plugin libraries, checks them, opens them, and finds roles in them.
//!
//! **Invariant:** the bytes of a file are checked before it is opened: opening a truncated library kills the process, and
//! opening any library runs code of it. Libraries stay loaded until the process ends.

mod error;
mod file;
mod image;
mod library;
mod plugins;
mod search_path;

pub use error::{LoadError, LoadProblem};
pub use plugins::{LoadedFile, Plugins, open_file};
pub use search_path::SearchPath;
