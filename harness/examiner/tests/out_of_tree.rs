//! A third party's plugin: built from a directory of its own, with its own lock file, without optimization, and with other versions of
//! common crates than the program's.

use crate::build;
use crate::run::{run, stderr, whole};

#[test]
fn a_plugin_of_other_versions_in_debug_is_right() {
    let theirs = include_str!("other-versions/Cargo.lock");
    let ours = include_str!("../../../Cargo.lock");
    let versions = |lock: &str, name: &str| -> Vec<String> {
        let packages = lock.split("[[package]]").filter(|package| package.contains(&format!("\nname = \"{name}\"\n")));
        packages.map(|package| package.split("version = ").nth(1).unwrap().lines().next().unwrap().to_owned()).collect()
    };
    for name in ["serde", "serde_json"] {
        assert_ne!(versions(theirs, name), versions(ours, name), "{name}");
    }
    // Nothing but generators of tables, which run while a parser is built, has this `rand` here.
    const GENERATORS: [&str; 2] = ["phf_generator", "unicode_names2_generator"];
    let has_old = |package: &&str| package.contains("\n \"rand 0.8.");
    let with_old: Vec<&str> = ours.split("[[package]]").filter(has_old).collect();
    let is_generator =
        |package: &&str| GENERATORS.iter().any(|name| package.contains(&format!("\nname = \"{name}\"\n")));
    assert!(with_old.iter().all(is_generator), "{with_old:?}");

    let directory = tempfile::tempdir().unwrap();
    let suite = format!(
        "name: other\nplugins:\n  fixture: {{ path: {} }}\n  other-versions: {{ path: {} }}\n\
         models:\n  other: {{ plugin: other-adder, seed: 7 }}\ndatasets:\n  sums: {{ plugin: numbers, rows: 100 }}\n\
         evaluate:\n  - {{ models: all, datasets: all }}\n",
        build::fixture("fixture").display(),
        build::other_versions().display()
    );
    let output = run(directory.path(), &suite, &["--out", "run"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let row = whole(&directory.path().join("run"), "other", "sums", "accuracy");
    assert_eq!((&*row["value"], &*row["n"], &*row["status"]), ("1.0", "100", "ok"), "{row:?}");
}
