//! The generated parts of the pages are what the program and the tables in the code say now, and the lists of what the published
//! crates offer are what the sources say.

use examiner_test_support::build::program;

#[test]
fn the_generated_pages_are_up_to_date() {
    let stale = xtask::docs::stale(&program()).unwrap();
    assert!(stale.is_empty(), "`{}`: out of date; `cargo xtask docs` writes them", stale.join("`, `"));
}

#[test]
fn the_published_crates_offer_what_their_lists_say() {
    let stale = xtask::api::stale().unwrap();
    assert!(stale.is_empty(), "{}", stale.join("\n\n"));
}

#[test]
fn the_packages_of_the_published_crates_hold_licenses_and_readme() {
    let lacking = xtask::package::lacking().unwrap();
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
}
