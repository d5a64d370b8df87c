//! What the fuzz targets share: where they write, what a corpus begins with, and which panics count.

mod checkpoint;
mod parquet;

pub use checkpoint::{config, gguf, safetensors, tokenizer};
pub use parquet::parquet;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Puts the first inputs of a target into its corpus, where libFuzzer looks for them next.
pub fn sow(target: &str, seeds: impl IntoIterator<Item = (String, Vec<u8>)>) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&corpus).expect("the corpus needs a directory");
    for (name, seed) in seeds {
        std::fs::write(corpus.join(format!("seed-{name}")), seed).expect("the corpus needs a writable directory");
    }
}

/// A file for the input, in memory where there is such a place: a target writes thousands of them a second.
pub fn file(name: &str) -> PathBuf {
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        tempfile::tempdir_in(place).expect("a directory for inputs").keep()
    });
    DIRECTORY.join(name)
}

static PANIC: Mutex<String> = Mutex::new(String::new());

/// From now on a panic that is caught on its way, as a reader may do with those of a library, is none of a target's
/// business; libFuzzer's own hook ends the process at any.
pub fn let_caught_panics_pass() {
    std::panic::set_hook(Box::new(|info| {
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = info.to_string();
    }));
}

/// Runs a target; a panic that nobody caught is a finding.
pub fn watch(target: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(target)).is_err() {
        eprintln!("{}", PANIC.lock().unwrap_or_else(PoisonError::into_inner));
        std::process::abort();
    }
}
