//! The tests of the Python package, run by Python's own `unittest`.

use examiner_test_support::build::repository;
use examiner_test_support::needs;
use std::process::Command;

#[needs(python)]
#[test]
fn the_package_passes_its_own_tests() {
    let package = repository().join("python/examiner-plugin");
    let output = Command::new("python3")
        .args(["-W", "error", "-m", "unittest", "discover", "-s", "tests"])
        .env("PYTHONPATH", package.join("src"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(&package)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("Ran 0 tests"), "{said}");
}
