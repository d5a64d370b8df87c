//! A program that runs: its lines, and how it ended.

use crate::command::CommandLine;
use crate::input::Input;
use crate::options::Limits;
use crate::output::read_lines;
use crate::protocol::LINE_MAX;
use crate::start::start;
use crate::stderr::LastLine;
use crate::watch::{self, Silence};
use examiner_api::{ErrorCode, Host, PluginError, Result, RoleKind};
use parking_lot::Mutex;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// A program that runs.
pub(crate) struct Process {
    pub(crate) shared: Arc<Shared>,
    /// The program, for messages: `` `python3 model.py` ``.
    label: String,
    kind: RoleKind,
    host: Host,
    lines: Receiver<Vec<u8>>,
    stderr: JoinHandle<()>,
}

/// What the threads around a program share.
pub(crate) struct Shared {
    pub(crate) input: Input,
    pub(crate) silence: Silence,
    last_line: LastLine,
    child: Mutex<Child>,
    fault: Mutex<Option<Fault>>,
    is_called: AtomicBool,
}

/// Why a program was ended.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It sent a line that is none of the protocol, or not now.
    Breach(String),
    /// It sent a line that is longer than all that is read.
    LongLine,
    /// It sent nothing for so long.
    Silent(Duration),
    /// The user wants to stop.
    Cancelled,
}

impl Shared {
    /// Ends the program. The first reason is kept.
    pub(crate) fn end_because(&self, fault: Fault) {
        self.fault.lock().get_or_insert(fault);
        // One that has ended already cannot be killed.
        let _ = self.child.lock().kill();
    }

    /// Whether a call waits for it.
    pub(crate) fn is_called(&self) -> bool {
        self.is_called.load(Ordering::SeqCst)
    }
}

impl Process {
    /// Starts a program, and the threads that read what it writes.
    pub(crate) fn start(line: &CommandLine, limits: Limits, kind: RoleKind, host: &Host) -> Result<Self> {
        let mut child = start(line)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (stdin, Some(stdout), Some(stderr)) = pipes else {
            return Err(PluginError::new(ErrorCode::Io, "a program was started without pipes"));
        };
        let shared = Arc::new(Shared {
            input: Input::new(stdin),
            silence: Silence::new(limits),
            last_line: LastLine::default(),
            child: Mutex::new(child),
            fault: Mutex::new(None),
            is_called: AtomicBool::new(false),
        });
        let (to_caller, lines) = sync_channel(QUEUE);
        let (of_stdout, of_stderr) = (shared.clone(), shared.clone());
        std::thread::spawn(move || read_lines(&of_stdout, stdout, &to_caller));
        let stderr = std::thread::spawn(move || of_stderr.last_line.copy(stderr));
        watch::start(&shared, host);
        Ok(Process { shared, label: format!("`{}`", line.label()), kind, host: host.clone(), lines, stderr })
    }

    /// The program, for messages.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// The program's way to Examiner.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// Does something for which the program works: from now on silence and interruptions count.
    pub(crate) fn while_called<T>(&self, work: impl FnOnce() -> T) -> T {
        self.shared.is_called.store(true, Ordering::SeqCst);
        let result = work();
        self.shared.is_called.store(false, Ordering::SeqCst);
        result
    }

    /// The next line.
    ///
    /// # Errors
    /// The program has ended.
    pub(crate) fn next_line(&self) -> Result<Vec<u8>> {
        self.shared.silence.while_waiting(|| self.lines.recv()).map_err(|_| self.end())
    }

    /// Ends the program because it broke the protocol, and says so.
    pub(crate) fn breach(&self, what: impl Into<String>) -> PluginError {
        self.shared.end_because(Fault::Breach(what.into()));
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
        let program = &self.label;
        let (code, what) = match self.shared.fault.lock().clone() {
            Some(Fault::Breach(what)) => (ErrorCode::Protocol, format!("{program} {what}")),
            Some(Fault::LongLine) => {
                (ErrorCode::Crashed, format!("{program} sent a line of more than {} MiB", LINE_MAX >> 20))
            }
            Some(Fault::Silent(silent)) => {
                let seconds = silent.as_secs_f64();
                (
                    self.code_of_silence(),
                    format!("{program} sent nothing for {seconds:.1} seconds, not even a heartbeat"),
                )
            }
            Some(Fault::Cancelled) => (ErrorCode::Cancelled, format!("{program} was interrupted")),
            None => (ErrorCode::Crashed, format!("{program} {}", ending(status))),
        };
        let help = match code {
            ErrorCode::Cancelled => return PluginError::new(code, what),
            ErrorCode::Protocol => {
                "its stdout is for the protocol alone, and what it prints belongs on stderr; `docs/plugins/process.md` has the \
                 protocol"
            }
            _ => {
                "what it wrote to stderr is in the log of its stage; a heartbeat is due every `heartbeat_s` seconds while it works"
            }
        };
        PluginError::new(code, format!("{what}{}", self.shared.last_line.describe())).with_help(help)
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
        let mut child = self.shared.child.lock();
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
            match self.shared.child.lock().try_wait() {
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
        self.shared.input.close();
        self.wait(if self.host.is_cancelled() { CANCEL_TIMEOUT } else { CLOSE_TIMEOUT });
        let mut child = self.shared.child.lock();
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
