//! A worker as the program sees it: started, watched, killed, and described when it has died.

use super::connection::{Connection, Incoming};
use super::death::death;
use super::frame::{FrameError, Kind};
use super::memory;
use super::role::{RELEASE, WorkerSettings};
use super::stderr_tail::StderrTail;
use crate::bare_host::bare_host;
use crate::threads;
use examiner_api::wire::{Call, RawSink, host_method};
use examiner_api::{ErrorCode, Flow, Host, PluginError, Result};
use parking_lot::Mutex;
use std::ffi::OsString;
use std::io;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A worker sends five heartbeats a second. If none arrives for so long, it is stopped, or its machine is.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the role may take to clean up when the worker is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the last output of a process may take to arrive.
const OUTPUT_TIMEOUT: Duration = Duration::from_millis(500);

/// A process that serves a role, and then may serve another.
pub(super) struct WorkerProcess {
    child: Mutex<Child>,
    shared: Arc<Shared>,
    deadline: Duration,
    cancel_sent: AtomicBool,
    /// One reads the pipe, one stderr.
    threads: [JoinHandle<()>; 2],
}

/// What the threads that read from a worker share with its callers.
struct Shared {
    connection: Connection,
    served: Mutex<Served>,
    stderr_tail: StderrTail,
    began: Instant,
    /// Milliseconds from `began` to the last heartbeat.
    heartbeat_ms: AtomicU64,
    /// Milliseconds from `began` to the end of the last call of the host: a sign of work that is not a result.
    host_call_ms: AtomicU64,
    /// Calls of the host that are being served: the worker waits for the program.
    host_calls: AtomicUsize,
    memory_kib: AtomicU64,
    /// Why the worker was given up, if it was not the end of its process.
    fault: Mutex<Option<Fault>>,
}

/// Whom a worker serves.
#[derive(Clone)]
struct Served {
    /// The role, for messages: `` model `candle` ``.
    label: String,
    /// The host of the role's stage.
    host: Host,
}

/// Why the program gave up a worker.
enum Fault {
    /// It wrote something other than frames to the pipe.
    Garbage(String),
    /// It used too much memory.
    Memory { mib: u64, allowed_mib: u64 },
    /// It gave no result for so long.
    Silent(Duration),
    /// It sent no heartbeat.
    Stopped,
}

