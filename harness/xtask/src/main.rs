//! The `cargo xtask` program: the library's command line, and nothing else.

fn main() -> std::process::ExitCode {
    xtask::main()
}
