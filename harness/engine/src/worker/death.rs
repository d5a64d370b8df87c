//! How the process of a worker ended.

use std::process::ExitStatus;

/// How a process ended, in words.
pub(super) fn death(status: Option<ExitStatus>, held_mib: u64) -> String {
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
        // A process that ends at once has not said it.
        let held = if held_mib > 0 { format!("; it held {held_mib} MiB") } else { String::new() };
        return format!("was killed by signal {signal} ({name}){held}");
    }
    match status.code() {
        Some(code) => format!("ended by itself, with exit code {code}"),
        None => format!("ended: {status}"),
    }
}