impl WorkerProcess {
    /// Starts a process without these variables of the environment, and the threads that read from it.
    pub(super) fn start(settings: &WorkerSettings, label: String, host: &Host, withheld: &[OsString]) -> Result<Self> {
        let failed = |error: &io::Error| PluginError::io("start a worker with the program", &settings.program, error);
        let mut command = Command::new(&settings.program);
        command.arg("worker").arg(std::process::id().to_string());
        for name in withheld {
            command.env_remove(name);
        }
        command.envs(settings.hub_mirror.as_ref().map(|mirror| ("EXAMINER_HUB_MIRROR", mirror)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: Ctrl-C in the terminal reaches the program alone, and what the worker starts can be killed with it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = spawn(command).map_err(|error| failed(&error))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(stderr)) = pipes else {
            return Err(failed(&io::Error::other("it has no pipes")));
        };
        let shared = Arc::new(Shared::new(input, Served { label, host: host.clone() }));
        let (process, allowed_mib) = (child.id(), settings.isolation.memory_mib.or_else(memory::default_mib));
        let read_pipe = {
            let shared = shared.clone();
            move || Shared::listen(&shared, output, process, allowed_mib)
        };
        let read_stderr = {
            let shared = shared.clone();
            move || shared.stderr_tail.listen(stderr, &|line| shared.host().info(line))
        };
        let threads = threads::start(read_pipe).and_then(|first| Ok([first, threads::start(read_stderr)?]));
        let threads = threads.inspect_err(|_| {
            kill(process);
            // After the kill this returns soon; without it a zombie would be left.
            let _ = child.wait();
        })?;
        Ok(WorkerProcess {
            child: Mutex::new(child),
            shared,
            deadline: Duration::from_secs_f64(settings.isolation.deadline_s),
            cancel_sent: AtomicBool::new(false),
            threads,
        })
    }

    /// From now on the process serves another role.
    pub(super) fn serve_next(&self, label: String, host: &Host) {
        *self.shared.served.lock() = Served { label, host: host.clone() };
        self.shared.stderr_tail.clear();
    }

    /// Ends the role, so that the process can serve another.
    pub(super) fn release(&self) -> Result<()> {
        let before = self.shared.stderr_tail.ended();
        self.call_within(CLOSE_TIMEOUT, RELEASE, &[], &|_| Flow::Stop)?;
        // What it has printed may still be on its way, and belongs to the log of its stage.
        self.shared.stderr_tail.wait_for_end(before, OUTPUT_TIMEOUT);
        // The stage's host is not kept: what all stages share owns the workers, too.
        self.serve_next("a worker without a role".to_owned(), &bare_host());
        Ok(())
    }

    /// What the process held of its own when it last told, in KiB: it does so five times a second.
    pub(super) fn memory_kib(&self) -> u64 {
        self.shared.memory_kib.load(Ordering::SeqCst)
    }

    /// Whether its process has ended, or was given up.
    pub(super) fn is_dead(&self) -> bool {
        let has_fault = self.shared.fault.lock().is_some();
        has_fault || !matches!(self.child.lock().try_wait(), Ok(None))
    }

    /// Checks on a worker while a call waits for it: passes on that the user wants to stop, and ends one that hangs. `since` is
    /// the time of the last result.
    fn check(&self, since: Instant, deadline: Duration) {
        if self.shared.host().is_cancelled() && !self.cancel_sent.swap(true, Ordering::SeqCst) {
            // If it cannot be sent, the worker is dying, which the call will notice.
            let _ = self.shared.connection.send(Kind::Cancel, 0, &[]);
        }
        let shared = &self.shared;
        let quiet = |last_ms: &AtomicU64| {
            let last = shared.began + Duration::from_millis(last_ms.load(Ordering::SeqCst));
            last.max(since).elapsed()
        };
        if quiet(&shared.heartbeat_ms) > HEARTBEAT_TIMEOUT {
            self.give_up(Fault::Stopped);
        }
        let silent = quiet(&shared.host_call_ms);
        if silent > deadline && shared.host_calls.load(Ordering::SeqCst) == 0 {
            self.give_up(Fault::Silent(silent));
        }
    }

    fn give_up(&self, fault: Fault) {
        self.shared.fault.lock().get_or_insert(fault);
        kill(self.child.lock().id());
    }

    /// Why a worker is dead, as an error.
    fn exit_reason(&self) -> PluginError {
        let status = self.reap();
        // Its last output may still be on its way. Another process that holds its pipes open is not waited for.
        let began = Instant::now();
        while self.threads.iter().any(|thread| !thread.is_finished()) && began.elapsed() < OUTPUT_TIMEOUT {
            std::thread::sleep(Duration::from_millis(1));
        }
        let label = &self.shared.served.lock().label.clone();
        let held_mib = self.shared.memory_kib.load(Ordering::SeqCst) / 1024;
        let fault = self.shared.fault.lock();
        let (code, what) = match &*fault {
            Some(Fault::Garbage(found)) => {
                (ErrorCode::Protocol, format!("the process of {label} wrote to the program's pipe: {found}"))
            }
            Some(Fault::Memory { mib, allowed_mib }) => (
                ErrorCode::Crashed,
                format!("the process of {label} held {mib} MiB, more than the {allowed_mib} that `isolate` allows"),
            ),
            Some(Fault::Silent(silent)) => (
                ErrorCode::Timeout,
                format!("the process of {label} gave no answer for {:.1} seconds", silent.as_secs_f64()),
            ),
            Some(Fault::Stopped) => {
                (ErrorCode::Timeout, format!("the process of {label} gave no sign of life for {HEARTBEAT_TIMEOUT:?}"))
            }
            None => (ErrorCode::Crashed, format!("the process of {label} {}", death(status, held_mib))),
        };
        let help = match code {
            ErrorCode::Timeout => "`isolate: { deadline_s: ... }` in the suite allows more",
            _ if matches!(&*fault, Some(Fault::Memory { .. })) => {
                "`isolate: { memory_mib: ... }` in the suite allows more; without it, nine tenths of the machine's memory are allowed"
            }
            _ => {
                "it is an error in the plugin or in what it uses; `isolate: false` in the suite runs it in the \
                  program itself, for a debugger"
            }
        };
        PluginError::new(code, format!("{what}{}", self.shared.stderr_tail.describe())).with_help(help)
    }

    fn call_within(&self, deadline: Duration, name: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
        let called = self.shared.connection.call(name, payload, sink, &|since| self.check(since, deadline));
        called.unwrap_or_else(|_| Err(self.exit_reason()))
    }

    /// Waits for the end of the process, and kills it if it does not come.
    fn reap(&self) -> Option<ExitStatus> {
        let mut child = self.child.lock();
        // A process that has closed its pipes is about to end, or is broken.
        let status = wait(&mut child, Duration::from_secs(2));
        if status.is_none() {
            self.shared
                .fault
                .lock()
                .get_or_insert(Fault::Garbage("the end of its output, and did not exit".to_owned()));
        }
        kill(child.id());
        status.or_else(|| child.wait().ok())
    }
}

impl Call for &WorkerProcess {
    fn call(&self, name: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
        self.call_within(self.deadline, name, payload, sink)
    }
}

impl Drop for WorkerProcess {
    /// Lets the role clean up, and then ends the process in any case.
    fn drop(&mut self) {
        if !self.is_dead() && self.shared.connection.send(Kind::Close, 0, &[]).is_ok() {
            wait(&mut self.child.lock(), CLOSE_TIMEOUT);
        }
        let mut child = self.child.lock();
        kill(child.id());
        // After the kill this returns soon; without it a zombie would be left.
        let _ = child.wait();
    }
}

impl Shared {
    fn new(input: ChildStdin, served: Served) -> Self {
        Shared {
            connection: Connection::new(input),
            served: Mutex::new(served),
            stderr_tail: StderrTail::default(),
            began: Instant::now(),
            heartbeat_ms: AtomicU64::new(0),
            host_call_ms: AtomicU64::new(0),
            host_calls: AtomicUsize::new(0),
            memory_kib: AtomicU64::new(0),
            fault: Mutex::new(None),
        }
    }

