//! What the fuzz targets share: where they write, what a corpus begins with, and which panics count.

mod parquet;

pub use examiner_test_support::checkpoint::gguf;
pub use parquet::parquet;

use examiner_test_support::checkpoint::{Dtype, TinyGpt2, tokenizer_with};
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

/// The smallest GPT-2 that a plugin takes: one layer, half precision, bytes and one merge for tokens.
fn checkpoint() -> TinyGpt2 {
    let changes =
        json!({ "vocab_size": 258, "n_positions": 16, "n_embd": 4, "n_layer": 1, "n_head": 2, "n_inner": 8 });
    let checkpoint = TinyGpt2 { prefix: false, ..TinyGpt2::new(changes) };
    checkpoint.rounded(Dtype::F16)
}

/// Its `config.json`.
pub fn config() -> Value {
    checkpoint().config
}

/// Its `tokenizer.json`: the token of a byte is the byte, `<|endoftext|>` is 256, and `an` 257.
pub fn tokenizer() -> Value {
    tokenizer_with(&[("a", "n")])
}

/// Its `model.safetensors`.
pub fn safetensors() -> Vec<u8> {
    checkpoint().safetensors()
}

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
