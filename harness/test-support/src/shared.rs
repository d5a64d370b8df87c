//! The reference data: published datasets, checkpoints, and what other programs computed for them.

use serde_json::Value;
use std::path::{Path, PathBuf};

/// The directory of the reference data: `EXAMINER_SHARED`, else `../shared` beside the repository.
///
/// A test that calls this carries `#[needs(shared)]`, which ignores it if there is no such directory.
///
/// # Panics
///
/// If the directory does not exist.
pub fn shared() -> PathBuf {
    let directory = location();
    assert!(
        directory.is_dir(),
        "expected the reference data at `{}`, which is no directory; set `EXAMINER_SHARED` to where it is, or unset \
         `EXAMINER_REQUIRE_SHARED`",
        directory.display()
    );
    directory.canonicalize().unwrap()
}

/// Where the reference data is looked for.
fn location() -> PathBuf {
    let named = std::env::var_os("EXAMINER_SHARED").filter(|value| !value.is_empty());
    named.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from)
}

/// The rows of a file with a JSON document in each line.
///
/// # Panics
///
/// If the file cannot be read, or a line of it is not JSON.
pub fn rows(path: &Path) -> Vec<Value> {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read `{}`: {error}", path.display()));
    let row = |(index, line): (usize, &str)| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("`{}`, line {}: {error}", path.display(), index + 1))
    };
    text.lines().enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_test_needs::needs;

    /// Ignored or not, as the tests of the other crates are.
    #[needs(shared)]
    #[test]
    fn the_reference_data_is_whole() {
        for part in ["models/tiny-gpt2", "models/tiny-gpt2-optimum", "models/families", "oracle", "data"] {
            assert!(shared().join(part).is_dir(), "the reference data has no `{part}`");
        }
    }

    /// Tests are marked as ignored when they are built. If that is out of date, say so rather than check less.
    #[test]
    fn no_test_is_ignored_although_the_data_is_there() {
        let program = std::env::current_exe().unwrap();
        let ignored = std::process::Command::new(program).args(["--list", "--ignored"]).output().unwrap();
        let is_ignored = String::from_utf8_lossy(&ignored.stdout).contains("the_reference_data_is_whole");
        assert!(
            !(is_ignored && location().is_dir()),
            "`{}` has appeared since the tests were built: touch `harness/test-support/needs/build.rs`",
            location().display()
        );
    }
}
