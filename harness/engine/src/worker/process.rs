//! A worker as the program sees it: started, watched, killed, and described when it has died.

use super::Workers;
use super::connection::{Connection, Incoming, lock};
use super::frame::{FrameError, Kind};
use super::stderr_tail::StderrTail;
use examiner_api::wire::{Call, RawSink, host_method};
use examiner_api::{ErrorCode, Host, PluginError, Result};
use std::io;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A worker shows five times a second that it is alive. One that has not for so long is stopped, or its machine is.
const BEATS_LOST: Duration = Duration::from_secs(60);
/// How long a worker may take to tidy up.
const CLOSING: Duration = Duration::from_secs(10);

/// How long its last words may take to arrive.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A process that serves a role.
pub(super) struct Worker {
    /// What it serves, for messages: `model `original``.
    name: String,
    host: Host,
    child: Mutex<Child>,
    shared: Arc<Watched>,
    deadline: Duration,
    told_to_stop: AtomicBool,
    threads: Mutex<[JoinHandle<()>; 2]>,
}

/// What the threads that listen to a worker know of it.
struct Watched {
    connection: Connection,
    stderr_tail: StderrTail,
    began: Instant,
    /// Milliseconds from `began` to the last beat, and to the last sign of work that is no result.
    beat_ms: AtomicU64,
    work_ms: AtomicU64,
    /// Calls of the worker's that are being answered: it waits for the program.
    asks: AtomicUsize,
    memory_kib: AtomicU64,
    /// Why the worker is no good any more, where the end of its process does not say.
    fault: Mutex<Option<Fault>>,
}

/// What made the program give a worker up.
enum Fault {
    Garbage(String),
    Memory { mib: u64, allowed_mib: u64 },
    Silent(Duration),
    Stopped,
}

impl Worker {
    /// Starts a process and listens to it.
    pub(super) fn start(workers: &Workers, name: &str, host: &Host) -> Result<Self> {
        let failed = |error: &io::Error| PluginError::io("start a worker with the program", &workers.program, error);
        let mut command = Command::new(&workers.program);
        command.arg("worker").arg(std::process::id().to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Not in the terminal's group: Ctrl-C is the program's to hear. And what it starts can be killed with it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = spawn(command).map_err(|error| failed(&error))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(said)) = pipes else {
            return Err(failed(&io::Error::other("it has no pipes")));
        };
        let shared = Arc::new(Watched::new(input));
        let (listening, allowed_mib) = (shared.clone(), workers.isolation.memory_mib);
        let (asked, process) = (host.clone(), child.id());
        let listen = move || Watched::listen(&listening, output, &asked, process, allowed_mib);
        let (talking, heard) = (shared.clone(), host.clone());
        let threads =
            [std::thread::spawn(listen), std::thread::spawn(move || talking.stderr_tail.listen(said, &heard))];
        Ok(Worker {
            name: name.to_owned(),
            host: host.clone(),
            child: Mutex::new(child),
            shared,
            deadline: Duration::from_secs_f64(workers.isolation.deadline_s),
            told_to_stop: AtomicBool::new(false),
            threads: Mutex::new(threads),
        })
    }

    /// Whether its process has ended, or is no good any more.
    pub(super) fn is_dead(&self) -> bool {
        lock(&self.shared.fault).is_some() || !matches!(lock(&self.child).try_wait(), Ok(None))
    }

    /// Looks after a worker that a call waits for: hands on that the user wants to stop, and ends one that hangs.
    fn look(&self, since: Instant) {
        if self.host.is_cancelled() && !self.told_to_stop.swap(true, Ordering::SeqCst) {
            // One that cannot be told is dying, which the call will notice.
            let _ = self.shared.connection.send(Kind::Cancel, 0, &[]);
        }
        let shared = &self.shared;
        let quiet = |last_ms: &AtomicU64| {
            let last = shared.began + Duration::from_millis(last_ms.load(Ordering::SeqCst));
            last.max(since).elapsed()
        };
        if quiet(&shared.beat_ms) > BEATS_LOST {
            self.give_up(Fault::Stopped);
        }
        let silent = quiet(&shared.work_ms);
        if silent > self.deadline && shared.asks.load(Ordering::SeqCst) == 0 {
            self.give_up(Fault::Silent(silent));
        }
    }

