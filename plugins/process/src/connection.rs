//! Calls on a program: a line out, lines in until the call returns.

use crate::callbacks;
use crate::process::Process;
use crate::protocol::{Head, Kind, Log, Outgoing, WithValue};
use examiner_api::{ErrorCode, Flow, PluginError, Progress, Result};
use serde::{Serialize, de::DeserializeOwned};

/// What of a line is shown in a message, in characters.
const SHOWN: usize = 80;

/// A program, and the calls that were made on it.
pub(crate) struct Connection {
    process: Process,
    calls: u64,
    /// Why no more calls can be made.
    ended: Option<PluginError>,
}

impl Connection {
    pub(crate) fn new(process: Process) -> Self {
        Connection { process, calls: 0, ended: None }
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Calls a method of the role. `on_item` takes what is streamed, and says whether more is wanted; its error, which is what is wrong with
    /// the item, ends program and call.
    ///
    /// # Errors
    /// That of the role; `Crashed`, `Timeout` or `Protocol` of a program that ended, said nothing, or broke the protocol.
    pub(crate) fn call<R: DeserializeOwned, I: DeserializeOwned>(
        &mut self,
        method: &str,
        payload: &(impl Serialize + ?Sized),
        on_item: &mut dyn FnMut(I) -> Result<Flow, String>,
    ) -> Result<R> {
        if let Some(error) = &self.ended {
            // Whoever calls again needs another program.
            return Err(PluginError { code: ErrorCode::Crashed, ..error.clone() });
        }
        self.calls += 1;
        let call = Call { process: &self.process, id: self.calls, method };
        let result = self.process.program().while_called(|| call.run(payload, on_item));
        result.unwrap_or_else(|ended: PluginError| {
            self.ended = Some(ended.clone());
            Err(ended)
        })
    }
}

/// A call under way.
struct Call<'a> {
    process: &'a Process,
    id: u64,
    method: &'a str,
}

impl Call<'_> {
    /// What the role returns.
    ///
    /// # Errors
    /// The program has ended.
    fn run<R: DeserializeOwned, I: DeserializeOwned>(
        &self,
        payload: &(impl Serialize + ?Sized),
        on_item: &mut dyn FnMut(I) -> Result<Flow, String>,
    ) -> Result<Result<R>> {
        let (process, call) = (self.process, self.id);
        let line = Outgoing::Call { call, method: self.method, payload };
        process.program().input.send(&line).map_err(|_| process.end())?;
        let mut wanted = Flow::Continue;
        loop {
            let line = process.next_line()?;
            let head: Head = self.read(&line)?;
            match head.kind {
                Kind::Item | Kind::Return if head.call != call => {
                    return Err(
                        process.breach(format!("answered call {}, expected call {call}, `{}`", head.call, self.method))
                    );
                }
                Kind::Item => {
                    let WithValue { value } = self.read(&line)?;
                    let flow = on_item(value).map_err(|what| process.breach(what))?;
                    if flow == Flow::Stop && wanted == Flow::Continue {
                        wanted = Flow::Stop;
                        // A program that has ended is noticed by the next line.
                        let _ = process.program().input.send::<()>(&Outgoing::Stop { call });
                    }
                }
                Kind::Return => {
                    return match head.error {
                        Some(error) => Ok(Err(error)),
                        None => self.read(&line).map(|WithValue { value }| Ok(value)),
                    };
                }
                Kind::Call => callbacks::serve(process.host(), &process.program().input, &head, &line),
                Kind::Log => {
                    let Log { level, message } = self.read(&line)?;
                    process.host().log(level, message);
                }
                Kind::Progress => {
                    let Progress { task, done, total, unit } = self.read(&line)?;
                    process.host().progress(&task, done, total, &unit);
                }
                Kind::Heartbeat => {}
                Kind::Hello => return Err(process.breach("said `hello` a second time")),
            }
        }
    }

    fn read<T: DeserializeOwned>(&self, line: &[u8]) -> Result<T> {
        read(self.process, line, &format!("a line of `{}`", self.method))
    }
}

/// What a line says.
///
/// # Errors
/// It is something else than was expected, for which the program is ended.
pub(crate) fn read<T: DeserializeOwned>(process: &Process, line: &[u8], expected: &str) -> Result<T> {
    serde_json::from_slice(line).map_err(|error| {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end();
        let shown: String = text.chars().take(SHOWN).collect();
        let more = if shown.len() < text.len() { "..." } else { "" };
        process.breach(format!(
            "sent something else than the protocol: expected {expected}, found `{shown}{more}` ({error})"
        ))
    })
}
