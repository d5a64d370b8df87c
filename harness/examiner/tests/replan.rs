//! A run over what is finished finds everything as it should be, and leaves it so.

use crate::build;
use crate::run::{run, stderr, suite};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

type Files = BTreeMap<PathBuf, (Vec<u8>, SystemTime)>;

/// All files of a run with what they hold and when they were written. The lock names its last holder, and logs tell of every
/// try: they are left out.
fn files(directory: &Path) -> Files {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&path));
        } else if entry.file_name() != "run.lock" && path.extension().is_none_or(|extension| extension != "log") {
            found.insert(path.clone(), (std::fs::read(&path).unwrap(), entry.metadata().unwrap().modified().unwrap()));
        }
    }
    found
}

/// The files that were written, made or removed in between.
fn changed(before: &Files, after: &Files) -> Vec<PathBuf> {
    let paths: BTreeSet<&PathBuf> = before.keys().chain(after.keys()).collect();
    paths.into_iter().filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
}

/// Three models, two datasets, a training, and everything that a run makes of its records.
fn whole(directory: &Path) -> String {
    std::fs::write(directory.join("rows.jsonl"), "{\"prompt\": \"a\", \"completion\": \"b\"}\n").unwrap();
    let models = "  a: { plugin: adder, count: asked }\n  b: { plugin: adder, count: asked, fault: wrong, at: 3 }\n  c: { plugin: adder, checkpoint: '${train.s}' }\n";
    let datasets = "  sums: { plugin: numbers, rows: 12 }\n  more: { plugin: numbers, rows: 7, scorer: { name: perplexity-choice, normalize: sum } }\n";
    format!(
        "{}train: {{ s: {{ trainer: learner, data: rows.jsonl }} }}\nreport: {{ baseline: a, figure: run/figs/result.svg }}\n",
        suite(models, datasets)
    )
}

#[test]
fn a_run_over_a_finished_one_changes_no_file_and_asks_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let suite = whole(directory.path());
    let first = run(directory.path(), &suite, &["--out", "run"]);
    assert!(first.status.success(), "{}", stderr(&first));
    let path = directory.path().join("run");
    let before = files(&path);
    for name in ["run.json", "summary.csv", "comparison.csv", "suite.yaml", "figs/result.png", "samples/b/more.jsonl"] {
        assert!(before.contains_key(&path.join(name)), "`{name}` is not there: {:?}", before.keys());
    }
    let asked = std::fs::read(directory.path().join("asked")).unwrap();
    let again = run(directory.path(), &suite, &["--out", "run"]);
    assert!(again.status.success(), "{}", stderr(&again));
    assert_eq!(again.stdout, first.stdout);
    assert_eq!(changed(&before, &files(&path)), [""; 0].map(PathBuf::from));
    assert_eq!(std::fs::read(directory.path().join("asked")).unwrap(), asked);
}

/// What is made from records is made again where it is missing or something else, and nothing beside it is.
#[test]
fn what_is_not_as_it_should_be_is_made_again_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let suite = whole(directory.path());
    assert!(run(directory.path(), &suite, &["--out", "run"]).status.success());
    let path = directory.path().join("run");
    type Spoil = fn(&Path);
    let append: Spoil = |path| std::fs::write(path, [&std::fs::read(path).unwrap()[..], b"more\n"].concat()).unwrap();
    let shorten: Spoil = |path| std::fs::write(path, &std::fs::read(path).unwrap()[1..]).unwrap();
    let remove: Spoil = |path| std::fs::remove_file(path).unwrap();
    for name in ["samples/a/sums.jsonl", "samples/b/more.jsonl", "summary.csv", "comparison.csv", "suite.yaml"] {
        for spoil in [append, shorten, remove] {
            let before = files(&path);
            spoil(&path.join(name));
            let again = run(directory.path(), &suite, &["--out", "run"]);
            assert!(again.status.success(), "{name}: {}", stderr(&again));
            let after = files(&path);
            assert_eq!(after[&path.join(name)].0, before[&path.join(name)].0, "{name}");
            assert_eq!(changed(&before, &after), [path.join(name)]);
        }
    }
}

/// A record that is missing is asked for, and only its pair is worked on.
#[test]
fn one_missing_record_is_asked_for_and_the_other_pairs_stay_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let suite = whole(directory.path());
    assert!(run(directory.path(), &suite, &["--out", "run"]).status.success());
    let path = directory.path().join("run");
    let before = files(&path);
    let journal = path.join("journal/b/sums.jsonl");
    let lines = std::fs::read_to_string(&journal).unwrap();
    let (rest, last) = lines.trim_end().rsplit_once('\n').unwrap();
    assert!(last.contains("\"index\":11"), "{last}");
    std::fs::write(&journal, format!("{rest}\n")).unwrap();
    std::fs::remove_file(directory.path().join("asked")).unwrap();
    let again = run(directory.path(), &suite, &["--out", "run"]);
    assert!(again.status.success(), "{}", stderr(&again));
    assert_eq!(std::fs::read_to_string(directory.path().join("asked")).unwrap(), "11\n");
    // The answer is what it was: `samples/` did not change. How long it took did.
    let expected = ["journal/b/sums.jsonl", "run.json", "summary.csv"].map(|name| path.join(name));
    assert_eq!(changed(&before, &files(&path)), expected);
    assert_eq!(std::fs::read_to_string(&journal).unwrap(), lines);
    let report = build::examiner(directory.path()).args(["report", "run"]).output().unwrap();
    assert!(report.status.success());
}
