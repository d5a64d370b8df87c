//! The `examiner` program: the library's command line, and nothing else.

fn main() -> std::process::ExitCode {
    examiner::cli::main()
}
