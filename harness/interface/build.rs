//! Tells the crate which target it is compiled for: a plugin carries it in its header.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-env=EXAMINER_TARGET={}", std::env::var("TARGET").unwrap_or_default());
}
