//! The lines that a program reads from stdin.

use crate::protocol::Outgoing;
use parking_lot::Mutex;
use serde::Serialize;
use std::io::{self, Write};
use std::process::ChildStdin;

/// The program's stdin; none once it was closed.
pub(crate) struct Input(Mutex<Option<ChildStdin>>);

impl Input {
    pub(crate) fn new(stdin: Option<ChildStdin>) -> Self {
        Input(Mutex::new(stdin))
    }

    /// Writes a line.
    ///
    /// # Errors
    /// The program does not read any more.
    pub(crate) fn send<T: Serialize + ?Sized>(&self, line: &Outgoing<'_, T>) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        match &mut *self.0.lock() {
            Some(stdin) => stdin.write_all(&bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Closes it: the program is to end.
    pub(crate) fn close(&self) {
        *self.0.lock() = None;
    }
}
