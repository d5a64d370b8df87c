//! The worker's own side: one role, served on the pipe on which the program speaks.

use super::connection::{Connection, Incoming, lost};
use super::frame::Kind;
use super::isolated::Job;
use super::trace::Trace;
use crate::loader;
use examiner_api::wire::{self, Call, RawSink, RemoteHost};
use examiner_api::{
    AskAll, AskReport, GenerateResult, Host, HostApi, Level, OpenRole, PluginError, Progress, RecipeReport, Response,
    Result, RoleAddress, RowsContent, RowsFile, Sink,
};
use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// The first call of all: opens the role.
pub(super) const OPEN: &str = "open";
/// How often a worker shows that it is alive.
const BEAT: Duration = Duration::from_millis(200);

/// A call that waits for the role.
type Waiting = (u64, String, Vec<u8>);

/// Serves one role, until the program, which is the process `program`, has no more calls. The hidden command `worker`.
pub fn main(program: u32) -> ExitCode {
    end_with(program);
    match take_pipes() {
        Ok((input, output)) => serve(input, output),
        Err(error) => {
            eprintln!("error: a worker is started by the program alone, with pipes to speak on: {error}");
            ExitCode::from(2)
        }
    }
}

fn serve(input: File, output: File) -> ExitCode {
    be_the_first_to_go();
    let connection = Arc::new(Connection::new(output));
    let cancelled = Arc::new(AtomicBool::new(false));
    let (to_role, calls) = channel();
    let listening = (connection.clone(), cancelled.clone());
    std::thread::spawn(move || listen(&listening.0, &listening.1, input, to_role));
    let beating = connection.clone();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(BEAT);
            beating.try_send(Kind::Beat, &memory_kib().to_le_bytes());
        }
    });
    answer_all(&connection, &cancelled, &calls);
    ExitCode::SUCCESS
}

fn listen(connection: &Arc<Connection>, cancelled: &AtomicBool, input: File, to_role: Sender<Waiting>) {
    let mut to_role = Some(to_role);
    let ended = connection.listen(input, |incoming| match incoming {
        Incoming::Call { id, name, payload } => {
            if let Some(to_role) = &to_role {
                let _ = to_role.send((id, name, payload));
            }
        }
        Incoming::Cancel => cancelled.store(true, Ordering::SeqCst),
        Incoming::Close => to_role = None,
        Incoming::Beat(_) => {}
    });
    // The program has let go of the worker on purpose, and what the role has to tidy up is being tidied up.
    if to_role.is_none() {
        return;
    }
    if let Err(error) = ended {
        eprintln!("a worker ends: {error}");
    }
    // The program is gone, however it went. Nothing of the role's is run any more: it may hang.
    end_now();
}

fn answer_all(connection: &Arc<Connection>, cancelled: &Arc<AtomicBool>, calls: &Receiver<Waiting>) {
    let mut open: Option<OpenRole> = None;
    let mut trace = Trace::from_env();
    for (id, name, payload) in calls {
        trace.note(&name, &payload);
        connection.answer(id, |sink| match (&mut open, name.as_str()) {
            (_, OPEN) => {
                let host = Host::new(WorkerHost::new(connection, cancelled));
                open = Some(open_role(wire::decode(&payload)?, host)?);
                wire::encode(&())
            }
            (Some(role), name) => wire::serve(role, name, &payload, sink),
            (None, name) => Err(PluginError::unsupported(format!("`{name}` was called before the role was opened"))),
        });
    }
}

fn open_role(job: Job, host: Host) -> Result<OpenRole> {
    let plugin = loader::open_file(&job.library, &job.sha256).map_err(|error| {
        PluginError::bad_input(format!("the plugin is not what it was when the run began: {error}"))
            .with_help("leave plugins alone while they are in use; run again to go on with the new one")
    })?;
    plugin.open(job.kind, &job.name, job.options, host)
}

/// The program, seen from a worker.
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

    /// Asked for every few results: not worth a way to the program and back, which says so by itself.
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

/// The two pipes, out of reach of what plugins read and print: stdin becomes empty, and stdout goes where stderr goes.
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

/// Lets the kernel kill this process when the program ends, whatever this process is doing then: the end of the pipe is heard
/// only by one that runs.
#[cfg(target_os = "linux")]
fn end_with(program: u32) {
    // SAFETY: both calls take and give numbers.
    let parent = unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::getppid()
    };
    // It may have ended before it was asked for the signal.
    if u32::try_from(parent) != Ok(program) {
        end_now();
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with(_: u32) {}

/// Lets the kernel, out of memory, choose this process before the program: a run goes on without a worker.
fn be_the_first_to_go() {
    // Only Linux has the file, and where it cannot be written all is as it would be.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
}

/// What this process holds of the machine's memory; 0 where that is not known.
fn memory_kib() -> u64 {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return 0 };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn end_now() -> ! {
    // SAFETY: ends the process; handlers that libraries have registered for its end are left out on purpose.
    #[cfg(unix)]
    unsafe {
        libc::_exit(1)
    }
    #[cfg(not(unix))]
    std::process::abort()
}
