//! The lines that a program writes to stdout.

use crate::program::{Fault, Program};
use crate::protocol::{Head, Kind, LINE_MAX};
use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::SyncSender;

/// A line as long as this cannot be a heartbeat, and is not looked at before it is wanted.
const HEARTBEAT_MAX: usize = 128;

/// Reads lines until the program closes its stdout or sends one that is too long. A heartbeat is noted, all else is passed on; when
/// nobody takes it, the program waits.
pub(crate) fn read_lines(program: &Program, output: impl Read, lines: &SyncSender<Vec<u8>>) {
    let mut output = BufReader::with_capacity(1 << 16, output);
    loop {
        let mut line = Vec::new();
        match (&mut output).take(LINE_MAX as u64 + 1).read_until(b'\n', &mut line) {
            Ok(read) if read > 0 => {}
            _ => return,
        }
        if line.last() != Some(&b'\n') {
            // Anything shorter is cut off by the end of the program.
            if line.len() > LINE_MAX {
                program.end_because(Fault::LongLine);
            }
            return;
        }
        program.silence.heard();
        if !is_heartbeat(&line) && lines.send(line).is_err() {
            return;
        }
    }
}

fn is_heartbeat(line: &[u8]) -> bool {
    line.len() <= HEARTBEAT_MAX && serde_json::from_slice::<Head>(line).is_ok_and(|head| head.kind == Kind::Heartbeat)
}
