//! A third party's way: the tutorial plugin built from a directory of its own, with its own lock file, on `examiner-api`
//! alone.

use crate::build;
use examiner_engine::loader::{Plugins, SearchPath};
use examiner_engine::worker::registration;
use std::collections::BTreeMap;

#[test]
fn the_tutorial_builds_and_loads_from_its_own_directory() {
    let path = build::out_of_tree();
    let mut plugins = Plugins::default();
    plugins.search(&[SearchPath::File(path)], &BTreeMap::new(), &mut *registration(None)).unwrap();
    assert_eq!(plugins.loaded()[0].info.name, "echo");

    let manifest = include_str!("out-of-tree/Cargo.toml");
    let dependencies: Vec<&str> = manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .filter(|line| line.contains('='))
        .collect();
    assert_eq!(dependencies.len(), 1, "{dependencies:?}");
    assert!(dependencies[0].starts_with("examiner-api"), "{dependencies:?}");
}
