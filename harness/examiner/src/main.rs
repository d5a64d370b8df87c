//! The `examiner` program: the command line over the engine and the reports.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    // A write beyond the limit on the size of files is then an error that can be reported, and not the end of the process.
    #[cfg(unix)]
    // SAFETY: no other thread has been started, and ignoring a signal runs no code of ours.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
    cli::main()
}