    fn give_up(&self, fault: Fault) {
        lock(&self.shared.fault).get_or_insert(fault);
        kill(lock(&self.child).id());
    }

    /// What became of a worker that is no more: an error of its own.
    fn exit_reason(&self) -> PluginError {
        let status = self.reap();
        // What it said last may still be on its way. Whoever else holds its pipes open is not waited for.
        let began = Instant::now();
        while lock(&self.threads).iter().any(|thread| !thread.is_finished()) && began.elapsed() < LAST_WORDS {
            std::thread::sleep(Duration::from_millis(1));
        }
        let name = &self.name;
        let held_mib = self.shared.memory_kib.load(Ordering::SeqCst) / 1024;
        let fault = lock(&self.shared.fault);
        let (code, what) = match &*fault {
            Some(Fault::Garbage(found)) => {
                (ErrorCode::Protocol, format!("the process of {name} wrote to the program's pipe: {found}"))
            }
            Some(Fault::Memory { mib, allowed_mib }) => (
                ErrorCode::Crashed,
                format!("the process of {name} held {mib} MiB, more than the {allowed_mib} that `isolate` allows"),
            ),
            Some(Fault::Silent(silent)) => (
                ErrorCode::Timeout,
                format!("the process of {name} gave no answer for {:.1} seconds", silent.as_secs_f64()),
            ),
            Some(Fault::Stopped) => {
                (ErrorCode::Timeout, format!("the process of {name} gave no sign of life for {BEATS_LOST:?}"))
            }
            None => (ErrorCode::Crashed, format!("the process of {name} {}", death(status, held_mib))),
        };
        let help = match code {
            ErrorCode::Timeout => "`isolate: { deadline_s: ... }` in the suite allows more",
            _ => {
                "it is an error in the plugin or in what it uses; `isolate: false` in the suite runs it in the \
                  program itself, for a debugger"
            }
        };
        PluginError::new(code, format!("{what}{}", self.shared.stderr_tail.tail())).with_help(help)
    }

    /// Waits for the end of the process, and helps it along.
    fn reap(&self) -> Option<ExitStatus> {
        let mut child = lock(&self.child);
        // One that has closed its pipes is at its end, or is broken.
        let status = wait(&mut child, Duration::from_secs(2));
        if status.is_none() {
            lock(&self.shared.fault).get_or_insert(Fault::Garbage("its end, while it ran on".to_owned()));
        }
        kill(child.id());
        status.or_else(|| child.wait().ok())
    }
}

impl Call for &Worker {
    fn call(&self, name: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
        let called = self.shared.connection.call(name, payload, sink, &|since| self.look(since));
        called.unwrap_or_else(|_| Err(self.exit_reason()))
    }
}

impl Drop for Worker {
    /// Lets the role tidy up, and then ends the process in any case.
    fn drop(&mut self) {
        if !self.is_dead() && self.shared.connection.send(Kind::Close, 0, &[]).is_ok() {
            wait(&mut lock(&self.child), CLOSING);
        }
        let mut child = lock(&self.child);
        kill(child.id());
        // It has been killed: this cannot take long, and leaves no zombie.
        let _ = child.wait();
    }
}

