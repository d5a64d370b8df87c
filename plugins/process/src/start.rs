//! Starts programs so that none outlives the process that started it.

use crate::command::{CommandLine, FoundWord};
use crate::protocol::VARIABLE;
use examiner_api::{PluginError, Result};
use parking_lot::Mutex;
use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel};

/// Starts a program with pipes for all that it reads and writes. Its environment is that of this process.
///
/// # Errors
/// It cannot be started, which is told with what was looked for.
pub(crate) fn start(line: &CommandLine) -> Result<Child> {
    let mut words = line.words.iter();
    let mut command = match words.next() {
        Some(FoundWord::File(path, _)) => Command::new(path),
        Some(FoundWord::Text(program)) => Command::new(program),
        None => return Err(PluginError::bad_options("`command` names no program")),
    };
    for word in words {
        match word {
            FoundWord::File(path, _) => command.arg(path),
            FoundWord::Text(text) => command.arg(text),
        };
    }
    if let Some(directory) = &line.directory {
        command.current_dir(directory);
    }
    command.env(VARIABLE, "1").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    end_with_this_process(&mut command);
    let program = command.get_program().to_owned();
    spawn(command).map_err(|error| {
        PluginError::io("start the program", program.as_ref(), &error).with_help(
            "the first word of `command` is a program on `PATH`, or an executable file beside the suite; a script needs its \
             interpreter before it: `command: [python3, model.py]`",
        )
    })
}

/// Lets the kernel end the program when this process ends, however that happens. The program stays in the process group of the
/// worker, which is killed as a whole: so what the program has started itself ends, too.
#[cfg(target_os = "linux")]
fn end_with_this_process(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let parent = std::process::id();
    // SAFETY: between fork and exec only system calls are made, which take and return numbers.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            // This process may have ended before the signal was set up.
            if u32::try_from(libc::getppid()) == Ok(parent) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with_this_process(_: &mut Command) {}

/// Starts a process from a thread that runs as long as this process: Linux sends the signal of `PR_SET_PDEATHSIG` when the thread
/// ends that has started the program.
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
    let ended = || io::Error::other("the thread that starts programs has ended");
    STARTER.lock().send((command, started)).map_err(|_| ended())?;
    child.recv().map_err(|_| ended())?
}
