//! A Python that runs: its lines, and how it ended.
//!
//! It ends with this process, however that ends: its stdin is closed then, which `worker.py` waits for in a thread of its own. What
//! tasks have started besides stays in the process group of the plugin's worker, which is ended as a whole.

use super::options::Interpreter;
use examiner_api::{ErrorCode, Host, PluginError, Result};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What Python runs.
pub(super) const SCRIPT: &str = concat!(include_str!("values.py"), "\n\n", include_str!("worker.py"));

/// What `worker.py` sends while it works on something else.
const HEARTBEAT: &[u8] = b"{\"alive\": true}\n";
/// Lines that are kept for whoever waits for them. When there are more, Python waits.
const QUEUE: usize = 64;
/// Lines of stderr that are kept for messages.
const LAST_LINES: usize = 6;
/// How often is looked whether the user wants to stop.
const EVERY: Duration = Duration::from_millis(50);
/// How long Python may take to end once its stdin or its stdout is closed.
const END_TIMEOUT: Duration = Duration::from_secs(2);
/// More bytes in one line of stderr are cut into pieces.
const LINE_BYTES_MAX: u64 = 1 << 16;

/// A Python that runs.
pub(super) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    stderr: Option<JoinHandle<()>>,
    last_lines: Arc<Mutex<VecDeque<String>>>,
    /// When the last line came.
    heard: Arc<Mutex<Instant>>,
    silence: Duration,
    /// The program, for messages.
    label: String,
    host: Host,
}

impl Program {
    /// Starts Python, and the threads that read what it writes.
    ///
    /// # Errors
    /// There is no such program.
    pub(super) fn start(interpreter: &Interpreter, script: &str, host: &Host) -> Result<Self> {
        let silence = interpreter.silence()?;
        let program = &interpreter.program;
        let mut command = Command::new(program);
        command.args(["-u", "-c", script]);
        // The order of a set must not differ from one process to the next.
        command.envs([("PYTHONHASHSEED", "0"), ("TQDM_DISABLE", "1"), ("TOKENIZERS_PARALLELISM", "false")]);
        if interpreter.hub_mirror.is_some() {
            command.envs([("HF_HUB_OFFLINE", "1"), ("HF_DATASETS_OFFLINE", "1")]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            PluginError::io("start the Python that runs tasks,", program.as_ref(), &error).with_help(
                "`python_program` names a Python in which `lm_eval` is installed: a program on `PATH`, or a path such as \
                 `./venv/bin/python`",
            )
        })?;
        let (stdin, Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
            return Err(PluginError::new(ErrorCode::Io, "Python was started without pipes"));
        };
        let (to_caller, lines) = sync_channel(QUEUE);
        let heard = Arc::new(Mutex::new(Instant::now()));
        let when = heard.clone();
        std::thread::spawn(move || {
            let mut stdout = BufReader::with_capacity(1 << 16, stdout);
            let mut line = Vec::new();
            while stdout.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) && line.last() == Some(&b'\n') {
                *when.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                let line = std::mem::take(&mut line);
                if line != HEARTBEAT && to_caller.send(line).is_err() {
                    return;
                }
            }
        });
        let last_lines: Arc<Mutex<VecDeque<String>>> = Arc::default();
        let kept = last_lines.clone();
        let stderr = std::thread::spawn(move || copy(stderr, &kept));
        let label = format!("`{program}`");
        let host = host.clone();
        Ok(Program { child, stdin, lines, stderr: Some(stderr), last_lines, heard, silence, label, host })
    }

    /// The program, for messages.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Writes a line.
    ///
    /// # Errors
    /// Python has ended.
    pub(super) fn send(&mut self, line: &[u8]) -> Result<()> {
        let written = match &mut self.stdin {
            Some(stdin) => stdin.write_all(line).and_then(|()| stdin.flush()),
            None => return Err(self.ended()),
        };
        written.map_err(|_| self.ended())
    }

    /// The next line.
    ///
    /// # Errors
    /// Python has ended, says nothing, or the user wants to stop.
    pub(super) fn next_line(&mut self) -> Result<Vec<u8>> {
        let began = Instant::now();
        loop {
            match self.lines.recv_timeout(EVERY) {
                Ok(line) => return Ok(line),
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.host.is_cancelled() {
                self.kill();
                return Err(PluginError::new(ErrorCode::Cancelled, format!("{} was interrupted", self.label)));
            }
            let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            if began.max(heard).elapsed() > self.silence {
                self.kill();
                let (label, seconds) = (&self.label, self.silence.as_secs_f64());
                let what = format!("{label} sent nothing for {seconds} seconds, not even a heartbeat");
                return Err(PluginError::new(ErrorCode::Crashed, format!("{what}{}", self.last_words())).with_help(
                    "is it a Python, and not stopped? `heartbeat_s` says how long it may be silent; all that it wrote to stderr is \
                     in the log of its stage",
                ));
            }
        }
    }

    /// Ends Python because it sent something else than was expected.
    pub(super) fn breach(&mut self, expected: &str, line: &[u8]) -> PluginError {
        self.kill();
        let shown: String = String::from_utf8_lossy(line).trim_end().chars().take(200).collect();
        let what =
            format!("{} sent something else than the protocol: expected {expected}, found `{shown}`", self.label);
        PluginError::new(ErrorCode::Crashed, format!("{what}{}", self.last_words()))
            .with_help("what a task prints belongs on stderr; is `python_program` a Python?")
    }

    /// Why Python has ended. It is killed if it does not end by itself.
    fn ended(&mut self) -> PluginError {
        self.stdin = None;
        let status = self.wait(END_TIMEOUT);
        self.kill();
        let what = format!("{} {}", self.label, ending(status));
        PluginError::new(ErrorCode::Crashed, format!("{what}{}", self.last_words())).with_help(
            "tasks need a Python 3.10 or newer in which `lm_eval` is installed; all that it wrote to stderr is in the log of its stage",
        )
    }

    fn kill(&mut self) {
        self.stdin = None;
        let _ = self.child.kill();
        // Without it a zombie would be left.
        let _ = self.child.wait();
    }

    /// How it has ended, if it does within the time.
    fn wait(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let began = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if began.elapsed() < timeout => std::thread::sleep(Duration::from_millis(2)),
                _ => return None,
            }
        }
    }

    /// `; the last lines of its stderr: ...`, or nothing.
    fn last_words(&mut self) -> String {
        let began = Instant::now();
        // Another process that holds its stderr open is not waited for.
        while self.stderr.as_ref().is_some_and(|thread| !thread.is_finished()) && began.elapsed() < END_TIMEOUT / 4 {
            std::thread::sleep(Duration::from_millis(2));
        }
        let lines = self.last_lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<&str> = lines.iter().map(|line| line.trim_start()).collect();
        if lines.is_empty() {
            String::new()
        } else {
            format!("; the last lines of its stderr: `{}`", lines.join(" | "))
        }
    }
}

impl Drop for Program {
    /// Python ends when its stdin does; it is ended in any case.
    fn drop(&mut self) {
        self.stdin = None;
        self.wait(END_TIMEOUT);
        self.kill();
    }
}

/// Copies lines to this process's stderr, which is the log of the role, and keeps the last ones. They need not be text.
fn copy(stream: impl Read, kept: &Mutex<VecDeque<String>>) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while (&mut stream).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        eprintln!("{text}");
        if !text.is_empty() {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push_back(text.chars().take(200).collect());
            if kept.len() > LAST_LINES {
                kept.pop_front();
            }
        }
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