impl Watched {
    fn new(input: ChildStdin) -> Self {
        Watched {
            connection: Connection::new(input),
            stderr_tail: StderrTail::default(),
            began: Instant::now(),
            beat_ms: AtomicU64::new(0),
            work_ms: AtomicU64::new(0),
            asks: AtomicUsize::new(0),
            memory_kib: AtomicU64::new(0),
            fault: Mutex::new(None),
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn listen(shared: &Arc<Self>, output: ChildStdout, host: &Host, process: u32, allowed_mib: Option<u64>) {
        let ended = shared.connection.listen(output, |incoming| match incoming {
            Incoming::Call { id, name, payload } => Self::answer(shared, host, id, name, payload),
            Incoming::Beat(payload) => shared.beat(&payload, process, allowed_mib),
            Incoming::Cancel | Incoming::Close => {}
        });
        if let Err(FrameError::Garbage(found)) = ended
            && !has_ended(process)
        {
            lock(&shared.fault).get_or_insert(Fault::Garbage(format!("expected a frame, found {found}")));
            kill(process);
        }
    }

    fn beat(&self, payload: &[u8], process: u32, allowed_mib: Option<u64>) {
        self.beat_ms.store(self.now_ms(), Ordering::SeqCst);
        let Ok(kib) = payload.try_into().map(u64::from_le_bytes) else { return };
        self.memory_kib.store(kib, Ordering::SeqCst);
        if let Some(allowed_mib) = allowed_mib.filter(|allowed| kib / 1024 > *allowed) {
            lock(&self.fault).get_or_insert(Fault::Memory { mib: kib / 1024, allowed_mib });
            kill(process);
        }
    }

    /// Answers the worker. What may take long does not keep results waiting.
    fn answer(shared: &Arc<Self>, host: &Host, id: u64, name: String, payload: Vec<u8>) {
        let (shared, host) = (shared.clone(), host.clone());
        // Messages and questions about the program's state are answered at once; all else may take its time.
        let at_once = [host_method::LOG, host_method::PROGRESS, host_method::CANCELLED, host_method::SCRATCH_DIR];
        let slow = !at_once.contains(&name.as_str());
        // What the worker sent before it asked has been received; what it asks for may rely on it.
        let received = shared.connection.received();
        shared.asks.fetch_add(1, Ordering::SeqCst);
        let work = move || {
            if name == host_method::FLUSH {
                shared.connection.wait_until_taken(received);
            }
            shared.connection.answer(id, |sink| host.serve(&name, &payload, sink));
            shared.work_ms.store(shared.now_ms(), Ordering::SeqCst);
            shared.asks.fetch_sub(1, Ordering::SeqCst);
        };
        if slow {
            std::thread::spawn(work);
        } else {
            work();
        }
    }
}

/// Starts a process in a thread that lasts as long as the program: Linux ends a worker with the thread that has started it,
/// even one that is stopped.
fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, Sender<io::Result<Child>>);
    static STARTER: LazyLock<Mutex<Sender<Order>>> = LazyLock::new(|| {
        let (orders, to_start) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, started) in to_start {
                let _ = started.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (started, child) = channel();
    let ended = |_| io::Error::other("the thread that starts workers has ended");
    lock(&STARTER).send((command, started)).map_err(|_| ended(()))?;
    child.recv().map_err(|_| ended(()))?
}

/// How a process ended, in words.
fn death(status: Option<ExitStatus>, held_mib: u64) -> String {
    let Some(status) = status else { return "is gone".to_owned() };
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let name = match signal {
            libc::SIGSEGV => "SIGSEGV: it used memory that is not its own",
            libc::SIGBUS => "SIGBUS: a file that it had mapped has become shorter, or the disk is full",
            libc::SIGILL => "SIGILL: an instruction that this processor does not have",
            libc::SIGFPE => "SIGFPE: a division by zero",
            libc::SIGABRT => "SIGABRT: it gave up by itself",
            libc::SIGKILL => "SIGKILL: by the kernel, out of memory, or by hand",
            libc::SIGTERM => "SIGTERM: by hand",
            libc::SIGXFSZ => "SIGXFSZ: a file became larger than is allowed",
            libc::SIGXCPU => "SIGXCPU: it used more time than is allowed",
            _ => "see `kill -l`",
        };
        return format!("was killed by signal {signal} ({name}); it held {held_mib} MiB");
    }
    match status.code() {
        Some(code) => format!("ended by itself, with exit code {code}"),
        None => format!("ended: {status}"),
    }
}

fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let began = Instant::now();
    // Most workers end at once, some have much to tidy up.
    let mut pause = Duration::from_micros(100);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if began.elapsed() < patience => std::thread::sleep(pause),
            _ => return None,
        }
        pause = (2 * pause).min(Duration::from_millis(2));
    }
}

/// Whether a child has ended, without taking note of how: that is for whoever waits for it.
#[cfg(unix)]
fn has_ended(process: u32) -> bool {
    // A moment: the pipe ends a little before the process.
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

/// Kills a worker that has not been waited for yet, and all that it has started.
fn kill(process: u32) {
    #[cfg(unix)]
    if let Ok(process) = i32::try_from(process) {
        // SAFETY: sends a signal to the group that was made for the worker.
        unsafe { libc::kill(-process, libc::SIGKILL) };
    }
    #[cfg(not(unix))]
    let _ = process;
}