    fn host(&self) -> Host {
        self.served.lock().host.clone()
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn listen(shared: &Arc<Self>, output: ChildStdout, process: u32, allowed_mib: Option<u64>) {
        let ended = shared.connection.listen(output, |incoming| match incoming {
            Incoming::Call { id, name, payload } => Self::serve_host(shared, id, name, payload),
            Incoming::Heartbeat(payload) => shared.heartbeat(&payload, process, allowed_mib),
            Incoming::Cancel | Incoming::Close => {}
        });
        if let Err(FrameError::Garbage(found)) = ended
            && !has_ended(process)
        {
            shared.fault.lock().get_or_insert(Fault::Garbage(format!("expected a frame, found {found}")));
            kill(process);
        }
    }

    fn heartbeat(&self, payload: &[u8], process: u32, allowed_mib: Option<u64>) {
        self.heartbeat_ms.store(self.now_ms(), Ordering::SeqCst);
        let Ok(kib) = payload.try_into().map(u64::from_le_bytes) else { return };
        self.memory_kib.store(kib, Ordering::SeqCst);
        if let Some(allowed_mib) = allowed_mib.filter(|allowed| kib / 1024 > *allowed) {
            self.fault.lock().get_or_insert(Fault::Memory { mib: kib / 1024, allowed_mib });
            kill(process);
        }
    }

    /// Serves a call of the host. One that may take long gets a thread, so that results do not wait for it.
    fn serve_host(shared: &Arc<Self>, id: u64, name: String, payload: Vec<u8>) {
        let (shared, host) = (shared.clone(), shared.host());
        // Messages and questions about the program's state are answered at once; all else may take its time.
        let at_once = [host_method::LOG, host_method::PROGRESS, host_method::CANCELLED, host_method::SCRATCH_DIR];
        let slow = !at_once.contains(&name.as_str());
        let without_thread = shared.clone();
        // What the worker sent before this call has been received; the call may rely on it.
        let received = shared.connection.received();
        shared.host_calls.fetch_add(1, Ordering::SeqCst);
        let work = move || {
            if name == host_method::FLUSH {
                shared.connection.wait_until_taken(received);
            }
            shared.connection.serve(id, false, |sink| host.serve(&name, &payload, sink));
            shared.host_call_ms.store(shared.now_ms(), Ordering::SeqCst);
            shared.host_calls.fetch_sub(1, Ordering::SeqCst);
        };
        if !slow {
            work();
        } else if let Err(error) = threads::start(work) {
            without_thread.connection.serve(id, false, |_| Err(error));
            without_thread.host_calls.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Starts a process from a thread that runs as long as the program: with `PR_SET_PDEATHSIG`, Linux ends a worker together
/// with the thread that has started it.
fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, Sender<io::Result<Child>>);
    static STARTER: Mutex<Option<Sender<Order>>> = Mutex::new(None);
    let (started, child) = channel();
    let ended = |_| io::Error::other("the thread that starts workers has ended");
    {
        let mut starter = STARTER.lock();
        let orders = match &*starter {
            Some(orders) => orders,
            None => {
                let (orders, to_start) = channel::<Order>();
                std::thread::Builder::new().spawn(move || {
                    for (mut command, started) in to_start {
                        let _ = started.send(command.spawn());
                    }
                })?;
                starter.insert(orders)
            }
        };
        orders.send((command, started)).map_err(|_| ended(()))?;
    }
    child.recv().map_err(|_| ended(()))?
}

fn wait(child: &mut Child, timeout: Duration) -> Option<ExitStatus> {
    let began = Instant::now();
    // Most workers end at once; some have much to clean up.
    let mut pause = Duration::from_micros(100);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if began.elapsed() < timeout => std::thread::sleep(pause),
            _ => return None,
        }
        pause = (2 * pause).min(Duration::from_millis(2));
    }
}

/// Whether a child has ended. Its status is left for whoever waits for it.
#[cfg(unix)]
fn has_ended(process: u32) -> bool {
    // The pipe ends a little before the process.
    std::thread::sleep(Duration::from_millis(50));
    // SAFETY: `siginfo_t` is plain data, for which zeros are a value, and the call writes into it alone.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        libc::waitid(libc::P_PID, process, &raw mut info, options) == 0 && info.si_pid() != 0
    }
}

#[cfg(not(unix))]
fn has_ended(_: u32) -> bool {
    false
}

/// Kills a worker that has not been waited for yet, and all processes that it has started.
fn kill(process: u32) {
    #[cfg(unix)]
    if let Ok(process) = i32::try_from(process) {
        // SAFETY: sends a signal to the group that was made for the worker.
        unsafe { libc::kill(-process, libc::SIGKILL) };
    }
    #[cfg(not(unix))]
    let _ = process;
}
