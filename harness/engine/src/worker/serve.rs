//! The worker's side of the pipe: opens one role of a plugin at a time, and passes calls and results between pipe and plugin as bytes.

use super::connection::{Connection, Incoming, lost};
use super::frame::Kind;
use super::memory;
use super::role::{DESCRIBE, OPEN, RELEASE, WorkerRole};
use super::stderr_tail::END_OF_ROLE;
use super::trace::Trace;
use crate::loader::{self, FileIdentity};
use examiner_api::ffi::LoadedPlugin;
use examiner_api::wire::{self, Call, RawSink, RemoteHost, method};
use examiner_api::{
    AskAll, AskReport, GenerateResult, Host, HostApi, Level, PluginError, Progress, RecipeReport, Response, Result,
    RoleAddress, RowsContent, RowsFile, Sink,
};
use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// How often a worker shows that it is alive.
const HEARTBEAT_EVERY: Duration = Duration::from_millis(200);

/// A call that waits for the role.
struct QueuedCall {
    id: u64,
    name: String,
    payload: Vec<u8>,
}

/// Serves roles, one after the other, until the program, which is the process `program`, has no more calls. The hidden command `worker`.
pub fn main(program: u32) -> ExitCode {
    end_with(program);
    match take_pipes() {
        Ok((input, output)) => serve(input, output),
        Err(error) => {
            eprintln!("error: a worker is started by the program itself, with pipes for its calls: {error}");
            ExitCode::from(2)
        }
    }
}

fn serve(input: File, output: File) -> ExitCode {
    prefer_for_oom_kill();
    let connection = Arc::new(Connection::new(output));
    let cancelled = Arc::new(AtomicBool::new(false));
    let (to_role, calls) = channel();
    std::thread::spawn({
        let (connection, cancelled) = (connection.clone(), cancelled.clone());
        move || listen(&connection, &cancelled, input, to_role)
    });
    std::thread::spawn({
        let connection = connection.clone();
        move || {
            loop {
                std::thread::sleep(HEARTBEAT_EVERY);
                connection.try_send(Kind::Heartbeat, &memory::held_kib().to_le_bytes());
            }
        }
    });
    serve_calls(&connection, &cancelled, &calls);
    ExitCode::SUCCESS
}

fn listen(connection: &Arc<Connection>, cancelled: &AtomicBool, input: File, to_role: Sender<QueuedCall>) {
    let mut to_role = Some(to_role);
    let ended = connection.listen(input, |incoming| match incoming {
        Incoming::Call { id, name, payload } => {
            if let Some(to_role) = &to_role {
                let _ = to_role.send(QueuedCall { id, name, payload });
            }
        }
        Incoming::Cancel => cancelled.store(true, Ordering::SeqCst),
        Incoming::Close => to_role = None,
        Incoming::Heartbeat(_) => {}
    });
    // The program has closed the connection, and the role may still be cleaning up.
    if to_role.is_none() {
        return;
    }
    if let Err(error) = ended {
        eprintln!("a worker ends: {error}");
    }
    // The program is gone. The role is not asked to clean up: it may hang.
    end_now();
}

fn serve_calls(connection: &Arc<Connection>, cancelled: &Arc<AtomicBool>, calls: &Receiver<QueuedCall>) {
    let mut role: Option<Box<dyn Call>> = None;
    let mut library = None;
    let mut trace = Trace::from_env();
    for QueuedCall { id, name, payload } in calls {
        trace.record(&name, &payload);
        // Samples cost little each; an answer of a model may have taken long, and is not held back.
        let gathered = name == method::SAMPLES || name == method::TRAINING_SAMPLES;
        connection.serve(id, gathered, |sink| match (&role, name.as_str()) {
            (_, OPEN) => {
                let host = Host::new(WorkerHost::new(connection, cancelled));
                role = Some(open(&mut library, wire::decode(&payload)?, host)?);
                wire::encode(&())
            }
            (_, RELEASE) => {
                role = None;
                end_output();
                wire::encode(&())
            }
            (_, DESCRIBE) => {
                let (path, identity): (PathBuf, FileIdentity) = wire::decode(&payload)?;
                wire::encode(&loader::describe(&path, &identity))
            }
            // Requests and results are decoded where they are used, in the plugin and in the program, not here between them.
            (Some(role), name) => role.call(name, &payload, sink),
            (None, name) => Err(PluginError::unsupported(format!("`{name}` was called before the role was opened"))),
        });
    }
}

