//! Runs that are moved, copied and replaced, and products that are not what a stage has left.

use crate::build;
use crate::run::{run, stderr, suite, summary};
use std::path::Path;
use std::process::Output;

/// A model of a trained checkpoint, and an export of it.
fn whole() -> String {
    let models = "  m: { plugin: adder, checkpoint: '${train.one}', count: asked }\n";
    let stages = "train:\n  one: { trainer: learner, data: { dataset: sums, as: answers } }\n\
                  export:\n  two: { exporter: copier, from: '${train.one}' }\n";
    format!("{}{stages}", suite(models, "  sums: { plugin: numbers, rows: 4 }\n"))
}

/// Runs the suite in `out`, and returns what the log of stages says of it.
fn stages(directory: &Path, out: &str) -> String {
    let log = directory.join(out).join("logs/stages.log");
    let _ = std::fs::remove_file(&log);
    let output = run(directory, &whole(), &["--out", out]);
    assert!(output.status.success(), "{}", stderr(&output));
    std::fs::read_to_string(log).unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to)
        } else {
            let _ = std::fs::copy(&from, &to).unwrap();
        }
    }
}

#[test]
fn a_moved_run_keeps_what_its_stages_made() {
    let directory = tempfile::tempdir().unwrap();
    let first = stages(directory.path(), "a");
    assert!(first.contains("train/one: run") && first.contains("export/two: run"), "{first}");
    std::fs::rename(directory.path().join("a"), directory.path().join("b")).unwrap();
    let moved = stages(directory.path(), "b");
    assert!(moved.contains("train/one: reuse") && moved.contains("export/two: reuse"), "{moved}");
    assert!(moved.contains("evaluate/m/sums: reuse"), "{moved}");
}

#[test]
fn a_copied_run_uses_its_own_products() {
    let directory = tempfile::tempdir().unwrap();
    stages(directory.path(), "a");
    copy(&directory.path().join("a"), &directory.path().join("b"));
    // What the copy has is right, what the original has is not.
    std::fs::write(directory.path().join("a/train/one/checkpoint"), "something else").unwrap();
    let copied = stages(directory.path(), "b");
    assert!(copied.contains("train/one: reuse") && copied.contains("export/two: reuse"), "{copied}");
    let again = stages(directory.path(), "b");
    assert!(again.contains("train/one: reuse"), "{again}");
}

#[test]
fn a_product_that_is_not_what_the_stage_left_is_made_again() {
    type Spoil = fn(&Path);
    let change: Spoil = |path| {
        let bytes: Vec<u8> = std::fs::read(path).unwrap().iter().map(|byte| byte ^ 1).collect();
        std::fs::write(path, bytes).unwrap();
    };
    let empty: Spoil = |path| std::fs::write(path, "").unwrap();
    let remove: Spoil = |path| std::fs::remove_file(path).unwrap();
    let directory = tempfile::tempdir().unwrap();
    stages(directory.path(), "a");
    let product = directory.path().join("a/train/one/checkpoint");
    let before = std::fs::read(&product).unwrap();
    for (spoil, reason) in [(change, "is not what the stage left there"), (empty, "is not what"), (remove, "is gone")] {
        spoil(&product);
        let again = stages(directory.path(), "a");
        assert!(again.contains("train/one: run: ") && again.contains(reason), "{again}");
        assert_eq!(std::fs::read(&product).unwrap(), before);
    }
    let kept =
        ["checkpoint.earlier", "checkpoint.earlier-2", "checkpoint.earlier-3"].map(|name| product.with_file_name(name));
    assert_eq!(kept.map(|path| path.exists()), [true, true, false], "what is damaged is kept");
}

/// All files below a directory with their contents.
fn files(directory: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path))
        } else {
            found.push((path.clone(), std::fs::read(&path).unwrap()))
        }
    }
    found.sort();
    found
}

fn refused(directory: &Path, suite: &str, arguments: &[&str], expected: &str) {
    let before = files(&directory.join("run"));
    let output = run(directory, suite, arguments);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains(expected) && stderr(&output).contains("--replace"), "{}", stderr(&output));
    assert_eq!(files(&directory.join("run")), before, "nothing was touched");
    let plan = build::examiner(directory).args(["plan", "suite.yaml"]).args(arguments).output().unwrap();
    assert!(!plan.status.success() && stderr(&plan).contains(expected), "{}", stderr(&plan));
}

#[test]
fn results_are_replaced_by_others_or_by_fewer_only_on_demand() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    assert!(run(path, &whole(), &["--out", "run"]).status.success());
    let other = whole().replace("name: t\n", "name: u\n");
    refused(path, &other, &["--out", "run"], "holds a run of the suite `t`, and this suite is `u`");
    refused(path, &whole(), &["--out", "run", "--limit", "3"], "`--limit 3` are fewer");
    refused(path, &whole(), &["--out", "run", "--only", "train"], "holds the results of `evaluate/m/sums`");
    let rows = || summary(&path.join("run"))[0]["n"].clone();
    assert_eq!(rows(), "4");
    for (suite, arguments, n) in [(&whole(), &["--limit", "3"][..], "3"), (&other, &[], "4")] {
        let replaced = run(path, suite, &[&["--out", "run", "--replace"], arguments].concat());
        assert!(replaced.status.success(), "{}", stderr(&replaced));
        assert_eq!(rows(), n);
    }
    // More than there were are welcome.
    assert!(run(path, &other, &["--out", "few", "--limit", "2"]).status.success());
    assert!(run(path, &other, &["--out", "few"]).status.success());
}

#[test]
fn fresh_begins_again_and_keeps_the_earlier_run() {
    let directory = tempfile::tempdir().unwrap();
    let asked = || std::fs::read_to_string(directory.path().join("asked")).unwrap().lines().count();
    assert!(run(directory.path(), &whole(), &["--out", "run"]).status.success());
    assert_eq!(asked(), 4);
    let output = run(directory.path(), &whole(), &["--out", "run", "--fresh"]);
    assert!(output.status.success() && stderr(&output).contains("the earlier run is now"), "{}", stderr(&output));
    assert_eq!(asked(), 8, "nothing is used again");
    assert!(directory.path().join("run.earlier/summary.csv").is_file());
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs `/dev/full`, which Linux has")]
fn a_run_whose_table_cannot_be_shown_is_done_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("suite.yaml"), whole()).unwrap();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = build::examiner(directory.path());
    let output: Output = command.args(["run", "suite.yaml", "--out", "run"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("cannot write to stdout"), "{}", stderr(&output));
    assert!(stderr(&output).contains("`examiner report run` shows the results"), "{}", stderr(&output));
    assert_eq!(summary(&directory.path().join("run"))[0]["status"], "ok");
}
