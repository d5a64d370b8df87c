//! A program that runs: its lines, and how it ended.

use crate::command::CommandLine;
use crate::options::Limits;
use crate::output::read_lines;
use crate::program::{Fault, Program};
use crate::protocol::LINE_MAX;
use crate::start::start;
use crate::watch;
use examiner_api::{ErrorCode, Host, PluginError, Result, RoleKind};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Lines that are kept for whoever waits for them. When there are more, the program waits.
const QUEUE: usize = 256;
/// How long a program may take to end after it has closed its stdout.
const END_TIMEOUT: Duration = Duration::from_secs(2);
/// How long it may take to clean up when its role ends, and when the user wants to stop.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const CANCEL_TIMEOUT: Duration = Duration::from_millis(300);
/// How long its last words may take to arrive.
const STDERR_TIMEOUT: Duration = Duration::from_millis(500);

const PROTOCOL_HELP: &str = "its stdout is for the protocol alone, and what it prints belongs on stderr; `docs/plugins/process.md` has the \
                             protocol";
const SILENCE_HELP: &str = "while it works, a line is due every `heartbeat_s` seconds, and the first one within `start_s`; both \
                            are options of the role";
const END_HELP: &str = "all that it wrote to stderr is in the log of its stage";

/// A program that runs.
pub(crate) struct Process {
    program: Arc<Program>,
    /// The program, for messages: `` `python3 model.py` ``.
    label: String,
    kind: RoleKind,
    host: Host,
    lines: Receiver<Vec<u8>>,
    stderr: JoinHandle<()>,
}

impl Process {
    /// Starts a program, and the threads that read what it writes.
    pub(crate) fn start(line: &CommandLine, limits: Limits, kind: RoleKind, host: &Host) -> Result<Self> {
        let mut child = start(line)?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(PluginError::new(ErrorCode::Io, "a program was started without pipes"));
        };
        let program = Arc::new(Program::new(child, limits));
        let (to_caller, lines) = sync_channel(QUEUE);
        let (of_stdout, of_stderr) = (program.clone(), program.clone());
        std::thread::spawn(move || read_lines(&of_stdout, stdout, &to_caller));
        let stderr = std::thread::spawn(move || of_stderr.last_line.copy(stderr));
        watch::start(&program, host);
        Ok(Process { program, label: format!("`{}`", line.label()), kind, host: host.clone(), lines, stderr })
    }

    /// The program itself.
    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    /// The program, for messages.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// The program's way to Examiner.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// The next line.
    ///
    /// # Errors
    /// The program has ended.
    pub(crate) fn next_line(&self) -> Result<Vec<u8>> {
        self.program.silence.while_waiting(|| self.lines.recv()).map_err(|_| self.end())
    }

    /// Ends the program because it broke the protocol, and says so.
    pub(crate) fn breach(&self, what: impl Into<String>) -> PluginError {
        self.program.end_because(Fault::Breach(what.into()));
        self.end()
    }

    /// Why the program has ended. It is waited for, and killed if it does not end by itself.
    pub(crate) fn end(&self) -> PluginError {
        let status = self.exit_status();
        let began = Instant::now();
        // Another process that holds its stderr open is not waited for.
        while !self.stderr.is_finished() && began.elapsed() < STDERR_TIMEOUT {
            std::thread::sleep(Duration::from_millis(1));
        }
        let label = &self.label;
        let (code, what, help) = match self.program.fault() {
            Some(Fault::Breach(what)) => (ErrorCode::Protocol, format!("{label} {what}"), PROTOCOL_HELP),
            Some(Fault::LongLine) => {
                (ErrorCode::Crashed, format!("{label} sent a line of more than {} MiB", LINE_MAX >> 20), PROTOCOL_HELP)
            }
            Some(Fault::Silent(silent)) => {
                let seconds = silent.as_secs_f64();
                let what = format!("{label} sent nothing for {seconds:.1} seconds, not even a heartbeat");
                (self.code_of_silence(), what, SILENCE_HELP)
            }
            Some(Fault::Cancelled) => {
                return PluginError::new(ErrorCode::Cancelled, format!("{label} was interrupted"));
            }
            None => (ErrorCode::Crashed, format!("{label} {}", ending(status)), END_HELP),
        };
        PluginError::new(code, format!("{what}{}", self.program.last_line.describe())).with_help(help)
    }

    /// A request may be tried once more in another process; a whole job would only be silent again.
    fn code_of_silence(&self) -> ErrorCode {
        match self.kind {
            RoleKind::Trainer | RoleKind::Recipe => ErrorCode::Timeout,
            _ => ErrorCode::Crashed,
        }
    }

    fn exit_status(&self) -> Option<ExitStatus> {
        let ended = self.wait(END_TIMEOUT);
        let mut child = self.program.child.lock();
        if ended.is_none() {
            let _ = child.kill();
            // After the kill this returns soon.
            let _ = child.wait();
        }
        ended
    }

    /// How the program has ended, if it does within the time.
    fn wait(&self, timeout: Duration) -> Option<ExitStatus> {
        let began = Instant::now();
        loop {
            match self.program.child.lock().try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if began.elapsed() < timeout => {}
                _ => return None,
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Process {
    /// Lets the program clean up, and then ends it in any case.
    fn drop(&mut self) {
        self.program.input.close();
        self.wait(if self.host.is_cancelled() { CANCEL_TIMEOUT } else { CLOSE_TIMEOUT });
        let mut child = self.program.child.lock();
        let _ = child.kill();
        // Without it a zombie would be left.
        let _ = child.wait();
    }
}

/// How a process ended, in words; none where it closed its stdout and went on.
fn ending(status: Option<ExitStatus>) -> String {
    let Some(status) = status else { return "closed its stdout, and did not end".to_owned() };
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("was killed by signal {signal}");
    }
    match status.code() {
        Some(code) => format!("ended by itself, with exit code {code}"),
        None => format!("ended: {status}"),
    }
}
