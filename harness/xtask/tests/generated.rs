//! The generated parts of the pages are what the program and the tables in the code say now.

use examiner_test_support::build::program;

#[test]
fn the_generated_pages_are_up_to_date() {
    let stale = xtask::docs::stale(&program()).unwrap();
    assert!(stale.is_empty(), "`{}`: out of date; `cargo xtask docs` writes them", stale.join("`, `"));
}