/// Opens a role of the plugin file that the worker serves: a worker gets roles of one file only.
fn open(library: &mut Option<LoadedPlugin>, role: WorkerRole, host: Host) -> Result<Box<dyn Call>> {
    let plugin = match library {
        Some(opened) => *opened,
        None => *library.insert(loader::open_file(&role.library, &role.sha256, &role.identity)?),
    };
    Ok(Box::new(plugin.open_call(role.kind, &role.name, role.options, host)?))
}

/// The host of the role: the program, at the other end of the pipe.
struct WorkerHost {
    program: RemoteHost<HostCall>,
    cancelled: Arc<AtomicBool>,
}

struct HostCall(Arc<Connection>);

impl Call for HostCall {
    fn call(&self, name: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
        self.0.call(name, payload, sink, &|_| {}).unwrap_or_else(|_| Err(lost()))
    }
}

impl WorkerHost {
    fn new(connection: &Arc<Connection>, cancelled: &Arc<AtomicBool>) -> Self {
        WorkerHost { program: RemoteHost::new(HostCall(connection.clone())), cancelled: cancelled.clone() }
    }
}

impl HostApi for WorkerHost {
    fn log(&self, level: Level, message: &str) {
        self.program.log(level, message);
    }

    fn progress(&self, progress: Progress) {
        self.program.progress(progress);
    }

    /// Roles ask this often; the program sends the answer once, when it changes.
    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    fn scratch_dir(&self) -> Result<PathBuf> {
        self.program.scratch_dir()
    }

    fn fetch(&self, uri: &str) -> Result<PathBuf> {
        self.program.fetch(uri)
    }

    fn fetch_repository(&self, uri: &str, patterns: &[String]) -> Result<PathBuf> {
        self.program.fetch_repository(uri, patterns)
    }

    fn flush(&self) -> Result<()> {
        self.program.flush()
    }

    fn ask_all(&self, ask: AskAll, sink: &dyn Sink<Response<GenerateResult>>) -> Result<AskReport> {
        self.program.ask_all(ask, sink)
    }

    fn find_rows(&self, file: &RowsFile) -> Result<Option<RecipeReport>> {
        self.program.find_rows(file)
    }

    fn write_rows(&self, file: &RowsFile, content: RowsContent) -> Result<RecipeReport> {
        self.program.write_rows(file, content)
    }

    fn call_role(&self, role: &RoleAddress, method: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
        self.program.call_role(role, method, payload, sink)
    }
}

/// Writes out what the role has printed, and a line that marks its end.
fn end_output() {
    // SAFETY: writes what the C library holds back for any of its streams.
    unsafe { libc::fflush(std::ptr::null_mut()) };
    // The role may have left a line without an end.
    eprintln!("\n{END_OF_ROLE}");
}

/// Moves the two pipes out of reach of what plugins read and print: stdin becomes empty, and stdout the same as stderr.
#[cfg(unix)]
fn take_pipes() -> std::io::Result<(File, File)> {
    use std::os::fd::{AsFd, AsRawFd, OwnedFd};
    let input = std::io::stdin().as_fd().try_clone_to_owned()?;
    let output = std::io::stdout().as_fd().try_clone_to_owned()?;
    let put = |from: i32, to: i32| {
        // SAFETY: both are open descriptors of this process, in which no other thread runs yet.
        if unsafe { libc::dup2(from, to) } < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
    };
    put(File::open("/dev/null")?.as_raw_fd(), libc::STDIN_FILENO)?;
    put(libc::STDERR_FILENO, libc::STDOUT_FILENO)?;
    let file = |pipe: OwnedFd| File::from(pipe);
    Ok((file(input), file(output)))
}

#[cfg(not(unix))]
fn take_pipes() -> std::io::Result<(File, File)> {
    Err(std::io::Error::new(std::io::ErrorKind::Unsupported, "workers need a Unix system"))
}

/// Lets the kernel kill this process when the program ends. A process that is stopped would not notice the end of the pipe.
#[cfg(target_os = "linux")]
fn end_with(program: u32) {
    // SAFETY: both calls take and return numbers.
    let parent = unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::getppid()
    };
    // The program may have ended before the signal was set up.
    if u32::try_from(parent) != Ok(program) {
        end_now();
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with(_: u32) {}

/// Makes the kernel, when it is out of memory, kill this process rather than the program: a run survives the loss of a worker.
fn prefer_for_oom_kill() {
    // Only Linux has the file. If it cannot be written, nothing changes.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
}

fn end_now() -> ! {
    // SAFETY: ends the process; exit handlers that libraries have registered are skipped on purpose.
    #[cfg(unix)]
    unsafe {
        libc::_exit(1)
    }
    #[cfg(not(unix))]
    std::process::abort()
}
