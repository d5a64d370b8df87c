//! Waiting for a server without losing sight of the user, who may want to stop.

use super::errors::cancelled;
use examiner_api::{ErrorCode, Flow, PluginError, Result};
use reqwest::blocking::Response;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel, sync_channel};
use std::time::Duration;

/// How often it is asked whether to go on.
const SLICE: Duration = Duration::from_millis(100);
/// Bytes that are taken at once.
const CHUNK: usize = 1 << 17;
/// Chunks that may wait to be written.
const WAITING: usize = 8;

/// Does what may block for long in a thread of its own. Where the user stops it, the thread is left to itself: it ends with its
/// time limit, or with the program.
pub(super) fn watched<T: Send + 'static>(
    go_on: &dyn Fn() -> Flow,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let (sender, done) = channel();
    std::thread::Builder::new().spawn(move || sender.send(work())).map_err(|error| no_thread(&error))?;
    match receive(&done, go_on)? {
        Some(done) => Ok(done),
        None => Err(cancelled()),
    }
}

/// The body of a response, read ahead.
pub(super) struct Body {
    chunks: Receiver<io::Result<Vec<u8>>>,
}

impl Body {
    pub(super) fn of(mut response: Response) -> Self {
        let (sender, chunks) = sync_channel(WAITING);
        let without_thread = sender.clone();
        let read = move || {
            loop {
                let mut chunk = vec![0; CHUNK];
                let read = match response.read(&mut chunk) {
                    Ok(0) => return,
                    Ok(length) => {
                        chunk.truncate(length);
                        Ok(chunk)
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let is_last = read.is_err();
                if sender.send(read).is_err() || is_last {
                    return;
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().spawn(read) {
            // There is room for it: nothing else was sent.
            let _ = without_thread.try_send(Err(error));
        }
        Body { chunks }
    }

    /// The next bytes; none at the end.
    pub(super) fn next(&self, go_on: &dyn Fn() -> Flow) -> Result<Option<io::Result<Vec<u8>>>> {
        receive(&self.chunks, go_on)
    }
}

fn no_thread(error: &io::Error) -> PluginError {
    PluginError::new(ErrorCode::Io, "no thread could be started for a request").with_cause(error)
}

/// What a thread sends next; none if it has ended.
fn receive<T>(from: &Receiver<T>, go_on: &dyn Fn() -> Flow) -> Result<Option<T>> {
    loop {
        match from.recv_timeout(SLICE) {
            Ok(item) => return Ok(Some(item)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) if go_on() == Flow::Stop => return Err(cancelled()),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}
